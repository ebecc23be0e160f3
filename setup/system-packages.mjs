// What the native build needs from the operating system, found by looking for the thing itself: a package manager's
// records know nothing of a Vulkan SDK or of a compiler in /usr/local.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { capture, follow, which } from './exec.mjs';
import { say, SetupError } from './report.mjs';

/** @typedef {{ what: string, present: () => boolean, apt: string, dnf: string, pacman: string, brew: string }} Need */

/** Debian's name for the architecture's library folder. */
export const multiarch = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';

const prefixes = ['/usr', '/usr/local', '/opt/homebrew', ...(process.env['VULKAN_SDK'] ? [process.env['VULKAN_SDK']] : [])];
const libraryFolders = prefixes.flatMap((prefix) => [join(prefix, 'lib', multiarch), join(prefix, 'lib64'), join(prefix, 'lib')]);

/** @param {string} path below an include folder */
const header = (path) => prefixes.some((prefix) => existsSync(join(prefix, 'include', path)));
/** @param {string[]} names */
const library = (...names) => libraryFolders.some((folder) => names.some((name) => existsSync(join(folder, name))));
/** @param {string[]} names */
const command = (...names) => names.some((name) => which(name) !== undefined);

/** Manifests of Vulkan drivers whose name begins so, by path. @param {string} [prefix] @returns {string[]} */
export function driverManifests(prefix = '') {
  return ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/opt/homebrew/share/vulkan/icd.d'].flatMap(
    (folder) =>
      existsSync(folder)
        ? readdirSync(folder)
            .filter((name) => name.startsWith(prefix) && name.endsWith('.json'))
            .map((name) => join(folder, name))
        : [],
  );
}

const validationManifest = 'share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json';

/** @type {Need[]} */
const buildNeeds = [
  { what: 'a C++20 compiler', present: () => command('g++', 'clang++', 'c++'), apt: 'g++', dnf: 'gcc-c++', pacman: 'gcc', brew: '' },
  { what: 'CMake', present: () => command('cmake'), apt: 'cmake', dnf: 'cmake', pacman: 'cmake', brew: 'cmake' },
  {
    what: 'Ninja or make',
    present: () => command('ninja', 'make'),
    apt: 'ninja-build',
    dnf: 'ninja-build',
    pacman: 'ninja',
    brew: 'ninja',
  },
  { what: 'glslc', present: () => command('glslc'), apt: 'glslc', dnf: 'glslc', pacman: 'shaderc', brew: 'shaderc' },
  {
    what: 'Vulkan headers',
    present: () => header('vulkan/vulkan.h'),
    apt: 'libvulkan-dev',
    dnf: 'vulkan-headers',
    pacman: 'vulkan-headers',
    brew: 'vulkan-headers',
  },
  {
    what: 'the Vulkan loader',
    present: () => library('libvulkan.so.1', 'libvulkan.1.dylib'),
    apt: 'libvulkan1',
    dnf: 'vulkan-loader',
    pacman: 'vulkan-icd-loader',
    brew: 'vulkan-loader',
  },
  {
    what: 'a Vulkan driver',
    present: () => driverManifests().length > 0,
    apt: 'mesa-vulkan-drivers',
    dnf: 'mesa-vulkan-drivers',
    pacman: 'vulkan-swrast',
    brew: 'molten-vk',
  },
  {
    what: 'nlohmann/json',
    present: () => header('nlohmann/json.hpp'),
    apt: 'nlohmann-json3-dev',
    dnf: 'json-devel',
    pacman: 'nlohmann-json',
    brew: 'nlohmann-json',
  },
];

/** What Chromium is called, by the systems that package it. */
export const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/** @type {Need[]} */
const testNeeds = [
  {
    what: 'GoogleTest',
    present: () => header('gtest/gtest.h') && library('libgtest.a', 'libgtest.so', 'libgtest.dylib'),
    apt: 'libgtest-dev',
    dnf: 'gtest-devel',
    pacman: 'gtest',
    brew: 'googletest',
  },
  {
    what: 'a software Vulkan driver (lavapipe)',
    present: () => driverManifests('lvp_icd').length > 0,
    apt: 'mesa-vulkan-drivers',
    dnf: 'mesa-vulkan-drivers',
    pacman: 'vulkan-swrast',
    brew: '',
  },
  {
    what: 'the Vulkan validation layer',
    present: () => prefixes.some((prefix) => existsSync(join(prefix, validationManifest))),
    apt: 'vulkan-validationlayers',
    dnf: 'vulkan-validation-layers',
    pacman: 'vulkan-validation-layers',
    brew: 'vulkan-validationlayers',
  },
  { what: 'Chromium', present: () => command(...chromiumNames), apt: 'chromium', dnf: 'chromium', pacman: 'chromium', brew: '' },
  {
    what: 'patchelf',
    present: () => process.platform !== 'linux' || command('patchelf'),
    apt: 'patchelf',
    dnf: 'patchelf',
    pacman: 'patchelf',
    brew: '',
  },
];

