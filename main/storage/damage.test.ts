import Database from 'better-sqlite3';
import { hash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Store } from '../services/ports.ts';
import { databasePath, listBackups } from './backups.ts';
import { checkHere } from './checker.ts';
import { openStore } from './store.ts';
import { damageOf } from './test/damage.ts';
import { fillStore } from './test/fill.ts';

/** `LOUPE_DAMAGES=2000` for a long campaign. */
const damages = Number(process.env['LOUPE_DAMAGES'] ?? 200);
const day = 24 * 60 * 60 * 1000;
let folder: string;
/** As it was closed, and as it was killed. */
let sealed: string;
let killed: string;
let right: string;
let now = Date.UTC(2025, 0, 1);

const open = (directory: string): Store =>
  openStore(directory, { clock: { now: () => now }, checker: checkHere, tolerant: true, room: { reserveBytes: 0, leastBytes: 0 } });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-damage-'));
  sealed = join(folder, 'sealed');
  killed = join(folder, 'killed');
  fillStore(sealed, 8, 10, 7);
  let store = open(sealed);
  const { id } = store.conversations.create('Long ones');
  const say = (text: string) =>
    store.conversations.append({ conversationId: id, parentId: null, role: 'user', text, pictures: [], state: 'complete', model: null });
  for (let count = 0; count < 4; count++) say(`${count} words `.repeat(1200));
  answerFromDocument(store, id);
  store.saveSettings({ systemPrompt: 'Be brief. '.repeat(800) });
  store.conversations.saveDraft(null, 'a draft', []);
  // Pages that nothing is in any more.
  const { id: gone } = store.conversations.create('Gone');
  store.conversations.append({
    conversationId: gone,
    parentId: null,
    role: 'user',
    text: 'gone '.repeat(3000),
    pictures: [],
    state: 'complete',
    model: null,
  });
  store.conversations.delete(gone);
  now += 31 * day;
  await store.care.maintain();
  store.close();
  store = open(sealed);
  await store.care.maintain();
  for (let count = 0; count < 4; count++) say(`the last ${count}`);
  now += day;
  await store.care.maintain();
  cpSync(sealed, killed, { recursive: true, filter: (path) => !/\.lock$|-shm$|sha256$/.test(path) });
  store.close();
  right = contents(sealed);
  now += 2 * day;
  expect(readdirSync(killed)).toContain('loupe.db-wal');
  expect(existsSync(join(sealed, 'loupe.db.sha256'))).toBe(true);
}, 60_000);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Rows in every table that there is for it. */
function answerFromDocument(store: Store, conversationId: number): void {
  const file = { hash: 'b'.repeat(64), name: 'lease.pdf', kind: 'pdf', bytes: 1, pageCount: 40, from: 1, to: 40 } as const;
  const { id: documentId, name } = store.documents.add(file);
  const said = { conversationId, text: 'The rent', pictures: [], model: null };
  const question = store.conversations.append({
    ...said,
    parentId: null,
    role: 'user',
    state: 'complete',
    scope: { kind: 'document', id: documentId, pages: null },
  });
  const answer = store.conversations.append({ ...said, parentId: question.id, role: 'assistant', state: 'streaming' });
  const numbers = Array.from({ length: 40 }, (_, index) => index + 1);
  store.conversations.saveCoverage(answer.id, {
    ...{ named: false, documents: 1, pages: 40, outside: 0, searched: 0, waiting: 40, picture: 0, failed: 0, blank: 0, words: ['rent'] },
    looks: numbers.map((number) => ({ documentId, name, number, label: `${number}`, outcome: 'text', length: 0, noted: null, note: null })),
  });
  store.conversations.update(answer.id, {
    ...{ text: 'The rent', state: 'complete', failure: null, finish: 'stop', model: null, statistics: null },
    citations: numbers.map((number) => ({
      ...{ offset: number, length: 1, page: `${number}`, quote: 'the rent of the flat', finding: 'unchecked', found: null },
      ...{ documentId, name, removed: false, number, label: `${number}` },
    })),
  });
}

/** Every row of every table but the index, which is made of them. */
function contents(directory: string): string {
  const database = new Database(databasePath(directory));
  const tables = database
    .prepare<[], string>(
      "select name from sqlite_schema where type = 'table' and name not like '%_words%' and name not like 'sqlite_%' order by name",
    )
    .pluck()
    .all();
  const rows = tables.map((table) => [
    table,
    ...database
      .prepare(`select * from ${table}`)
      .all()
      .map((row) => JSON.stringify(row))
      .sort(),
  ]);
  database.close();
  return hash('sha256', JSON.stringify(rows));
}

const backupsOf = (directory: string) => listBackups(directory).map(({ name, path }) => [name, hash('sha256', readFileSync(path))]);

async function suffer(number: number, isSealed: boolean): Promise<'noticed' | 'harmless'> {
  const directory = join(folder, `case-${number}`);
  cpSync(isSealed ? sealed : killed, directory, { recursive: true });
  const good = backupsOf(directory);
  expect(good.length).toBeGreaterThan(0);
  damageOf(number, isSealed).apply(directory);

  let store = open(directory);
  await store.care.maintain();
  const { access, damage } = store.care.state();
  const noticed = access === 'closed' || damage !== null;
  if (!noticed) {
    // Nobody was told: then nothing may be missing. Every row is compared.
    store.close();
    expect(contents(directory)).toBe(right);
    rmSync(directory, { recursive: true });
    return 'harmless';
  }
  expect((damage ?? store.care.state().problem)!.nextStep).not.toBe('');

  // Days go by, the app is closed and started again: what is good stays, and it is said again.
  for (let days = 0; days < 4; days++) {
    now += day;
    await store.care.maintain();
  }
  await store.care.finish(1000);
  store.close();
  expect(backupsOf(directory)).toEqual(good);
  store = open(directory);
  await store.care.maintain();

  const choices = await store.care.backups();
  expect(choices.every(({ state }) => state === 'sound')).toBe(true);
  const before = existsSync(databasePath(directory));
  const aside = await store.care.restore(good[0]![0]!);
  if (before) expect(existsSync(join(directory, aside!))).toBe(true);
  expect(store.care.state()).toMatchObject({ access: 'writable', damage: null });
  store.close();
  expect(contents(directory)).toBe(right);
  rmSync(directory, { recursive: true });
  return 'noticed';
}

test(`${damages} kinds of damage: all noticed, no good backup lost, each restorable`, { timeout: 600_000 }, async () => {
  const outcomes = { noticed: 0, harmless: 0 };
  for (let number = 0; number < damages; number++) {
    const isSealed = number % 3 !== 0;
    try {
      outcomes[await suffer(number, isSealed)]++;
    } catch (error) {
      const { name } = damageOf(number, isSealed);
      throw new Error(`Damage ${number} (${name}, ${isSealed ? 'closed' : 'killed'}): ${(error as Error).message}`, { cause: error });
    }
  }
  console.log(`${damages} kinds of damage: ${outcomes.noticed} noticed, ${outcomes.harmless} without any effect`);
  expect(outcomes.harmless).toBeLessThan(damages / 10);
});
