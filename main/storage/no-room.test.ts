/** A disk that is full, or cannot be written to, when Loupe starts and while it runs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import type { LoupeError } from '../errors.ts';
import type { Store } from '../services/ports.ts';
import { databasePath, listBackups } from './backups.ts';
import { applicationId } from './check.ts';
import { checkHere } from './checker.ts';
import { migrations } from './migrations/index.ts';
import { openStore } from './store.ts';
import { storedPath } from './test/stored-path.ts';

const mebibyte = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'loupe-no-room-'));
const mount = (...args: string[]): boolean => spawnSync('mount', [...args, folder]).status === 0;
const mounted = mount('-t', 'tmpfs', '-o', 'size=24m', 'tmpfs');
if (mounted) spawnSync('umount', [folder]);
else console.warn('SKIPPED: full and read-only disks. They need the right to mount a small file system (root on Linux).');

const data = join(folder, 'data');
const ballast = join(folder, 'ballast');
let now = Date.UTC(2025, 0, 1);
let store: Store;

beforeEach(() => {
  if (mounted) mount('-t', 'tmpfs', '-o', 'size=24m', 'tmpfs');
});
afterEach(() => {
  if (!mounted) return;
  store.close();
  spawnSync('umount', [folder]);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const open = (): Store => openStore(data, { clock: { now: () => now }, checker: checkHere, tolerant: true });

/** Conversations with a picture each; the last answer is being written when everything ends. */
async function fill(): Promise<void> {
  store = open();
  for (let index = 0; index < 3; index++) {
    const { id } = store.conversations.create(`Conversation ${index}`);
    const { hash } = store.pictures.add({
      bytes: Buffer.alloc(mebibyte, index),
      name: 'a.png',
      width: 1,
      height: 1,
      origin: { kind: 'paste' },
      thumbnail: Buffer.from('t'),
      display: null,
    });
    store.conversations.append({
      conversationId: id,
      parentId: null,
      role: 'user',
      text: `A question about lenses ${index}`,
      pictures: [hash],
      state: 'complete',
      model: null,
    });
  }
  store.conversations.append({
    conversationId: 1,
    parentId: 1,
    role: 'assistant',
    text: 'So far',
    pictures: [],
    state: 'streaming',
    model: null,
  });
  await store.care.maintain();
}

/** To the last byte. */
function fillDisk(): void {
  const piece = Buffer.alloc(4096, 'x');
  try {
    for (;;) writeFileSync(ballast, piece, { flag: 'a' });
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  }
}

function failure(action: () => unknown): LoupeError {
  try {
    action();
  } catch (error) {
    return error as LoupeError;
  }
  throw new Error('It did not fail.');
}

const append = (conversationId = 1) =>
  store.conversations.append({ conversationId, parentId: null, role: 'user', text: 'New', pictures: [], state: 'complete', model: null });

/** Everything that reads. */
function expectReadable(): void {
  expect(
    store.conversations
      .list()
      .map(({ title }) => title)
      .sort(),
  ).toEqual(['Conversation 0', 'Conversation 1', 'Conversation 2']);
  expect(store.conversations.open(1).messages.map(({ text }) => text)).toEqual(['A question about lenses 0', 'So far']);
  expect(store.conversations.search('lens', 10)).toHaveLength(3);
  const [picture] = store.conversations.open(2).messages[0]!.pictures;
  expect(readFileSync(storedPath(store.pictures.original(picture!.hash)))).toHaveLength(mebibyte);
  expect(store.settings().theme).toBe('system');
}

/** Everything that would write says why not, in one sentence with a next step. */
function expectRefused(code: string): void {
  for (const write of [
    () => append(),
    () => store.conversations.create('New'),
    () => store.conversations.rename(1, 'New'),
    () => store.conversations.saveDraft(1, 'New', []),
    () => store.saveSettings({ theme: 'dark' }),
    () => store.models.add({ path: '/m', name: 'm', kind: 'text', bytes: 1 }),
    () =>
      store.pictures.add({
        bytes: Buffer.alloc(100),
        name: 'b.png',
        width: 1,
        height: 1,
        origin: { kind: 'paste' },
        thumbnail: Buffer.from('t'),
        display: null,
      }),
  ]) {
    const error = failure(write);
    expect(error).toMatchObject({ code, message: expect.stringMatching(/so nothing new can be kept\.$/) as string });
    expect(error.nextStep).not.toBe('');
  }
}

