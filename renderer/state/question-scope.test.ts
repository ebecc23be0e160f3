import { expect, test } from 'vitest';
import type { AskedScope, LibraryDocument, Message } from '../../main/contract.ts';
import { PagePace } from './page-pace.svelte.ts';
import { asksForAll, lastScope, pagesOf, sentScope, timeForPages, withEvery, wordsIn } from './question-scope.ts';

const lease: AskedScope = { kind: 'document', id: 3, name: 'lease.pdf', removed: false, pages: '2-9' };

test('the pages that there are to look at: those that are read and not blank, where all of a document or of the library are meant', () => {
  const states = { waiting: 1, text: 2, ocr: 3, picture: 4, blank: 5, failed: 6 };
  const documents = [3, 4].map((id) => ({ id, states }) as LibraryDocument);
  expect(pagesOf(documents, { ...lease, pages: null })).toBe(9);
  expect(pagesOf(documents, { kind: 'library' })).toBe(18);
  expect([pagesOf(documents, lease), pagesOf([], { kind: 'library' }), pagesOf(documents, null)]).toEqual([null, null, null]);
});

test('every page is sent with the question, and is over with it', () => {
  const every = withEvery(lease, true);
  expect(sentScope(every)).toEqual({ kind: 'document', id: 3, pages: '2-9', every: true });
  expect(sentScope(withEvery(every, false))).toEqual({ kind: 'document', id: 3, pages: '2-9' });
  expect(sentScope(withEvery({ kind: 'library' }, true))).toEqual({ kind: 'library', every: true });
  const asked = [{ role: 'user', scope: { ...every, words: ['rent'] } }] as Message[];
  expect(lastScope(asked)).toEqual(lease);
  expect(lastScope([{ role: 'user', scope: { ...every, removed: true } }] as Message[])).toBeNull();
});

test('words to search for are written with commas between them', () => {
  expect(wordsIn(' notice period, terminate;  move out\nterminate, ,')).toEqual(['notice period', 'terminate', 'move out']);
  expect(wordsIn(' , ;')).toEqual([]);
  expect(wordsIn(Array.from({ length: 99 }, (_, index) => `word${index}`).join())).toHaveLength(64);
});

test.each([
  ['List the payments', true],
  ['What is the total of all invoices?', true],
  ['How many pages mention asbestos?', true],
  ['Sum up the rents', true],
  ['Does every tenant have a key?', true],
  ['How long is the notice period?', false],
  ['What is the summit called?', false],
  ['Who is enlisted?', false],
])('%s: %s', (question, all) => {
  expect(asksForAll(question)).toBe(all);
});

test('how long it takes is judged by what the answer before took for a page', () => {
  const coverage = { looks: [{}, {}, {}, {}] } as unknown as Message['coverage'];
  const statistics = { firstTokenMs: 2000, tokensPerSecond: 40 } as Message['statistics'];
  // Half a second to read a page, and half a second for a note of twenty tokens.
  expect(timeForPages(30, { coverage, statistics })).toBe(30_000);
  expect(timeForPages(30, { coverage, statistics: null })).toBeNull();
  expect(timeForPages(30, { coverage: null, statistics })).toBeNull();
});

test('what is left is judged by the pages that somebody watched', () => {
  let now = 1000;
  const pace = new PagePace(() => now);
  pace.follow({ done: 12, total: 20 });
  expect(pace.left).toBeNull();
  now += 3000;
  pace.follow({ done: 14, total: 20 });
  expect(pace.left).toBe(9);
  // Another answer begins.
  pace.follow({ done: 0, total: 20 });
  expect(pace.left).toBeNull();
});
