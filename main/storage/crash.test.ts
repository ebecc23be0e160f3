import Database from 'better-sqlite3';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { randomNumbers } from '../test/random.ts';
import { databasePath } from './backups.ts';
import { openStore } from './store.ts';
import type { Report } from './test/crash-writer.ts';
import { storedPath } from './test/stored-path.ts';

const kills = 30;

let folder: string;
const children = new Set<ChildProcess>();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-crash-'));
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  rmSync(folder, { recursive: true });
});

function start(script: string, ...args: string[]) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`test/${script}`, import.meta.url)), folder, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    begun: once(child.stdout, 'data'),
    /** Answers the whole lines that it wrote. */
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'close');
      return output
        .slice(0, output.lastIndexOf('\n') + 1)
        .split('\n')
        .filter(Boolean);
    },
  };
}

/** Every report is kept, the last one of each message and draft. */
function check(reports: Report[]): void {
  const raw = new Database(databasePath(folder));
  expect(raw.pragma('integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  expect(raw.pragma('foreign_key_check')).toEqual([]);
  raw.close();

  const store = openStore(folder);
  try {
    store.conversations.markInterrupted();
    const texts = new Map<number, string>();
    for (const report of reports) {
      if (report.kind === 'text') texts.set(report.id, report.text);
      if (report.kind === 'picture') {
        expect(readFileSync(storedPath(store.pictures.original(report.hash)), 'utf8')).toBe(report.bytes);
        expect(readFileSync(storedPath(store.pictures.shown(report.hash, 'thumb')), 'utf8')).toBe('thumbnail');
      }
      // It may have died between deleting and restoring.
      if (report.kind === 'conversation') {
        store.conversations.restore(report.id);
        expect(store.conversations.summary(report.id).title).toBe(report.title);
      }
    }
    for (const report of reports)
      if (report.kind === 'tag') for (const id of report.ids) expect(store.conversations.summary(id).tags).toContain(report.tag);
    // Reported or not, a pair was tagged together.
    const pairs = Map.groupBy(
      store.conversations.list().flatMap(({ tags = [] }) => tags),
      (tag) => tag,
    );
    for (const [tag, members] of pairs) expect(members.length, tag).toBe(2);
    // At most what came after the last report: a checkpoint is not lost once it returned.
    for (const [id, text] of texts) expect(store.conversations.message(id).text.startsWith(text)).toBe(true);
    const draft = reports.findLast(({ kind }) => kind === 'draft');
    const [, saved] = /\.(\d+)$/.exec(store.conversations.draft().text) ?? [];
    if (draft?.kind === 'draft') expect(Number(saved)).toBeGreaterThanOrEqual(Number(draft.text.split('.')[1]));
    expect(
      store.conversations
        .list()
        .every(({ id }) => store.conversations.open(id).messages.every(({ state }) => state === 'complete' || state === 'interrupted')),
    ).toBe(true);
  } finally {
    store.close();
  }
}

test(`nothing that was reported is lost by ${kills} kills`, { timeout: 600_000 }, async () => {
  const seed = Number(process.env['LOUPE_SEED'] ?? Date.now() % 1_000_000);
  const random = randomNumbers(seed);
  let lines = 0;
  for (let round = 0; round < kills; round++) {
    const writer = start('crash-writer.ts', String(seed + round));
    // Some die while they open the store, most while they write.
    if (round % 6 !== 5) await writer.begun;
    await new Promise((done) => setTimeout(done, random() * 250));
    const reports = (await writer.kill()).map((line) => JSON.parse(line) as Report);
    lines += reports.length;
    try {
      check(reports);
    } catch (error) {
      throw new Error(`Kill ${round} with LOUPE_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  console.log(`LOUPE_SEED=${seed}: ${lines} writes before ${kills} kills`);
  expect(lines).toBeGreaterThan(kills);
});

test('one process at a time; a killed one leaves no lock behind', { timeout: 60_000 }, async () => {
  const other = start('open-store.ts');
  await other.begun;
  expect(() => openStore(folder)).toThrow(expect.objectContaining({ code: 'store_locked', message: `Another Loupe is using ${folder}.` }));
  await other.kill();
  const store = openStore(folder);
  expect(() => openStore(folder)).toThrow(expect.objectContaining({ code: 'store_locked' }));
  store.close();
  openStore(folder).close();
});