test.skipIf(!mounted)('a full disk at the start: read, search, export, delete; writable again when there is room', async () => {
  await fill();
  store.close();
  fillDisk();
  store = open();
  expect(store.care.state()).toMatchObject({
    access: 'full',
    problem: { code: 'store_full', message: expect.stringContaining(data) as string },
  });
  expectReadable();
  expectRefused('store_full');
  expect(store.conversations.markInterrupted()).toBe(1);
  expect(store.conversations.message(4).state).toBe('interrupted');

  // Deleting writes, and there is room kept for that; undoing it, too.
  store.conversations.delete(3);
  store.conversations.restore(3);
  store.conversations.delete(2);
  const free = () => statfsSync(folder).bavail * statfsSync(folder).bsize;
  const before = free();
  now += 2 * 60 * 60 * 1000;
  expect(store.care.emptyBin()).toBeGreaterThan(0);
  expect(free() + statSync(join(data, 'loupe.reserve')).size).toBeGreaterThan(before + mebibyte / 2);

  rmSync(ballast);
  expect(store.care.retry()).toMatchObject({ access: 'writable', problem: null });
  append();
  await store.care.maintain();
  expect(statSync(join(data, 'loupe.reserve')).size).toBe(4 * mebibyte);
  store.close();
  store = open();
  expect(
    store.conversations
      .list()
      .map(({ id }) => id)
      .sort(),
  ).toEqual([1, 3]);
  expect(store.conversations.open(1).messages).toHaveLength(3);
});

test.skipIf(!mounted)('a kill on a full disk: what was in the log is read, with no room for its index', async () => {
  await fill();
  append(3);
  fillDisk();
  // As it lies there when the process dies: the log beside the database, and no index.
  const copy = [databasePath(data), `${databasePath(data)}-wal`].map((path) => [path, readFileSync(path)] as const);
  expect(copy[1]![1].length).toBeGreaterThan(0);
  store.close();
  for (const [path, bytes] of copy) {
    rmSync(path, { force: true });
    rmSync(ballast, { force: true });
    writeFileSync(path, bytes);
  }
  fillDisk();
  store = open();
  expect(store.care.state().access).toBe('full');
  expect(store.conversations.open(3).messages.map(({ text }) => text)).toEqual(['A question about lenses 2', 'New']);
  store.conversations.delete(1);
  expect(
    store.conversations
      .list()
      .map(({ id }) => id)
      .sort(),
  ).toEqual([2, 3]);
});

test.skipIf(!mounted)('a disk that fills up while it is used, and a picture for which there is no room', async () => {
  await fill();
  const states: string[] = [];
  store.care.onChange(({ access }) => states.push(access));
  fillDisk();
  const large = () =>
    store.pictures.add({
      bytes: Buffer.alloc(mebibyte, 9),
      name: 'b.png',
      width: 1,
      height: 1,
      origin: { kind: 'paste' },
      thumbnail: Buffer.from('t'),
      display: null,
    });
  expect(failure(large)).toMatchObject({ code: 'store_full' });
  expect(states).toEqual(['full']);
  expect(readdirSync(join(data, 'pictures', 'incoming'))).toEqual([]);
  expectReadable();
  rmSync(ballast);
  // The next call looks by itself.
  large();
  expect(states).toEqual(['full', 'writable']);
});

test.skipIf(!mounted)('a disk without room for a backup: none is begun, none is lost, and quitting does not fail', async () => {
  await fill();
  const backups = listBackups(data).map(({ name }) => name);
  expect(backups).toHaveLength(1);
  now += 2 * 24 * 60 * 60 * 1000;
  fillDisk();
  await store.care.maintain();
  await store.care.finish(1000);
  store.close();
  expect(readdirSync(join(data, 'backups'))).toEqual(backups);
  rmSync(ballast);
  store = open();
  await store.care.maintain();
  expect(listBackups(data)).toHaveLength(2);
});

/** Puts a database in the place of `path` that an older version of Loupe would have made of the same conversations. */
function asVersion(version: number, path: string): void {
  const older = new Database(`${path}.older`);
  older.pragma('auto_vacuum = incremental');
  older.pragma('journal_mode = wal');
  older.pragma('foreign_keys = off');
  for (const migration of migrations) if (migration.version <= version) migration.up(older);
  older.pragma(`user_version = ${version}`);
  older.pragma(`application_id = ${applicationId}`);
  older.prepare('attach ? as newer').run(path);
  const names = (sql: string, ...values: string[]): string[] =>
    older
      .prepare<string[], string>(sql)
      .pluck()
      .all(...values);
  // What is searched follows the tables by triggers.
  for (const table of names("select name from pragma_table_list where schema = 'main' and type = 'table' and name not like 'sqlite_%'")) {
    const columns = names('select name from pragma_table_info(?)', table).join(', ');
    older.exec(`insert into main.${table} (${columns}) select ${columns} from newer.${table}`);
  }
  older.close();
  renameSync(`${path}.older`, path);
}

