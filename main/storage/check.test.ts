import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { databasePath } from './backups.ts';
import { examineFile } from './check.ts';
import { migrations } from './migrations/index.ts';
import { fillStore } from './test/fill.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-check-'));
  fillStore(join(folder, 'data'), 5, 10, 3);
  path = join(folder, 'copy.db');
  cpSync(databasePath(join(folder, 'data')), path);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a database that is too large for memory is examined where it lies, with the same finding', () => {
  const inMemory = examineFile(path, { migrations });
  expect(inMemory).toMatchObject({ state: 'sound', conversations: 5 });
  expect(examineFile(path, { migrations, largestInMemory: 4096 })).toEqual(inMemory);
  expect(examineFile(path, { migrations, largestInMemory: 4096, expected: '0000' })).toMatchObject({ state: 'changed' });
});

test('and with the same damage', () => {
  const bytes = readFileSync(path);
  bytes.fill(0x5a, statSync(path).size >> 1, (statSync(path).size >> 1) + 3 * 4096);
  writeFileSync(path, bytes);
  expect(examineFile(path, { migrations, largestInMemory: 4096 })).toMatchObject({ state: 'damaged' });
  expect(readFileSync(path).equals(bytes)).toBe(true);
});
