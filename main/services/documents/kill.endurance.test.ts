/** The reading of a document, killed without warning over and over: no page is lost, none is read twice. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDocumentReader } from '../../documents/document-client.ts';
import { line, writePdf } from '../../documents/test/write-pdf.ts';
import { openStore } from '../../storage/store.ts';
import { randomNumbers } from '../../test/random.ts';
import { createLibrary } from './library.ts';

const kills = 50;
const pageCount = 600;
/** ms: of opening the store, of starting the reader, or of a few pages. */
const longestStart = 1500;
const longestReading = 300;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-kill-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const data = (): string => join(folder, 'data');

/** The pages that it said were stored. */
async function killWhileReading(id: number, afterMs: (begun: Promise<unknown>) => Promise<unknown>): Promise<number[]> {
  const script = fileURLToPath(new URL('test/read-on.ts', import.meta.url));
  const child = spawn(process.execPath, [script, data(), `${id}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const begun = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    begun.resolve();
  });
  const closed = once(child, 'close');
  await Promise.race([afterMs(begun.promise), closed]);
  child.kill('SIGKILL');
  await closed;
  return output.split('\n').slice(0, -1).map(Number);
}

function waitingNow(id: number): number[] {
  const raw = new Database(join(data(), 'loupe.db'));
  expect(raw.pragma('integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  raw.exec("insert into page_words (page_words) values ('integrity-check')");
  raw.close();
  const store = openStore(data());
  try {
    return store.documents.numbers(id, 'waiting');
  } finally {
    store.close();
  }
}

test(`no page is lost by ${kills} kills, and none is read twice`, async () => {
  const seed = Number(process.env['LOUPE_SEED'] ?? Date.now() % 1_000_000);
  const random = randomNumbers(seed);
  const path = join(folder, 'long.pdf');
  const kinds = [(number: number) => line(`Clause ${number}`), () => '', () => '0 0 1 rg 100 100 200 200 re f'];
  const contents = Array.from({ length: pageCount }, (_, index) => kinds[index % 3]!(index + 1));
  writeFileSync(path, writePdf({ pages: contents.map((content) => ({ content })) }));
  const reader = createDocumentReader();
  let store = openStore(data());
  const { document } = await createLibrary({ store, reader }).add(path);
  store.close();

  const stored: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const now = await killWhileReading(document.id, async (begun) => {
      if (kill % 3 === 0) return sleep(random() * longestStart);
      await begun;
      return sleep(random() * longestReading);
    });
    stored.push(...now);
    const waiting = new Set(waitingNow(document.id));
    const where = `kill ${kill} with LOUPE_SEED=${seed}`;
    // One more may be stored than was said; never one fewer.
    expect(
      stored.filter((number) => waiting.has(number)),
      where,
    ).toEqual([]);
    expect(pageCount - waiting.size - stored.length, where).toBeGreaterThanOrEqual(0);
    expect(new Set(stored).size, where).toBe(stored.length);
  }
  store = openStore(data());
  const waiting = store.documents.numbers(document.id, 'waiting');
  console.log(`LOUPE_SEED=${seed}: ${pageCount - waiting.length} pages stored and ${stored.length} of them said before ${kills} kills`);
  expect(waiting.length).toBeGreaterThan(0);
  expect(stored.length).toBeGreaterThan(0);

  await createLibrary({ store, reader }).read(document.id);
  await reader.close();
  const states = ['text', 'blank', 'picture'];
  expect(store.documents.pages(document.id).map(({ number, state, text }) => [number, state, text])).toEqual(
    contents.map((_, index) => [index + 1, states[index % 3], index % 3 === 0 ? `Clause ${index + 1}` : '']),
  );
  expect(store.documents.search({ words: ['clauses'], limit: pageCount })).toHaveLength(pageCount / 3);
  store.close();
});
