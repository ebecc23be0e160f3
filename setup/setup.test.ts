import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runInForeground, capture, which } from './exec.mjs';
import { fitsCache } from './native.mjs';
import { debianArchive } from './newer-debian.mjs';
import { missingPackages } from './packages.mjs';
import { inRoot } from './paths.mjs';
import { unusableIn } from './place.mjs';
import { softwareVulkan } from './software-vulkan.mjs';
import { installCommand } from './system-packages.mjs';

test('packages are missing when absent, of another version or of other contents', () => {
  const locked = {
    packages: {
      '': { version: '0.1.0' },
      'node_modules/same': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/absent': { version: '1.0.0', integrity: 'sha512-b' },
      'node_modules/older': { version: '2.0.0', integrity: 'sha512-c' },
      'node_modules/changed': { version: '1.0.0', integrity: 'sha512-d' },
      'node_modules/for-windows': { version: '1.0.0', integrity: 'sha512-e', optional: true },
    },
  };
  const installed = {
    packages: {
      'node_modules/same': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/older': { version: '1.9.0', integrity: 'sha512-x' },
      'node_modules/changed': { version: '1.0.0', integrity: 'sha512-y' },
    },
  };
  expect(missingPackages(locked, installed)).toEqual(['node_modules/absent', 'node_modules/older', 'node_modules/changed']);
  expect(missingPackages(locked, locked)).toEqual([]);
});

test.each([
  ['/home/me/loupe', null],
  ["/home/me/OneDrive - Company, Inc/it's (1) & 100%25 = ü 🦙/loupe", null],
  ['/home/me/a#b/loupe', '#'],
  ['/home/me/what?/loupe', '?'],
  ['/home/me/"q"/loupe', '"'],
  ['/home/me/[x]/loupe', '['],
  ['/home/me/two\nlines/loupe', 'a line break'],
  ['/home/me/a\\b/loupe', 'a backslash'],
])('a checkout at %j', (path, block) => {
  expect(unusableIn(path, 'linux')).toBe(block);
});

test('the lockfile names no registry host', () => {
  expect(readFileSync(inRoot('package-lock.json'), 'utf8')).not.toContain('"resolved"');
});

const needs = [
  { apt: 'g++', dnf: 'gcc-c++', pacman: 'gcc', brew: '' },
  { apt: 'mesa-vulkan-drivers', dnf: 'mesa-vulkan-drivers', pacman: 'vulkan-swrast', brew: 'molten-vk' },
  { apt: 'mesa-vulkan-drivers', dnf: 'mesa-vulkan-drivers', pacman: 'vulkan-swrast', brew: '' },
];

test.each([
  ['apt-get', 'apt-get install -y --no-install-recommends g++ mesa-vulkan-drivers'],
  ['dnf', 'dnf install -y gcc-c++ mesa-vulkan-drivers'],
  ['pacman', 'pacman -S --needed gcc vulkan-swrast'],
  ['brew', 'brew install molten-vk'],
])('names each package once for %s', (manager, command) => {
  expect(installCommand(needs, (program) => program === manager)?.join(' ')).toBe(command);
});

test('knows no command for a system without a known package manager', () => {
  expect(installCommand(needs, () => false)).toBeUndefined();
});

test('finds the Debian archive among the archives of a system, and none on Ubuntu', () => {
  expect(debianArchive('http://mirror.example/debian-security/\nhttp://mirror.example/debian/\n')).toBe('http://mirror.example/debian/');
  expect(debianArchive('http://archive.ubuntu.com/ubuntu/\n')).toBeUndefined();
  expect(debianArchive('')).toBeUndefined();
});

test('a build folder of another place or generator is not reused', () => {
  const cache = 'CMAKE_GENERATOR:INTERNAL=Ninja\nCMAKE_HOME_DIRECTORY:INTERNAL=/home/a/loupe/native\n';
  expect(fitsCache(cache, '/home/a/loupe/native', 'Ninja')).toBe(true);
  expect(fitsCache(cache, '/home/a/loupe', 'Ninja')).toBe(false);
  expect(fitsCache(cache, '/home/b/loupe/native', 'Ninja')).toBe(false);
  expect(fitsCache(cache, '/home/a/loupe/native', 'Unix Makefiles')).toBe(false);
});

test('the environment of a software driver names that driver alone', () => {
  const env = softwareVulkan('/drivers/lvp.json', '/layers');
  expect(env).toMatchObject({
    VK_DRIVER_FILES: '/drivers/lvp.json',
    VK_ICD_FILENAMES: '/drivers/lvp.json',
    VK_LAYER_PATH: '/layers',
    LOUPE_VALIDATION: '1',
  });
  expect(env['XDG_RUNTIME_DIR']).toBeTruthy();
});

test('programs are found on PATH, and only there', () => {
  expect(which('sh')).toMatch(/\/sh$/);
  expect(which('no-such-program-of-loupe')).toBeUndefined();
});

test('a captured program gets its input and keeps its two outputs apart', async () => {
  expect(await capture('sh', ['-c', 'cat; echo trouble >&2; exit 3'], { input: 'text' })).toEqual({
    code: 3,
    signal: null,
    stdout: 'text',
    stderr: 'trouble\n',
  });
  expect((await capture('no-such-program-of-loupe', [])).code).toBe(127);
});

test('the exit code of a program that took the terminal is passed on, signals as shells do', async () => {
  expect(await runInForeground('sh', ['-c', 'exit 5'])).toBe(5);
  expect(await runInForeground('sh', ['-c', 'kill -TERM $$'])).toBe(143);
});
