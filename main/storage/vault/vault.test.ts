import Database from 'better-sqlite3';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { opened } from '../../sealed-file.ts';
import type { Keychain, Store } from '../../services/ports.ts';
import { randomNumbers } from '../../test/random.ts';
import { databasePath, listBackups } from '../backups.ts';
import { documentPath } from '../document-files.ts';
import { inspectData } from '../inspect.ts';
import { pictureFiles } from '../picture-shelf.ts';
import { openStore, type StoreOptions } from '../store.ts';
import { cheap, code, fill, filesWith, passphrase, planted, type Filled } from '../test/vault.ts';
import { dropKeys, keysOf } from './folder-keys.ts';
import { headerPath } from './header.ts';
import { unlockFolder } from './unlock.ts';

let folder: string;
let now = Date.UTC(2026, 0, 1);
const open = (options: StoreOptions = {}): Store =>
  openStore(folder, { clock: { now: () => now }, stretching: cheap, tolerant: true, ...options });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-vault-'));
});
afterEach(() => {
  dropKeys(folder);
  rmSync(folder, { recursive: true });
});

/** A folder with something in every place, a backup, a database that was put aside, and pages that were drawn. */
async function filledFolder(): Promise<Filled> {
  const store = open();
  const filled = await fill(store);
  await store.care.maintain();
  store.close();
  expect(listBackups(folder)).toHaveLength(1);
  copyFileSync(databasePath(folder), join(folder, 'loupe-replaced-20250101-000000.db'));
  writeFileSync(join(folder, 'loupe-damaged-log-20250101-000000.db-wal'), 'Plantedquestion in a log');
  mkdirSync(join(folder, 'cache', 'pages', filled.document), { recursive: true });
  writeFileSync(join(folder, 'cache', 'pages', filled.document, '1-800.png'), 'Plantedpage drawn');
  return filled;
}

/** All of it is there. */
function expectAll(store: Store, { conversation, picture, document }: Filled): void {
  const { title, messages } = store.conversations.open(conversation);
  expect(title).toBe('Plantedtitle');
  expect(messages.at(-1)!.text).toBe('Plantedquestion 19');
  expect(store.conversations.search('plantedquestion', 50).length).toBeGreaterThan(0);
  expect(store.documents.search({ words: ['plantedpage'], limit: 5 })).not.toEqual([]);
  const bytes = (file: ReturnType<Store['pictures']['original']>): Uint8Array => ('path' in file ? readFileSync(file.path) : file.bytes);
  expect(Buffer.from(bytes(store.pictures.original(picture))).toString()).toBe('Plantedpicture original '.repeat(8000));
  expect(Buffer.from(bytes(store.pictures.shown(picture, 'thumb'))).toString()).toBe('Plantedpicture thumbnail');
  const file = readFileSync(documentPath(folder, document));
  const keys = keysOf(folder);
  expect((keys ? opened(keys.files, file)! : file).toString()).toBe('Planteddocument '.repeat(20_000));
}

