import Database from 'better-sqlite3';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../services/ports.ts';
import { databasePath, listBackups } from './backups.ts';
import { createChecker } from './check-client.ts';
import { checkHere, type Checker } from './checker.ts';
import { inspectData } from './inspect.ts';
import { openStore } from './store.ts';
import { storedPath } from './test/stored-path.ts';

const day = 24 * 60 * 60 * 1000;
const begin = Date.UTC(2025, 0, 1);
let folder: string;
let now: number;
let store: Store;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-backups-'));
  now = begin;
  store = open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function open(checker: Checker = checkHere): Store {
  return openStore(folder, { clock: { now: () => now }, checker, tolerant: true });
}

function reopen(): void {
  store.close();
  store = open();
}

const sequences = () => listBackups(folder).map(({ sequence }) => sequence);

/** Between two openings. */
function spoil(path = databasePath(folder)): void {
  const bytes = readFileSync(path);
  for (let page = 3; page < 15; page++) bytes.fill(page * 7, page * 4096, page * 4096 + 4096);
  writeFileSync(path, bytes);
}

test('once a day in the background: the last three, and of the older ones every seventh, four of those', async () => {
  store.conversations.create('Kept');
  for (let days = 0; days < 45; days++) {
    await store.care.maintain();
    await store.care.maintain();
    now += day;
  }
  expect(sequences()).toEqual([45, 44, 43, 36, 29, 22, 15]);
  expect(listBackups(folder)[0]!.at).toBe(begin + 44 * day);
  const copy = new Database(listBackups(folder)[0]!.path);
  expect(copy.prepare('select title from conversations').pluck().all()).toEqual(['Kept']);
  copy.close();
});

test('a session of a minute is backed up when it ends, and no copy is left half made', async () => {
  store.conversations.create('Short');
  await store.care.finish(5000);
  expect(sequences()).toEqual([1]);
  reopen();
  now += day;
  // No time at all: the next start makes it.
  await store.care.finish(0);
  store.close();
  expect(sequences()).toEqual([1]);
  writeFileSync(join(folder, 'backups', 'loupe-new.db.part'), 'of a process that died');
  store = open();
  await store.care.maintain();
  expect(sequences()).toEqual([2, 1]);
  expect(readdirSync(join(folder, 'backups'))).toHaveLength(2);
});

test('a clock that jumps stops no backup, and the newest stays the one that is advised', async () => {
  const titles = ['in order', 'in 2099', 'back again', 'in 1971', 'at last'];
  for (const [index, time] of [begin, Date.UTC(2099, 0, 1), begin + day, Date.UTC(1971, 0, 1), begin + 2 * day].entries()) {
    now = time;
    store.conversations.create(titles[index]!);
    await store.care.maintain();
    // Not over and over, either.
    await store.care.maintain();
  }
  expect(sequences()).toEqual([5, 4, 3, 1]);
  expect((await store.care.backups()).map(({ conversations }) => conversations)).toEqual([5, 4, 3, 1]);
  store.close();
  truncateSync(databasePath(folder), 100);
  store = open();
  expect(store.care.state().problem!.nextStep).toContain(listBackups(folder)[0]!.path);
});

test('backups that an older version named are listed, kept as such, and come before all others', async () => {
  store.conversations.create('Old');
  await store.care.maintain();
  const folderOf = (name: string) => join(folder, 'backups', name);
  const old = ['loupe-20250301-000000000.db', 'loupe-20250302-000000000.db', 'loupe-20250228-000000000-version-3.db'];
  for (const name of old) copyFileSync(listBackups(folder)[0]!.path, folderOf(name));
  rmSync(listBackups(folder).find(({ sequence }) => sequence === 1)!.path);
  await store.care.maintain();
  expect((await store.care.backups()).map(({ name, reason, state }) => [name.slice(0, 14), reason, state])).toEqual([
    ['loupe-000001-2', 'daily', 'sound'],
    ['loupe-20250302', 'daily', 'sound'],
    ['loupe-20250301', 'daily', 'sound'],
    ['loupe-20250228', 'update', 'sound'],
  ]);
  expect(await store.care.restore(old[1]!)).toMatch(/^loupe-replaced-20250101-000000\.db$/);
  expect(store.conversations.list().map(({ title }) => title)).toEqual(['Old']);
});