test.skipIf(!mounted)(
  'a new version on a full disk: what is kept is read as it would be after the change, and changed once there is room',
  async () => {
    await fill();
    store.close();
    asVersion(3, databasePath(data));
    rmSync(join(data, 'loupe.db.sha256'));
    const before = readFileSync(databasePath(data));
    fillDisk();
    store = open();
    expect(store.care.state().access).toBe('full');
    expectReadable();
    expectRefused('store_full');
    expect(failure(() => store.conversations.delete(1))).toMatchObject({ code: 'store_full' });
    expect(readFileSync(databasePath(data)).equals(before)).toBe(true);
    rmSync(ballast);
    expect(store.care.retry().access).toBe('writable');
    append();
    expect(listBackups(data).some((backup) => backup.before === 3)).toBe(true);
  },
);

test.skipIf(!mounted)('a read-only disk at the start, and the same disk writable again', async () => {
  await fill();
  store.close();
  const before = readdirSync(data).map((name) => [name, statSync(join(data, name)).mtimeMs]);
  expect(mount('-o', 'remount,ro')).toBe(true);
  store = open();
  expect(store.care.state()).toMatchObject({
    access: 'readOnly',
    problem: { code: 'store_read_only', message: expect.stringContaining(data) as string },
  });
  expectReadable();
  // Nobody writes it any more.
  expect(store.conversations.message(4).state).toBe('interrupted');
  expectRefused('store_read_only');
  expect(failure(() => store.conversations.delete(1))).toMatchObject({ code: 'store_read_only' });
  expect(failure(() => store.sweep())).toMatchObject({ code: 'store_read_only' });
  await expect(store.care.restore(listBackups(data)[0]!.name)).rejects.toMatchObject({ code: 'store_read_only' });
  expect(await store.care.backups()).toMatchObject([{ state: 'sound' }]);
  await store.care.maintain();
  expect(store.care.state().damage).toBe(null);
  expect(readdirSync(data).map((name) => [name, statSync(join(data, name)).mtimeMs])).toEqual(before);

  expect(mount('-o', 'remount,rw')).toBe(true);
  append();
  expect(store.care.state()).toMatchObject({ access: 'writable', problem: null, generation: 0 });
  store.close();
  store = open();
  expect(store.conversations.open(1).messages).toHaveLength(3);
});

test.skipIf(!mounted)('a read-only disk after a kill: what was in the log is there', async () => {
  await fill();
  append(3);
  const copy = ['', '-wal'].map((end) => [`${databasePath(data)}${end}`, readFileSync(`${databasePath(data)}${end}`)] as const);
  store.close();
  for (const [path, bytes] of copy) writeFileSync(path, bytes);
  expect(mount('-o', 'remount,ro')).toBe(true);
  const temporary = readdirSync(tmpdir()).filter((name) => /^loupe-\w{6}$/.test(name));
  store = open();
  expect(store.conversations.open(3).messages.map(({ text }) => text)).toEqual(['A question about lenses 2', 'New']);
  // The copy that it was read from is gone.
  expect(readdirSync(tmpdir()).filter((name) => /^loupe-\w{6}$/.test(name) && !temporary.includes(name))).toEqual([]);
  mount('-o', 'remount,rw');
});

test.skipIf(!mounted)('a disk that becomes read-only while it is used, as a failing one does', async () => {
  await fill();
  expect(mount('--bind', folder)).toBe(true);
  expect(mount('-o', 'remount,bind,ro')).toBe(true);
  expect(store.care.retry()).toMatchObject({ access: 'readOnly', problem: { code: 'store_read_only' } });
  expectReadable();
  expectRefused('store_read_only');
  spawnSync('umount', [folder]);
  append();
  expect(store.care.state().access).toBe('writable');
});

test.skipIf(!mounted)('nothing to read on a read-only disk: that is said', () => {
  expect(mount('-o', 'remount,ro')).toBe(true);
  expect(failure(() => open())).toMatchObject({ code: 'store_read_only', message: expect.stringContaining(data) as string });
  mount('-o', 'remount,rw');
  store = open();
});
