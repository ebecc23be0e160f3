import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { freeBytesAbove, usableFolder } from './folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-folder-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

test('a folder is made and left empty; a path is cleaned', async () => {
  const path = join(folder, 'a', 'b');
  expect(await usableFolder(` ${folder}/a/./x/../b `)).toBe(path);
  expect(readdirSync(path)).toEqual([]);
  expect(await usableFolder('~')).toBe(homedir());
});

test('what others left in a folder of theirs is not written through', async () => {
  const kept = join(folder, 'kept');
  const shared = join(folder, 'shared');
  writeFileSync(kept, 'text');
  await usableFolder(shared);
  symlinkSync(kept, join(shared, '.loupe-probe'));
  await usableFolder(shared);
  expect(readFileSync(kept, 'utf8')).toBe('text');
  expect(readdirSync(shared)).toEqual(['.loupe-probe']);
  // Nor does a name that somebody guesses help.
  const guessed = '00000000-0000-4000-8000-000000000000';
  const link = `.loupe-probe-${guessed}`;
  symlinkSync(kept, join(shared, link));
  vi.spyOn(crypto, 'randomUUID').mockReturnValue(guessed);
  await expect(usableFolder(shared)).rejects.toMatchObject({ code: 'file_unwritable' });
  expect(readFileSync(kept, 'utf8')).toBe('text');
  expect(readdirSync(shared)).toContain(link);
});

test.each(['', 'models', './models', '~other/models'])('%j is not a full path', async (named) => {
  await expect(usableFolder(named)).rejects.toMatchObject({ code: 'usage' });
  expect(existsSync(join(process.cwd(), 'models'))).toBe(false);
});

test('where nothing can be written, in words', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(usableFolder(join(folder, 'file', 'below'))).rejects.toMatchObject({
    code: 'file_unwritable',
    message: expect.stringContaining(folder) as string,
  });
  // Root may write anywhere.
  if (process.getuid?.() === 0) return;
  chmodSync(folder, 0o500);
  await expect(usableFolder(folder)).rejects.toMatchObject({ code: 'file_unwritable' });
  chmodSync(folder, 0o700);
});

test('free space is that of the disk that will hold it', async () => {
  expect(await freeBytesAbove(join(folder, 'not', 'there'))).toBeGreaterThan(0);
});
