import Database from 'better-sqlite3';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LoupeError, type ErrorCode } from '../errors.ts';
import { openDatabase } from './database.ts';
import { storeError } from './errors.ts';
import { migrations } from './migrations/index.ts';
import type { Migration } from './migrations/migration.ts';
import { openStore } from './store.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-database-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const newest = migrations.at(-1)!.version;
const second: Migration = {
  version: newest + 1,
  name: 'second',
  up: (database) => void database.exec('alter table models add column note text'),
};
const third: Migration = {
  version: newest + 2,
  name: 'third',
  up: (database) => void database.exec("insert into models (path, name, kind, added_at, note) values ('/b', 'b', 'text', 0, 'n')"),
};

function failure(action: () => unknown): LoupeError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(LoupeError);
    return error as LoupeError;
  }
  throw new Error('It did not fail.');
}

function fill(): void {
  const store = openStore(folder, { clock: { now: () => 1000 } });
  store.models.add({ path: '/a', name: 'a', kind: 'vision', bytes: 1 });
  store.conversations.create('Kept');
  store.close();
}

function titles(): string[] {
  const store = openStore(folder);
  const found = store.conversations.list().map(({ title }) => title);
  store.close();
  return found;
}

/** With the log in it, so that files can be compared. */
function bytes(): Buffer {
  return readFileSync(join(folder, 'loupe.db'));
}

test('migrations are numbered without gaps', () => {
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1));
});

test('a new database is set up as it must be', () => {
  const database = openDatabase(folder, migrations, 0);
  const pragma = (name: string) => database.pragma(name, { simple: true });
  expect(['journal_mode', 'synchronous', 'foreign_keys', 'auto_vacuum', 'user_version'].map(pragma)).toEqual(['wal', 2, 1, 2, newest]);
  database.close();
  expect(existsSync(join(folder, 'backups'))).toBe(false);
});

test('a migration is preceded by a backup that can be put in its place', () => {
  fill();
  const database = openDatabase(folder, [...migrations, second, third], Date.UTC(2025, 0, 2, 3, 4, 5, 6));
  expect(database.prepare('select path, note from models order by path').all()).toEqual([
    { path: '/a', note: null },
    { path: '/b', note: 'n' },
  ]);
  expect(database.pragma('user_version', { simple: true })).toBe(third.version);
  expect(database.pragma('foreign_keys', { simple: true })).toBe(1);
  database.close();
  const [name, ...others] = readdirSync(join(folder, 'backups')) as [string, ...string[]];
  expect([name.replace(/-[0-9a-f]{16}\.db$/, ''), others]).toEqual([`loupe-000001-20250102-030405006-version-${newest}`, []]);

  expect(failure(() => openStore(folder))).toMatchObject({ code: 'store_newer' });
  copyFileSync(join(folder, 'backups', name), join(folder, 'loupe.db'));
  expect(titles()).toEqual(['Kept']);
});

test('the last three backups are kept', () => {
  fill();
  for (let step = 0; step < 5; step++) {
    const database = openDatabase(folder, [...migrations, second], step * 1000);
    database.pragma(`user_version = ${newest}`);
    database.exec('alter table models drop column note');
    database.close();
  }
  expect(readdirSync(join(folder, 'backups')).map((name) => name.slice(6, 12))).toEqual(['000003', '000004', '000005']);
});

test('a migration that fails leaves the database as it was', () => {
  fill();
  const before = bytes();
  const wrong: Migration = {
    version: third.version,
    name: 'wrong',
    up: (database) => void database.exec('insert into nowhere values (1)'),
  };
  const error = failure(() => openDatabase(folder, [...migrations, second, wrong], 0));
  expect(error).toMatchObject({ code: 'store_failed' });
  expect(error.message).toMatch(/version \d+ \(wrong\): no such table: nowhere\. It is as it was before\./);
  expect(bytes().equals(before)).toBe(true);
  expect(titles()).toEqual(['Kept']);
});

test('a migration that leaves a reference to nothing is refused', () => {
  fill();
  const wrong: Migration = {
    version: newest + 1,
    name: 'wrong',
    up: (database) =>
      void database.exec("insert into messages (conversation_id, role, text, state, created_at) values (99, 'user', '', 'complete', 0)"),
  };
  expect(failure(() => openDatabase(folder, [...migrations, wrong], 0)).message).toContain('a row of "messages" refers to nothing');
  expect(titles()).toEqual(['Kept']);
});

