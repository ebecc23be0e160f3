import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type * as Files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LoupeError } from '../../errors.ts';
import { filesAt } from './folder.ts';

/** Folders of a drive that is being pulled out. */
const { pulled } = vi.hoisted(() => ({ pulled: new Set<string>() }));
vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof Files>();
  const readdir = async (path: string, options: { withFileTypes: true }): Promise<unknown> => {
    if (pulled.has(path)) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    return actual.readdir(path, options);
  };
  return { ...actual, readdir };
});

let folder: string;
let unread: string[];
const onUnread = (path: string, { message }: LoupeError): void => void unread.push(`${path}: ${message}`);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-folder-'));
  unread = [];
});
afterEach(() => {
  pulled.clear();
  rmSync(folder, { recursive: true });
});

test('a folder gives its files in the order of their names, without hidden ones and links to folders', async () => {
  const base = join(folder, 'scans');
  mkdirSync(join(base, 'more'), { recursive: true });
  for (const name of ['page 10.png', 'page 2.png', '.hidden', join('more', 'a.pdf')]) writeFileSync(join(base, name), 'x');
  const all = ['more/a.pdf', 'page 2.png', 'page 10.png'].map((name) => join(base, name));
  expect(await filesAt(base, onUnread)).toEqual(all);
  expect(await filesAt(join(base, 'page 2.png'), onUnread)).toEqual([join(base, 'page 2.png')]);
  expect(await filesAt(join(folder, 'gone'), onUnread)).toEqual([join(folder, 'gone')]);
  // A link to a folder may lead in a circle.
  symlinkSync(base, join(base, 'loop'));
  symlinkSync(join(base, 'page 2.png'), join(base, 'page 11.png'));
  expect(await filesAt(base, onUnread)).toEqual([...all, join(base, 'page 11.png')]);
  expect(unread).toEqual([]);
});

test('a folder in it that cannot be read is named, and costs none of the others', async () => {
  const base = join(folder, 'scans');
  for (const name of ['a', 'b', 'c']) mkdirSync(join(base, name), { recursive: true });
  for (const name of ['a/1.png', 'b/2.png', 'c/3.png']) writeFileSync(join(base, name), 'x');
  const gone = join(base, 'b');
  pulled.add(gone);
  expect(await filesAt(base, onUnread)).toEqual(['a/1.png', 'c/3.png'].map((name) => join(base, name)));
  expect(unread).toEqual([`${gone}: The folder ${gone} cannot be read (EIO).`]);
  pulled.add(base);
  expect(await filesAt(base, onUnread)).toEqual([]);
});

test('one that is empty or too full is named', async () => {
  const base = join(folder, 'many');
  mkdirSync(base);
  await expect(filesAt(base, onUnread)).rejects.toThrow(`The folder ${base} has no files in it.`);
  for (let count = 0; count <= 2000; count++) writeFileSync(join(base, `${count}`), '');
  await expect(filesAt(base, onUnread)).rejects.toThrow('The folder many has more than 2,000 files.');
});