/** For the packaged app on a screen in memory: where it is missing and cannot be installed, those tests are skipped. @type {Need[]} */
const desktopNeeds = [
  {
    what: 'a screen in memory (Xvfb)',
    present: () => command('Xvfb'),
    apt: 'xvfb',
    dnf: 'xorg-x11-server-Xvfb',
    pacman: 'xorg-server-xvfb',
    brew: '',
  },
  {
    what: 'an X server of several displays (Xorg)',
    present: () => command('Xorg'),
    apt: 'xserver-xorg-core',
    dnf: 'xorg-x11-server-Xorg',
    pacman: 'xorg-server',
    brew: '',
  },
  {
    what: 'its driver without a card (dummy)',
    present: () => ['/usr/lib', '/usr/lib64'].some((folder) => existsSync(join(folder, 'xorg/modules/drivers/dummy_drv.so'))),
    apt: 'xserver-xorg-video-dummy',
    dnf: 'xorg-x11-drv-dummy',
    pacman: 'xf86-video-dummy',
    brew: '',
  },
  { what: 'xrandr', present: () => command('xrandr'), apt: 'x11-xserver-utils', dnf: 'xrandr', pacman: 'xorg-xrandr', brew: '' },
  { what: 'a window manager (openbox)', present: () => command('openbox'), apt: 'openbox', dnf: 'openbox', pacman: 'openbox', brew: '' },
  { what: 'a panel (tint2)', present: () => command('tint2'), apt: 'tint2', dnf: 'tint2', pacman: 'tint2', brew: '' },
  { what: 'xdotool', present: () => command('xdotool'), apt: 'xdotool', dnf: 'xdotool', pacman: 'xdotool', brew: '' },
  { what: 'xsetroot', present: () => command('xsetroot'), apt: 'x11-xserver-utils', dnf: 'xsetroot', pacman: 'xorg-xsetroot', brew: '' },
  { what: 'unzip', present: () => command('unzip'), apt: 'unzip', dnf: 'unzip', pacman: 'unzip', brew: '' },
  { what: 'GTK', present: () => library('libgtk-3.so.0'), apt: 'libgtk-3-0', dnf: 'gtk3', pacman: 'gtk3', brew: '' },
  { what: 'NSS', present: () => library('libnss3.so'), apt: 'libnss3', dnf: 'nss', pacman: 'nss', brew: '' },
  { what: 'ALSA', present: () => library('libasound.so.2'), apt: 'libasound2', dnf: 'alsa-lib', pacman: 'alsa-lib', brew: '' },
  { what: 'GBM', present: () => library('libgbm.so.1'), apt: 'libgbm1', dnf: 'mesa-libgbm', pacman: 'mesa', brew: '' },
];

/**
 * The one command that installs what is missing, for the package managers that we know.
 * @param {Pick<Need, 'apt' | 'dnf' | 'pacman' | 'brew'>[]} missing
 * @param {(program: string) => boolean} has
 * @returns {string[] | undefined} without sudo
 */
export function installCommand(missing, has) {
  /** @param {'apt' | 'dnf' | 'pacman' | 'brew'} manager */
  const names = (manager) => [...new Set(missing.map((need) => need[manager]).filter((name) => name !== ''))];
  if (has('apt-get')) return ['apt-get', 'install', '-y', '--no-install-recommends', ...names('apt')];
  if (has('dnf')) return ['dnf', 'install', '-y', ...names('dnf')];
  if (has('pacman')) return ['pacman', '-S', '--needed', ...names('pacman')];
  if (has('brew')) return ['brew', 'install', ...names('brew')];
  return undefined;
}

/**
 * Installs what is missing where that needs no password (apt-get, as root or with such a sudo), and otherwise says how.
 * @param {{ forTests: boolean }} options
 */
export async function ensureSystemPackages({ forTests }) {
  await ensure([...buildNeeds, ...(forTests ? testNeeds : [])]);
}

/**
 * Why the packaged app cannot be put on a screen in memory; undefined once everything for it is there.
 * @returns {Promise<string | undefined>}
 */
export async function ensureDesktopPackages() {
  if (process.platform !== 'linux') return 'a screen in memory is an X server, on Linux';
  try {
    await ensure(desktopNeeds);
    return undefined;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return `${error.message} ${error.nextStep}`;
  }
}

/** @param {Need[]} needs */
async function ensure(needs) {
  const missing = needs.filter((need) => !need.present());
  if (missing.length === 0) return;

  const names = missing.map((need) => need.what).join(', ');
  const install = installCommand(missing, (program) => command(program));
  if (!install) throw new SetupError(`missing: ${names}.`, "Install these with the system's package manager and run again.");

  const asRoot = process.getuid?.() === 0 ? [] : (await capture('sudo', ['-n', 'true'])).code === 0 ? ['sudo', '-n', 'env'] : undefined;
  if (install[0] !== 'apt-get' || !asRoot) {
    throw new SetupError(`missing: ${names}.`, `Run:  ${install[0] === 'brew' ? '' : 'sudo '}${install.join(' ')}`);
  }

  say(`missing: ${names}; installing with apt-get ...`);
  for (const args of [
    ['apt-get', '-qq', 'update'],
    ['DEBIAN_FRONTEND=noninteractive', ...install],
  ]) {
    const [program = 'env', ...rest] = [...(asRoot.length > 0 ? asRoot : ['env']), ...args];
    const end = await follow(program, rest);
    if (end.code !== 0) throw new SetupError(`\`${args.join(' ')}\` failed (see above).`, `Run:  sudo ${install.join(' ')}`);
  }
  const still = missing.filter((need) => !need.present());
  if (still.length > 0)
    throw new SetupError(
      `still missing after installing: ${still.map((need) => need.what).join(', ')}.`,
      'Install these by hand and run again.',
    );
}