test('a newer database is left alone', () => {
  fill();
  const raw = new Database(join(folder, 'loupe.db'));
  raw.pragma('user_version = 99');
  raw.close();
  const before = bytes();
  const error = failure(() => openStore(folder));
  expect(error).toMatchObject({ code: 'store_newer' });
  expect(error.message).toContain('version 99');
  expect(bytes().equals(before)).toBe(true);
});

test.each([
  [
    'an overwritten header',
    () => {
      writeFileSync(join(folder, 'loupe.db'), Buffer.alloc(8192, 'x'));
    },
  ],
  [
    'an empty file where backups are',
    () => {
      openDatabase(folder, [...migrations, second], 0).close();
      truncateSync(join(folder, 'loupe.db'));
    },
  ],
  [
    'a missing file whose log is there',
    () => {
      rmSync(join(folder, 'loupe.db'));
      writeFileSync(join(folder, 'loupe.db-wal'), 'log');
    },
  ],
  [
    'a database of another program',
    () => {
      rmSync(join(folder, 'loupe.db'));
      const other = new Database(join(folder, 'loupe.db'));
      other.exec('create table bookmarks (url text)');
      other.close();
    },
  ],
  [
    'an overwritten schema',
    () => {
      const file = bytes();
      file.fill(0x7f, 100, 4096);
      writeFileSync(join(folder, 'loupe.db'), file);
    },
  ],
])('%s is damage, and nothing is changed', (_, damage) => {
  fill();
  damage();
  const files = () =>
    readdirSync(folder)
      .filter((name) => /^loupe\.db(-wal)?$/.test(name))
      .map((name) => [name, readFileSync(join(folder, name)).toString('base64')]);
  const before = files();
  const error = failure(() => openStore(folder));
  expect(error).toMatchObject({ code: 'store_damaged' });
  expect(error.message).toMatch(/Nothing was deleted\.$/);
  expect(files()).toEqual(before);
});

test('a damaged page is found before a migration, and while reading', () => {
  fill();
  const raw = new Database(join(folder, 'loupe.db'));
  const root = raw.prepare("select rootpage from sqlite_schema where name = 'conversations'").pluck().get() as number;
  raw.close();
  const file = bytes();
  file.fill(0x7f, (root - 1) * 4096, root * 4096);
  writeFileSync(join(folder, 'loupe.db'), file);
  expect(failure(() => openDatabase(folder, [...migrations, second], 0))).toMatchObject({ code: 'store_damaged' });
  expect(bytes().equals(file)).toBe(true);

  mkdirSync(join(folder, 'backups'));
  writeFileSync(join(folder, 'backups', 'loupe-20250102-030405006.db'), '');
  const store = openStore(folder);
  const error = failure(() => store.conversations.list());
  store.close();
  expect(error).toMatchObject({ code: 'store_damaged' });
  expect(error.nextStep).toContain('loupe-20250102-030405006.db');
});

test('what SQLite and the system throw has a code of ours', () => {
  const code = (thrown: unknown) => (storeError('/data', thrown) as { code?: ErrorCode }).code;
  const sqlite = (name: string) => new Database.SqliteError('words', name);
  expect(code(sqlite('SQLITE_FULL'))).toBe('store_full');
  expect(code(Object.assign(new Error('x'), { code: 'ENOSPC', syscall: 'write' }))).toBe('store_full');
  expect(code(sqlite('SQLITE_CORRUPT_INDEX'))).toBe('store_damaged');
  expect(code(sqlite('SQLITE_BUSY_SNAPSHOT'))).toBe('store_locked');
  expect(code(sqlite('SQLITE_READONLY'))).toBe('store_read_only');
  expect(code(Object.assign(new Error('x'), { code: 'EACCES', syscall: 'open' }))).toBe('store_failed');
  const fault = new TypeError('fault');
  expect(storeError('/data', fault)).toBe(fault);
});

test('a folder that cannot be made is named', () => {
  writeFileSync(join(folder, 'file'), '');
  const error = failure(() => openStore(join(folder, 'file', 'data')));
  expect(error).toMatchObject({ code: 'store_failed' });
  expect(error.message).toContain(join(folder, 'file', 'data'));
});
