import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CellPages, type CellPage } from './cell-pages.ts';
import { createFakeClient, type FakeClient } from './fake-client.ts';

let client: FakeClient;
let pages: CellPages;
let isGone: boolean;
/** What was told, in its order. */
let told: (CellPage | 'gone')[];

beforeEach(() => {
  vi.useFakeTimers();
  isGone = false;
  told = [];
  client = createFakeClient({
    'documents.pages': ({ id }) => [1, 2, 3].map((number) => ({ number, label: `${id}-${number}` }) as never),
    'documents.page': ({ id, number }) => {
      if (isGone) throw new Error('It was removed.');
      return { text: '', words: [{ text: `${id}-${number}`, box: [0, 0, 1, 1] }] } as never;
    },
  });
  pages = new CellPages(client);
});
afterEach(() => {
  pages.close();
  vi.useRealTimers();
});

const want = (documentId: number, number: number): (() => void) =>
  pages.want(documentId, number, { found: (page) => told.push(page), gone: () => told.push('gone') });
const rest = (): Promise<unknown> => vi.runAllTimersAsync();
const requests = (): string[] => client.asked.map(({ name, input }) => `${name} ${Object.values(input as object).join('.')}`);

async function look(documentId: number, number: number): Promise<void> {
  const stop = want(documentId, number);
  await rest();
  stop();
}

test('cells that the arrows pass ask for nothing', async () => {
  for (let document = 1; document <= 50; document++) {
    const stop = want(document, 1);
    await vi.advanceTimersByTimeAsync(30);
    stop();
  }
  await look(51, 2);
  expect(requests()).toEqual(['documents.pages 51', 'documents.page 51.2']);
  expect(told).toEqual([{ page: { number: 2, label: '51-2' }, words: [{ text: '51-2', box: [0, 0, 1, 1] }] }]);
});

test('a page is read once for all cells on it, and a document’s pages once for all of its pages', async () => {
  for (const number of [1, 1, 2, 1, 9]) await look(7, number);
  expect(requests()).toEqual(['documents.pages 7', 'documents.page 7.1', 'documents.page 7.2', 'documents.page 7.9']);
  expect(told.map((one) => (one === 'gone' ? one : (one.page?.number ?? null)))).toEqual([1, 1, 2, 1, null]);
  // What is known is there without a wait.
  want(7, 2);
  expect(told).toHaveLength(6);
});

test('what is passed while it is being read is kept and not told', async () => {
  const stop = want(7, 1);
  vi.advanceTimersByTime(200);
  stop();
  await rest();
  expect(told).toEqual([]);
  want(7, 1);
  expect([told.length, requests().length]).toEqual([1, 2]);
});

test('a document that changes is read again, the others are not', async () => {
  for (const id of [7, 77]) await look(id, 1);
  client.send('document.changed', { id: 7 } as never);
  for (const id of [7, 77]) await look(id, 1);
  expect(requests().slice(4)).toEqual(['documents.pages 7', 'documents.page 7.1']);
});

test('what changes while it is being read is read again', async () => {
  want(7, 1);
  vi.advanceTimersByTime(200);
  client.send('document.changed', { id: 7 } as never);
  await rest();
  await look(7, 1);
  expect(requests()).toHaveLength(4);
});

test('a failure is told, and not kept', async () => {
  isGone = true;
  await look(7, 1);
  isGone = false;
  await look(7, 1);
  expect(told).toEqual(['gone', expect.objectContaining({ page: expect.anything() as unknown })]);
});

test('only what was read last is kept', async () => {
  for (let document = 1; document <= 40; document++) await look(document, 1);
  const before = client.asked.length;
  await look(40, 1);
  await look(1, 1);
  expect(requests().slice(before)).toEqual(['documents.pages 1', 'documents.page 1.1']);
});
