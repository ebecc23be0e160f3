import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../services/ports.ts';
import { databasePath } from './backups.ts';
import { checkHere } from './checker.ts';
import { pictureFiles } from './picture-shelf.ts';
import { databasesAside } from './replace.ts';
import { openStore } from './store.ts';

const day = 24 * 60 * 60 * 1000;
let folder: string;
let now: number;
let store: Store;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-strays-'));
  now = Date.UTC(2026, 0, 1);
  open();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function open(): void {
  store = openStore(folder, { clock: { now: () => now }, tolerant: true });
}

function reopen(): void {
  store.close();
  open();
}

/** Sweeps once a day. */
function pass(days: number): void {
  for (let count = 0; count < days; count++) {
    now += day;
    store.sweep();
  }
}

/** Returns its path. */
async function addDocument(content: string): Promise<string> {
  const source = `${folder}.pdf`;
  writeFileSync(source, content);
  const { hash, bytes, keep } = await store.documentFiles.bring(source);
  rmSync(source);
  store.documents.add({ hash, kind: 'pdf', name: `${content}.pdf`, bytes, pageCount: 1, from: 1, to: 1 });
  keep();
  return store.documentFiles.path(hash);
}

/** Of one that a conversation shows. Returns the paths of its files. */
function addPicture(content: string): string[] {
  const [bytes, thumbnail, display] = [content, `${content} small`, `${content} shown`].map((text) => Buffer.from(text));
  const facts = { name: 'a.png', width: 1, height: 1, origin: { kind: 'paste' as const } };
  const { hash } = store.pictures.add({ ...facts, bytes: bytes!, thumbnail: thumbnail!, display: display! });
  store.conversations.saveDraft(null, '', [hash]);
  return Object.values(pictureFiles(folder, hash));
}

const removeAside = (): void => databasesAside(folder).forEach((name) => rmSync(join(folder, name)));

/** Files of a picture and a document that were added after the backup that stands in their database's place. */
async function restoreOlder(): Promise<{ known: string[]; unknown: string[]; aside: string }> {
  const known = [await addDocument('before'), ...addPicture('before')];
  store.close();
  // Another checker than at the usual opening: a backup is made of a database that was found to be sound.
  store = openStore(folder, { clock: { now: () => now }, checker: checkHere, tolerant: true });
  await store.care.maintain();
  const unknown = [await addDocument('after'), ...addPicture('after')];
  const [backup] = await store.care.backups();
  const aside = await store.care.restore(backup!.name);
  return { known, unknown, aside: aside! };
}

const there = (paths: string[]): boolean[] => paths.map((path) => existsSync(path));
const all = [true, true, true, true];
const none = [false, false, false, false];

test('files that only a database kept aside knows stay with it, and go 30 days after it', async () => {
  const { known, unknown } = await restoreOlder();
  pass(100);
  expect(there(unknown)).toEqual(all);
  removeAside();
  pass(29);
  expect(there(unknown)).toEqual(all);
  pass(1);
  expect([there(unknown), there(known)]).toEqual([none, all]);
  expect(existsSync(join(folder, 'loupe.strays'))).toBe(false);
});

test('days in which a database knew them do not count, whichever database comes after it', async () => {
  const { unknown, aside } = await restoreOlder();
  const elsewhere = `${folder}.aside.db`;
  renameSync(join(folder, aside), elsewhere);
  pass(29);
  // Somebody puts back what was kept aside, and later what had taken its place.
  store.close();
  renameSync(databasePath(folder), `${folder}.restored.db`);
  renameSync(elsewhere, databasePath(folder));
  rmSync(join(folder, 'loupe.db.sha256'));
  open();
  pass(3);
  store.close();
  rmSync(databasePath(folder));
  renameSync(`${folder}.restored.db`, databasePath(folder));
  rmSync(join(folder, 'loupe.db.sha256'));
  open();
  pass(30);
  expect(there(unknown)).toEqual(all);
  pass(1);
  expect(there(unknown)).toEqual(none);
});

test('one that is added again has its row, whatever was written of it', async () => {
  const { unknown } = await restoreOlder();
  removeAside();
  pass(20);
  expect(await addDocument('after')).toBe(unknown[0]);
  pass(40);
  expect(there(unknown)).toEqual([true, false, false, false]);
});

test('after a start without the old database, its files stay with it', async () => {
  const files = [await addDocument('old'), ...addPicture('old')];
  store.close();
  writeFileSync(databasePath(folder), 'not a database, and long enough to be taken for one'.repeat(100));
  open();
  store.care.startAnew();
  pass(60);
  reopen();
  pass(60);
  expect(there(files)).toEqual(all);
});

test('nothing is removed while the database is known to be damaged', async () => {
  const { unknown } = await restoreOlder();
  removeAside();
  pass(29);
  store.close();
  // It was changed by somebody else.
  writeFileSync(join(folder, 'loupe.db.sha256'), '0'.repeat(64));
  open();
  expect(store.care.state().damage).not.toBeNull();
  pass(40);
  expect(there(unknown)).toEqual(all);
});

test('a clock that was wrong for a while, and a record that cannot be read, only make it later', async () => {
  const { unknown } = await restoreOlder();
  removeAside();
  pass(20);
  writeFileSync(join(folder, 'loupe.strays'), '{"documents/');
  pass(20);
  now -= 400 * day;
  pass(30);
  expect(there(unknown)).toEqual(all);
  pass(1);
  expect(there(unknown)).toEqual(none);
});

test('what somebody else put there stays', () => {
  const hash = 'ab'.repeat(32);
  const others = ['documents/ab/notes.txt', `documents/cd/${hash}`, `documents/${hash}`, `pictures/ab/${hash}.pdf`];
  for (const path of others) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), 'mine');
  }
  pass(100);
  expect(others.map((path) => readFileSync(join(folder, path), 'utf8'))).toEqual(others.map(() => 'mine'));
});

test('folders are looked through once a day, and again in another database', async () => {
  const { unknown } = await restoreOlder();
  const recorded = (): string[] => (existsSync(join(folder, 'loupe.strays')) ? readdirSync(folder) : []);
  store.sweep();
  expect(recorded()).toContain('loupe.strays');
  rmSync(join(folder, 'loupe.strays'));
  store.sweep();
  expect(recorded()).toEqual([]);
  reopen();
  store.sweep();
  expect(Object.keys(JSON.parse(readFileSync(join(folder, 'loupe.strays'), 'utf8')) as object)).toHaveLength(unknown.length);
});