test('restoring: what was there is kept aside, what is restored is what was backed up, and pictures stay', async () => {
  const { hash } = store.pictures.add({
    bytes: Buffer.from('picture'),
    name: 'a.png',
    width: 1,
    height: 1,
    origin: { kind: 'paste' },
    thumbnail: Buffer.from('t'),
    display: null,
  });
  store.conversations.create('Before');
  await store.care.maintain();
  store.conversations.create('After');
  const told: unknown[] = [];
  store.care.onChange((state) => told.push(state));
  const [backup] = await store.care.backups();
  expect(backup).toMatchObject({ at: begin, reason: 'daily', conversations: 1, state: 'sound' });
  const aside = await store.care.restore(backup!.name);
  expect(told.at(-1)).toMatchObject({ access: 'writable', damage: null, generation: 1 });
  expect(store.conversations.list().map(({ title }) => title)).toEqual(['Before']);
  expect(readFileSync(storedPath(store.pictures.original(hash)), 'utf8')).toBe('picture');
  const kept = new Database(join(folder, aside!));
  expect(kept.prepare('select title from conversations order by id').pluck().all()).toEqual(['Before', 'After']);
  kept.close();
  // Twice in a second, the names differ.
  expect(await store.care.restore(backup!.name)).toBe('loupe-replaced-20250101-000000-2.db');
  await expect(store.care.restore('../loupe.db')).rejects.toMatchObject({ code: 'not_found' });
});

test('a backup that is damaged itself is listed as such, and not restored', async () => {
  store.conversations.create('Kept');
  await store.care.maintain();
  const [backup] = listBackups(folder);
  const bytes = readFileSync(backup!.path);
  // Within a word: SQLite alone would not see it.
  bytes[bytes.indexOf('Kept')] = 0x4c;
  writeFileSync(backup!.path, bytes);
  expect(await store.care.backups()).toMatchObject([{ state: 'damaged' }]);
  await expect(store.care.restore(backup!.name)).rejects.toMatchObject({
    code: 'store_damaged',
    message: expect.stringContaining(backup!.name) as string,
  });
  expect(store.conversations.list()).toHaveLength(1);
});

test('a damaged database is said, costs no backup, and can be restored from a store that is open', async () => {
  for (let index = 0; index < 40; index++) store.conversations.create(`Conversation ${index} ${'x'.repeat(500)}`);
  await store.care.maintain();
  store.close();
  spoil();
  store = open();
  for (let days = 0; days < 5; days++) {
    await store.care.maintain();
    now += day;
  }
  expect(store.care.state().damage ?? store.care.state().problem).toMatchObject({ code: 'store_damaged' });
  expect(sequences()).toEqual([1]);
  reopen();
  await store.care.maintain();
  expect(store.care.state().damage ?? store.care.state().problem).toMatchObject({ code: 'store_damaged' });
  await store.care.restore(listBackups(folder)[0]!.name);
  expect(store.conversations.list()).toHaveLength(40);
  await store.care.maintain();
  expect(store.care.state()).toMatchObject({ access: 'writable', damage: null });
  expect(sequences()).toEqual([2, 1]);
});

test('a changed word is noticed at the next start, and can be accepted', async () => {
  store.conversations.create('The first title');
  reopen();
  await store.care.maintain();
  store.close();
  const bytes = readFileSync(databasePath(folder));
  bytes[bytes.indexOf('The first title')] = 0x74;
  writeFileSync(databasePath(folder), bytes);
  store = open();
  await store.care.maintain();
  expect(store.care.state().damage).toMatchObject({ code: 'store_damaged', message: expect.any(String) as string });
  store.close();
  // A sound one that somebody else wrote to.
  rmSync(databasePath(folder));
  copyFileSync(listBackups(folder)[0]!.path, databasePath(folder));
  const other = new Database(databasePath(folder));
  other.exec("update conversations set title = 'Changed elsewhere'");
  other.close();
  store = open();
  await store.care.maintain();
  expect(store.care.state().damage).toMatchObject({ usable: true, message: expect.stringContaining('while Loupe was closed') as string });
  expect(store.care.accept()).toMatchObject({ damage: null });
  reopen();
  await store.care.maintain();
  expect(store.care.state().damage).toBe(null);
  expect(store.conversations.list().map(({ title }) => title)).toEqual(['Changed elsewhere']);
});

