import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freeBytesAbove, usableFolder } from './folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a folder is made and left empty; a path is cleaned', async () => {
  const path = join(folder, 'a', 'b');
  expect(await usableFolder(` ${folder}/a/./x/../b `)).toBe(path);
  expect(readdirSync(path)).toEqual([]);
  expect(await usableFolder('~')).toBe(homedir());
});

test.each(['', 'models', './models', '~other/models'])('%j is no full path', async (named) => {
  await expect(usableFolder(named)).rejects.toMatchObject({ code: 'usage' });
  expect(existsSync(join(process.cwd(), 'models'))).toBe(false);
});

test('where nothing can be written, in words', async () => {
  writeFileSync(join(folder, 'file'), '');
  await expect(usableFolder(join(folder, 'file', 'below'))).rejects.toMatchObject({ code: 'file_unwritable', message: expect.stringContaining(folder) as string });
  // Root may write anywhere.
  if (process.getuid?.() === 0) return;
  chmodSync(folder, 0o500);
  await expect(usableFolder(folder)).rejects.toMatchObject({ code: 'file_unwritable' });
  chmodSync(folder, 0o700);
});

test('free space is that of the disk that will hold it', async () => {
  expect(await freeBytesAbove(join(folder, 'not', 'there'))).toBeGreaterThan(0);
});
