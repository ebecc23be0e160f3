/** One Loupe has the data folder open, another reads it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../services/ports.ts';
import { databasePath } from './backups.ts';
import { openStore } from './store.ts';

let folder: string;
let owner: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-shared-'));
  owner = openStore(folder);
});
afterEach(() => {
  owner.close();
  rmSync(folder, { recursive: true });
});

const isLocked = (): Error => expect.objectContaining({ code: 'store_locked' }) as Error;

test('what is open elsewhere is read, with what was just written, and is not written to', () => {
  expect(() => openStore(folder)).toThrow(isLocked());
  const reader = openStore(folder, { shares: true });
  expect(reader.models.list()).toEqual([]);
  owner.models.add({ path: '/m', name: 'm', kind: 'text', bytes: 1 });
  expect(reader.models.list()).toMatchObject([{ path: '/m' }]);
  expect(() => reader.models.remove('/m')).toThrow(isLocked());
  expect(reader.settings()).toEqual(owner.settings());
  reader.close();
  // Its owner never noticed.
  owner.models.remove('/m');
  expect(owner.models.list()).toEqual([]);
  expect(owner.care.state()).toMatchObject({ access: 'writable', problem: null, damage: null });
});

test('when the other ends, what was shared can be written to', () => {
  const reader = openStore(folder, { shares: true });
  expect(() => reader.models.add({ path: '/m', name: 'm', kind: 'text', bytes: 1 })).toThrow(isLocked());
  owner.close();
  reader.models.add({ path: '/m', name: 'm', kind: 'text', bytes: 1 });
  expect(reader.models.list()).toHaveLength(1);
  reader.close();
  owner = openStore(folder);
  expect(owner.models.list()).toHaveLength(1);
});

test('a folder that nobody has open is opened as always', () => {
  owner.close();
  const first = openStore(folder, { shares: true });
  first.models.add({ path: '/m', name: 'm', kind: 'text', bytes: 1 });
  expect(() => openStore(folder)).toThrow(isLocked());
  first.close();
  owner = openStore(folder);
});

test('a database of another version is its owner’s to change', () => {
  const database = new Database(databasePath(folder));
  database.pragma('user_version = 1');
  expect(() => openStore(folder, { shares: true })).toThrow(isLocked());
  database.pragma('user_version = 9999');
  expect(() => openStore(folder, { shares: true })).toThrow(expect.objectContaining({ code: 'store_newer' }) as Error);
  database.close();
});