test('a backup that somebody put in place by hand is no damage', async () => {
  store.conversations.create('Kept');
  await store.care.maintain();
  store.conversations.create('Later');
  store.close();
  copyFileSync(listBackups(folder)[0]!.path, databasePath(folder));
  store = open();
  await store.care.maintain();
  expect(store.care.state()).toMatchObject({ access: 'writable', damage: null });
  expect(store.conversations.list()).toHaveLength(1);
});

const empty = (): void => truncateSync(databasePath(folder));
const missing = (): void => rmSync(databasePath(folder));
const picture = (): void =>
  void store.pictures.add({
    bytes: Buffer.from('picture'),
    name: 'a.png',
    width: 1,
    height: 1,
    origin: { kind: 'paste' },
    thumbnail: Buffer.from('t'),
    display: null,
  });
const document = async (): Promise<void> => {
  const incoming = await store.documentFiles.receive();
  await incoming.append(Buffer.from('document'));
  (await incoming.finish()).keep();
};

test.each<[string, string, () => void, () => void | Promise<void>]>([
  ['an empty file', 'pictures', empty, picture],
  ['a missing file', 'pictures', missing, picture],
  ['an empty file', 'documents', empty, document],
  ['a missing file', 'documents', missing, document],
])('%s beside %s does not start over by itself', async (_, beside, harm, add) => {
  await add();
  store.close();
  harm();
  const size = () => (existsSync(databasePath(folder)) ? readFileSync(databasePath(folder)).length : null);
  const before = size();
  store = open();
  expect(store.care.state()).toMatchObject({
    access: 'closed',
    problem: {
      code: 'store_damaged',
      message: expect.stringContaining(beside) as string,
      nextStep: expect.stringContaining('start over') as string,
    },
  });
  expect(() => store.conversations.list()).toThrow(expect.objectContaining({ code: 'store_damaged' }) as Error);
  expect(() => store.saveSettings({ theme: 'dark' })).toThrow(expect.objectContaining({ code: 'store_damaged' }) as Error);
  // What every window needs to be drawn.
  expect(store.settings().theme).toBe('system');
  expect(size()).toBe(before);
  store.care.startAnew();
  expect(store.conversations.list()).toEqual([]);
  expect(() => store.care.startAnew()).toThrow(expect.objectContaining({ code: 'store_failed' }) as Error);
  reopen();
  expect(store.care.state().access).toBe('writable');
});

test('a folder with nothing in it begins without a question', () => {
  store.close();
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  // What a first start leaves that died before its first page.
  writeFileSync(databasePath(folder), '');
  store = open();
  expect(store.care.state().access).toBe('writable');
});

test('the process that checks says what the same code says here, and ends afterwards', { timeout: 60_000 }, async () => {
  store.conversations.create('Kept');
  store.close();
  const request = { path: databasePath(folder), expected: null, fresh: false, key: null };
  const checker = createChecker();
  const sound = await checker.check(request);
  expect(sound).toEqual(await checkHere.check(request));
  expect(sound).toMatchObject({ state: 'sound', conversations: 1 });
  // It is started anew.
  expect(await checker.check({ ...request, expected: '0000' })).toMatchObject({ state: 'changed' });
  checker.close();
  await expect(checker.check(request)).rejects.toThrow('closed');
  store = open(createChecker());
  await store.care.maintain();
  expect(sequences()).toEqual([1]);
});

test('what doctor says', async () => {
  store.conversations.create('Kept');
  await store.care.maintain();
  expect(inspectData(folder)).toMatchObject({ state: 'used', problem: null });
  store.close();
  expect(inspectData(folder)).toEqual({ directory: folder, state: 'sound', conversations: 1, backups: 1, problem: null });
  const bytes = readFileSync(databasePath(folder));
  spoil();
  expect(inspectData(folder)).toMatchObject({ state: 'wrong', problem: { code: 'store_damaged' } });
  writeFileSync(databasePath(folder), bytes);
  rmSync(join(folder, 'backups'), { recursive: true });
  rmSync(databasePath(folder));
  expect(inspectData(folder)).toMatchObject({ state: 'none' });
  writeFileSync(databasePath(folder), bytes);
  store = open();
});
