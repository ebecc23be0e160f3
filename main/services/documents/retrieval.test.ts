/** How often the pages that are chosen are those that answer the question: 60 facts on 520 pages (test/retrieval/facts.md), drawn five times. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { hash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFakeEngine, type FakeEngine } from '../../engine/test/fake-engine.ts';
import { openStore } from '../../storage/store.ts';
import { randomNumbers } from '../../test/random.ts';
import { wordVectorsDirectory } from '../../host/paths.ts';
import { wordVectorsOf } from '../../word-vectors/word-vectors.ts';
import type { Store } from '../ports.ts';
import { choosePages } from './choose-pages.ts';

interface Fact {
  store: Store;
  documentId: number;
  number: number;
  lexical: string;
  paraphrased: string;
  expansions: string;
}

const folder = mkdtempSync(join(tmpdir(), 'loupe-retrieval-'));
const facts: Fact[] = [];
const stores: Store[] = [];
let engine: FakeEngine;
/** What the model names. */
let named = '';

const wordVectors = wordVectorsOf(wordVectorsDirectory);
const seeds = [4, 5, 6, 7, 8];
let random = randomNumbers(0);
const below = (count: number): number => Math.floor(random() * count);
const some = (sentences: readonly string[], count: number): string[] =>
  Array.from({ length: count }, () => sentences[below(sentences.length)]!);

function add(store: Store, name: string, pages: readonly string[]): number {
  const file = { hash: hash('sha256', name), name, kind: 'pdf', bytes: 1, pageCount: pages.length, from: 1, to: pages.length } as const;
  const { id } = store.documents.add(file);
  for (const [index, text] of pages.entries()) {
    const number = index + 1;
    store.documents.savePage(id, {
      ...{ number, label: `${number}`, width: 595, height: 842, rotation: 0, state: 'text', text: `${name}, page ${number}. ${text}` },
      ...{ flags: [], words: [], fields: [], hiddenWords: 0, failure: null },
    });
  }
  return id;
}

beforeAll(async () => {
  engine = createFakeEngine({ answer: () => named });
  await engine.load({ directory: folder, engine: {} });
  const table = readFileSync(new URL('test/retrieval/facts.md', import.meta.url), 'utf8');
  for (const seed of seeds) fill(seed, table);
}, 120_000);

function fill(seed: number, table: string): void {
  random = randomNumbers(seed);
  const store = openStore(join(folder, `${seed}`));
  stores.push(store);
  const everything: string[] = [];
  for (const part of table.split('\n## ').slice(1)) {
    const [name, filler] = part.split('\n\n') as [string, string];
    const sentences = filler.trim().split(/(?<=\.) /);
    everything.push(...sentences);
    const listed = [...part.matchAll(/^- (.+)\n {2}- (.+)\n {2}- (.+)\n {2}- (.+)$/gm)].map(([, ...texts]) => texts as string[]);
    const pages = listed.flatMap(([fact]) => {
      const body = some(sentences, 9);
      body.splice(1 + below(8), 0, fact!);
      return [body.join(' '), some(sentences, 11).join(' ')];
    });
    const documentId = add(store, name, pages);
    for (const [index, [, lexical, paraphrased, expansions]] of listed.entries())
      facts.push({ store, documentId, number: 2 * index + 1, lexical: lexical!, paraphrased: paraphrased!, expansions: expansions! });
  }
  // Twenty reports of twenty pages, which speak of all of it and answer nothing.
  for (let report = 1; report <= 20; report++)
    add(
      store,
      `Report ${report}`,
      Array.from({ length: 20 }, () => some(everything, 12).join(' ')),
    );
}
afterAll(async () => {
  await engine.close();
  for (const store of stores) store.close();
  rmSync(folder, { recursive: true });
});

/** In percent: of how many questions the page is among the three that are chosen. */
async function hitsAtThree(question: (fact: Fact) => string, { inside, expand }: { inside: boolean; expand: boolean }): Promise<number> {
  let hits = 0;
  for (const fact of facts) {
    named = fact.expansions;
    const scope = inside ? ({ kind: 'document', id: fact.documentId, pages: null } as const) : ({ kind: 'library' } as const);
    const choice = choosePages(fact.store.documents, engine, scope, question(fact), { mostPages: 3, expand, wordVectors });
    // Where nothing matches, nothing is chosen.
    const { chosen } = await choice.catch(() => ({ chosen: [] }));
    if (chosen.some(({ documentId, number }) => documentId === fact.documentId && number === fact.number)) hits++;
  }
  return (100 * hits) / facts.length;
}

test('the table has 60 facts on 520 pages', () => {
  expect(facts).toHaveLength(60 * seeds.length);
  for (const store of stores) expect(store.documents.list().reduce((sum, { pageCount }) => sum + pageCount, 0)).toBe(520);
});

const inItsWords = ({ lexical }: Fact): string => lexical;
const inOtherWords = ({ paraphrased }: Fact): string => paraphrased;

test.each([
  { what: 'in its words, in the library,', least: 97, question: inItsWords, how: { inside: false, expand: false } },
  { what: 'in its words and what a model names, in the library,', least: 97, question: inItsWords, how: { inside: false, expand: true } },
  { what: 'in its words, in its document,', least: 97, question: inItsWords, how: { inside: true, expand: false } },
  { what: 'in other words, in its document,', least: 25, question: inOtherWords, how: { inside: true, expand: false } },
  {
    what: 'in other words and what a model names, in its document,',
    least: 90,
    question: inOtherWords,
    how: { inside: true, expand: true },
  },
])('a page is asked for $what and is among three in at least $least %', { timeout: 120_000 }, async ({ what, least, question, how }) => {
  const hits = await hitsAtThree(question, how);
  console.log(`${what} ${hits.toFixed(1)} %`);
  expect(hits).toBeGreaterThanOrEqual(least);
});