test('turned on, no word is left in plain form anywhere; all is there, is found, and can be changed; turned off, all is plain again', async () => {
  const filled = await filledFolder();
  expect(filesWith(folder).length).toBeGreaterThanOrEqual(6);
  let store = open();
  expect(store.vault.state()).toMatchObject({ state: 'off', by: null });
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  expect(filesWith(folder)).toEqual([]);
  expect(store.vault.state()).toMatchObject({ state: 'open', by: 'passphrase' });
  expectAll(store, filled);

  // What comes afterwards.
  store.conversations.rename(filled.conversation, 'Plantedtitle');
  await fill(store, 'another');
  now += 2 * 24 * 60 * 60 * 1000;
  await store.care.maintain();
  expect(listBackups(folder)).toHaveLength(2);
  expect(await store.care.backups()).toEqual([expect.objectContaining({ state: 'sound' }), expect.objectContaining({ state: 'sound' })]);
  expect(filesWith(folder)).toEqual([]);
  store.close();
  expect(filesWith(folder)).toEqual([]);

  store = open();
  expect(store.care.state()).toMatchObject({ access: 'closed', problem: { code: 'vault_locked' } });
  expect(() => store.conversations.list()).toThrow(expect.objectContaining({ code: 'vault_locked' }));
  await store.vault.unlock(passphrase);
  expect(store.care.state()).toMatchObject({ access: 'writable', damage: null });
  expectAll(store, filled);
  expect(await store.vault.turnOff(passphrase)).toEqual({ left: 0 });
  expect(store.vault.state().state).toBe('off');
  expectAll(store, filled);
  expect(existsSync(headerPath(folder))).toBe(false);
  expect((await store.care.backups()).map(({ state }) => state)).toEqual(['sound', 'sound']);
  store.close();
  const raw = new Database(databasePath(folder));
  expect(raw.pragma('integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  raw.close();
  expect(existsSync(join(folder, 'loupe-replaced-20250101-000000.db'))).toBe(true);
  expect(readFileSync(join(folder, 'loupe-damaged-log-20250101-000000.db-wal'), 'utf8')).toBe('Plantedquestion in a log');
});

test('"Delete now", private conversations and restoring hold as they do in plain form', async () => {
  const store = open();
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  const { conversation, picture } = await fill(store);
  await store.care.maintain();
  const secret = store.privately.open('Plantedtitle');
  store.conversations.append({
    conversationId: secret.id,
    parentId: null,
    role: 'user',
    text: 'private',
    pictures: [],
    state: 'complete',
    model: null,
  });
  const before = listBackups(folder).map(({ name }) => name);
  await store.care.erase(conversation);
  expect(existsSync(pictureFiles(folder, picture).original)).toBe(false);
  expect(listBackups(folder).map(({ name }) => name)).not.toEqual(before);
  // What the key opens holds no word of it either.
  await store.vault.turnOff(passphrase);
  expect(filesWith(folder, ['Plantedtitle', 'Plantedquestion', 'Plantedpicture', 'Planteddraft', 'private'])).toEqual([]);
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  const kept = store.conversations.create('Kept').id;
  const { name } = (await store.care.backups())[0]!;
  await store.care.restore(name);
  expect(() => store.conversations.open(kept)).toThrow(expect.objectContaining({ code: 'not_found' }));
  expect(store.vault.state().state).toBe('open');
  store.close();
});

test('locked, nothing answers and nothing is written in plain form; the passphrase and the recovery code open it, nothing else does', async () => {
  const filled = await filledFolder();
  const store = open();
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  const key = keysOf(folder)!.main;
  await store.vault.lock();
  expect([...key].every((byte) => byte === 0)).toBe(true);
  expect(keysOf(folder)).toBeNull();
  expect(store.vault.state().state).toBe('locked');
  expect(() => store.conversations.create('x')).toThrow(expect.objectContaining({ code: 'vault_locked' }));
  expect(() => store.pictures.original(filled.picture)).toThrow(expect.objectContaining({ code: 'vault_locked' }));
  expect(() => store.cover.seal(Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'vault_locked' }));
  await expect(store.documentFiles.receive()).rejects.toMatchObject({ code: 'vault_locked' });
  expect(() => store.care.startAnew()).toThrow(expect.objectContaining({ code: 'vault_locked' }));
  store.care.retry();
  expect(store.vault.state().state).toBe('locked');
  expect(inspectData(folder).state).toMatch(/locked|used/);
  await expect(store.vault.unlock('wrong')).rejects.toMatchObject({ code: 'passphrase_wrong' });
  await expect(store.vault.unlock('0123-4567-89AB-CDEF-GHJK-MNPQ-RST0')).rejects.toMatchObject({ code: 'passphrase_wrong' });
  await store.vault.unlock(` ${code.toLowerCase().replaceAll('-', ' ')} `);
  expectAll(store, filled);
  await store.vault.lock();
  await store.vault.unlock(passphrase);
  expectAll(store, filled);
  store.close();
});

test('after three wrong tries it takes longer and longer until another is looked at', async () => {
  const store = open();
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  await store.vault.lock();
  for (let tries = 0; tries < 3; tries++) await expect(store.vault.unlock('wrong')).rejects.toThrow('neither the passphrase nor');
  await expect(store.vault.unlock(passphrase)).rejects.toThrow(/wait \d seconds?\./);
  // Many at once are not tried for the delay of one.
  const many = await Promise.allSettled(Array.from({ length: 20 }, () => store.vault.unlock('wrong')));
  expect(many.every((one) => one.status === 'rejected' && /wait \d/.test(String(one.reason)))).toBe(true);
  expect(store.vault.state().state).toBe('locked');
  store.close();
});

test('another passphrase: the old one and the old code open nothing any more, in neither copy of the header', async () => {
  const store = open();
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  const another = store.vault.newRecoveryCode();
  await expect(store.vault.change('wrong words', { passphrase: 'another one', recoveryCode: another })).rejects.toMatchObject({
    code: 'passphrase_wrong',
  });
  await store.vault.change(passphrase, { passphrase: 'another one', recoveryCode: another });
  await store.vault.lock();
  store.close();
  for (const lost of [false, true]) {
    if (lost) rmSync(headerPath(folder));
    await expect(unlockFolder(folder, passphrase)).rejects.toMatchObject({ code: 'passphrase_wrong' });
    await expect(unlockFolder(folder, code)).rejects.toMatchObject({ code: 'passphrase_wrong' });
    await unlockFolder(folder, another);
    dropKeys(folder);
    await unlockFolder(folder, 'another one');
    dropKeys(folder);
  }
  // The lost copy is there again.
  expect(existsSync(headerPath(folder))).toBe(true);
});

test('with the keychain it opens by itself; where the keychain is another one, the recovery code opens it', async () => {
  const safe: Keychain = { seal: (text) => `sealed ${text}`, open: (text) => text.replace('sealed ', '') };
  let store = open({ keychain: safe });
  await store.vault.turnOn({ passphrase: null, recoveryCode: code });
  const filled = await fill(store);
  await store.vault.lock();
  expect(store.vault.state()).toMatchObject({ state: 'open', by: 'keychain' });
  store.close();
  store = open({ keychain: safe });
  expectAll(store, filled);
  store.close();
  store = open({ keychain: { ...safe, open: () => null } });
  expect(store.vault.state().state).toBe('locked');
  await expect(store.vault.unlock('wrong words')).rejects.toThrow('This is not the recovery code.');
  await store.vault.unlock(code);
  expectAll(store, filled);
  await store.vault.turnOff(code);
  store.close();
});

test('who has the disk and not the key cannot have it decrypted, or exchange a part of it unnoticed', async () => {
  const filled = await filledFolder();
  let store = open();
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  store.close();
  const path = headerPath(folder);
  const header = readFileSync(path, 'utf8');
  for (const copy of [path, join(folder, 'backups', 'loupe.vault')]) writeFileSync(copy, header.replace('"sealed"', '"opening"'));
  await expect(unlockFolder(folder, passphrase)).rejects.toMatchObject({ code: 'store_failed' });
  for (const copy of [path, join(folder, 'backups', 'loupe.vault')]) writeFileSync(copy, header);

  // A plain file in the place of a sealed one, a changed one, one that was cut off.
  const { original, thumbnail, display } = pictureFiles(folder, filled.picture);
  const wholes = [original, thumbnail, display].map((path) => [path, readFileSync(path)] as const);
  writeFileSync(thumbnail, 'Plantedpicture thumbnail');
  const bytes = readFileSync(original);
  bytes[bytes.length - 100_000]! ^= 1;
  writeFileSync(original, bytes);
  writeFileSync(display, readFileSync(display).subarray(0, -1));
  store = open();
  await store.vault.unlock(passphrase);
  expect(() => store.pictures.original(filled.picture)).toThrow(expect.objectContaining({ code: 'not_found' }));
  expect(() => store.pictures.shown(filled.picture, 'thumb')).toThrow(expect.objectContaining({ code: 'not_found' }));
  expect(() => store.pictures.shown(filled.picture, 'full')).toThrow(expect.objectContaining({ code: 'not_found' }));
  store.close();

  // A plain database in the place of the encrypted one.
  const other = new Database(join(folder, 'other.db'));
  other.exec('create table a (b)');
  other.close();
  copyFileSync(join(folder, 'other.db'), databasePath(folder));
  store = open();
  await store.vault.unlock(passphrase);
  expect(store.care.state()).toMatchObject({ access: 'closed', problem: { code: 'store_damaged' } });
  const { name, state } = (await store.care.backups())[0]!;
  expect(state).toBe('sound');
  await store.care.restore(name);
  expect(store.care.state().access).toBe('writable');
  for (const [path, whole] of wholes) writeFileSync(path, whole);
  expectAll(store, filled);
  store.close();
});

test('a damaged header is said, and its copy is taken', async () => {
  let store = open();
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  store.close();
  writeFileSync(headerPath(folder), '{"version":');
  store = open();
  expect(store.vault.state().state).toBe('locked');
  await store.vault.unlock(passphrase);
  store.close();
  for (const path of [headerPath(folder), join(folder, 'backups', 'loupe.vault')]) writeFileSync(path, '{}');
  store = open();
  expect(store.care.state()).toMatchObject({ access: 'closed', problem: { code: 'store_failed' } });
  expect(store.care.problem()!.message).toContain('loupe.vault is damaged');
  store.close();
});

test('a damaged page of an encrypted database is found, and of its log', async () => {
  let store = open();
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  await fill(store);
  store.close();
  const whole = readFileSync(databasePath(folder));
  const bytes = Buffer.from(whole);
  bytes[4096 * 5 + 77]! ^= 4;
  writeFileSync(databasePath(folder), bytes);
  store = open();
  await store.vault.unlock(passphrase);
  expect(store.care.state().damage ?? store.care.state().problem).toMatchObject({ code: 'store_damaged' });
  store.close();
  writeFileSync(databasePath(folder), whole);
  appendFileSync(`${databasePath(folder)}-wal`, Buffer.alloc(5000, 7));
  store = open();
  await store.vault.unlock(passphrase);
  expect(store.care.state().damage?.message).toContain('log of the last changes');
  store.close();
});

// --- kill -9

const script = fileURLToPath(new URL('../test/vault-converter.ts', import.meta.url));

function convertAndDie(way: 'on' | 'off', how: 'step' | 'after', count: number): NodeJS.Signals | null {
  const { signal, stderr } = spawnSync(process.execPath, [script, folder, way, passphrase, how, String(count)], { encoding: 'utf8' });
  if (stderr.includes('Error')) throw new Error(stderr);
  return signal;
}

async function expectWholeAfter(filled: Filled): Promise<'plain' | 'sealed'> {
  const store = open();
  if (store.vault.state().state === 'locked') await store.vault.unlock(passphrase);
  expect(store.care.state()).toMatchObject({ access: 'writable', problem: null, damage: null });
  expectAll(store, filled);
  expect((await store.care.backups()).every(({ state }) => state === 'sound')).toBe(true);
  expect(listBackups(folder)).toHaveLength(1);
  const { state } = store.vault.state();
  store.close();
  if (state === 'off') return 'plain';
  expect(filesWith(folder, planted)).toEqual([]);
  return 'sealed';
}

test('kill -9 before steps, and at other times, leaves all of it, in one form or the other', { timeout: 600_000 }, async () => {
  const filled = await filledFolder();
  const pristine = `${folder}-pristine`;
  cpSync(folder, pristine, { recursive: true });
  const sealedOnce = `${folder}-sealed`;
  const restore = (from: string): void => {
    rmSync(folder, { recursive: true });
    cpSync(from, folder, { recursive: true });
  };
  const seed = Number(process.env['LOUPE_SEED'] ?? Date.now() % 1_000_000);
  const random = randomNumbers(seed);
  const ends = { plain: 0, sealed: 0 };
  // Before every step, and so often between them; else before every third.
  const often = Number(process.env['LOUPE_KILLS'] ?? 0);
  let kills = 0;
  try {
    const store = open();
    await store.vault.turnOn({ passphrase, recoveryCode: code });
    store.close();
    cpSync(folder, sealedOnce, { recursive: true });
    for (const way of ['on', 'off'] as const) {
      for (let step = 0; ; step += often ? 1 : 3) {
        restore(way === 'on' ? pristine : sealedOnce);
        if (convertAndDie(way, 'step', step) === null) break;
        kills++;
        ends[await expectWholeAfter(filled)]++;
      }
      for (let time = 0; time < (often || 1); time++) {
        restore(way === 'on' ? pristine : sealedOnce);
        convertAndDie(way, 'after', Math.round(random() * 60));
        kills++;
        ends[await expectWholeAfter(filled)]++;
      }
    }
  } finally {
    for (const copy of [pristine, sealedOnce]) rmSync(copy, { recursive: true, force: true });
  }
  console.log(`LOUPE_SEED=${seed}: ${kills} kills, then ${ends.plain} plain and ${ends.sealed} encrypted`);
  expect(ends.plain).toBeGreaterThan(2);
  expect(ends.sealed).toBeGreaterThan(2);
});

// --- a full disk

const disk = mkdtempSync(join(tmpdir(), 'loupe-vault-full-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]).status === 0;
if (!mounted) console.warn('SKIPPED: encrypting on a full disk. It needs the right to mount a small file system (root on Linux).');

test.skipIf(!mounted)('without room nothing is begun; where the room goes meanwhile, all is as it was or goes on later', async () => {
  const mine = folder;
  try {
    folder = join(disk, 'data');
    const room = { reserveBytes: 1024, leastBytes: 1024 };
    const store = open({ room });
    const filled = await fill(store);
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(20_500_000));
    await expect(store.vault.turnOn({ passphrase, recoveryCode: code })).rejects.toMatchObject({ code: 'store_full' });
    expect(store.vault.state().state).toBe('off');
    expectAll(store, filled);
    rmSync(join(disk, 'ballast'));
    // Somebody else takes it once it has begun.
    let taken = false;
    store.vault.onChange(({ progress }) => {
      if (taken || progress?.done !== 3) return;
      taken = true;
      try {
        for (let part = 0; part < 400; part++) appendFileSync(join(disk, 'ballast'), Buffer.alloc(100_000));
      } catch {
        // Now it is full.
      }
    });
    await expect(store.vault.turnOn({ passphrase, recoveryCode: code })).rejects.toThrow();
    rmSync(join(disk, 'ballast'));
    store.close();
    dropKeys(folder);
    const again = open({ room });
    if (again.vault.state().state === 'locked') await again.vault.unlock(passphrase);
    expectAll(again, filled);
    expect(again.care.state()).toMatchObject({ access: 'writable', problem: null });
    again.close();
  } finally {
    dropKeys(folder);
    folder = mine;
    spawnSync('umount', [disk]);
    rmSync(disk, { recursive: true, force: true });
  }
});

test('folders are what they were: only known files are added', async () => {
  const store = open();
  await fill(store);
  await store.vault.turnOn({ passphrase, recoveryCode: code });
  store.close();
  expect(readdirSync(folder).filter((name) => /part|tmp|converted/.test(name))).toEqual([]);
  expect(statSync(headerPath(folder)).mode & 0o077).toBe(0);
});
