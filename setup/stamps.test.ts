import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeFile, fingerprint, isCurrent, listFiles, removeStamp, writeStamp } from './stamps.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-stamps-'));
  mkdirSync(join(folder, 'native', 'src'), { recursive: true });
  writeFileSync(join(folder, 'native', 'src', 'a.cpp'), 'int a;');
  writeFileSync(join(folder, 'native', 'b.h'), 'int b;');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const print = () => fingerprint(listFiles(folder, ['native', 'shaders']));

test('names every file below the folders, whatever the order of the folder entries', () => {
  const paths = listFiles(folder, ['shaders', 'native']).map((line) => line.split(' ')[0]);
  expect(paths).toEqual(['native/b.h', 'native/src/a.cpp']);
});

const changes: [string, () => void][] = [
  ['a size', () => writeFileSync(join(folder, 'native', 'b.h'), 'int bb;')],
  ['a time', () => utimesSync(join(folder, 'native', 'b.h'), 1, 1)],
  ['a name', () => renameSync(join(folder, 'native', 'b.h'), join(folder, 'native', 'c.h'))],
  ['a removal', () => rmSync(join(folder, 'native', 'b.h'))],
  [
    'a new file in a folder that was missing',
    () => {
      mkdirSync(join(folder, 'shaders'));
      writeFileSync(join(folder, 'shaders', 'x.comp'), '');
    },
  ],
];

test.each(changes)('the fingerprint notices %s', (_, change) => {
  const before = print();
  expect(print()).toBe(before);
  change();
  expect(print()).not.toBe(before);
});

test('a missing file has a line of its own', () => {
  expect(describeFile(folder, 'nothing.json')).toBe('nothing.json missing');
});

test('a stamp holds for its own fingerprint and until it is removed', () => {
  const stamp = join(folder, 'build', 'stamp');
  expect(isCurrent(stamp, 'one')).toBe(false);
  writeStamp(stamp, 'one');
  expect(isCurrent(stamp, 'one')).toBe(true);
  expect(isCurrent(stamp, 'two')).toBe(false);
  removeStamp(stamp);
  expect(isCurrent(stamp, 'one')).toBe(false);
});
