/** The library as a window uses it: real store, real reader. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createApp, type App } from '../app.ts';
import { parseEvent, parseOutput, type EventMessage, type Input, type Output, type RequestName } from '../contract.ts';
import { dispatch } from '../dispatch.ts';
import { line, writePdf } from '../documents/test/write-pdf.ts';
import { root } from '../host/paths.ts';
import { openStore } from '../storage/store.ts';
import { testPorts } from '../test/test-ports.ts';

let directory: string;
let app: App;
const events: EventMessage[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-documents-'));
  const store = openStore(directory, { tolerant: true });
  // The backup of the day, which keeps what it has: none is due while documents come and go.
  await store.care.maintain();
  expect(readdirSync(join(directory, 'backups'))).toHaveLength(1);
  app = createApp(testPorts(directory, { store, host: { demoModel: directory } }));
  app.on((event) => events.push(parseEvent(structuredClone(event))));
});
afterAll(async () => {
  await app.close();
  rmSync(directory, { recursive: true });
});

async function ask<Name extends RequestName>(name: Name, input: Input<Name>): Promise<Output<Name>> {
  const reply = await dispatch(app.handlers, name, input);
  if (!reply.ok) throw Object.assign(new Error(reply.message), reply);
  return parseOutput(name, reply.output);
}

async function send(name: string, bytes: Uint8Array): Promise<Output<'documents.finish'>> {
  const { upload } = await ask('documents.begin', { name, bytes: bytes.length });
  const half = Math.floor(bytes.length / 2);
  for (const piece of [bytes.slice(0, half), bytes.slice(half)]) await ask('documents.piece', { upload, bytes: piece });
  return ask('documents.finish', { upload, password: null, pages: null });
}

const wholeOf = async (id: number): Promise<Output<'documents.list'>[number] | undefined> =>
  (await ask('documents.list', {})).find((document) => document.id === id);

test('a file is sent, read, looked into, searched and removed', async () => {
  const pdf = writePdf({ pages: [{ content: line('Rent is due monthly') }, { content: line('Termination requires notice') }] });
  const { document, known } = await send('lease.pdf', new Uint8Array(pdf));
  expect([known, document.name, document.pageCount, document.reading]).toEqual([false, 'lease.pdf', 2, { left: 2, ocr: false }]);
  const { id } = document;
  await vi.waitFor(async () => expect(await wholeOf(id)).toMatchObject({ marks: 'tt', reading: null, failure: null }), 30_000);
  expect(events).toContainEqual({ event: 'document.changed', payload: await wholeOf(id) });

  expect((await ask('documents.pages', { id })).map(({ number, state }) => [number, state])).toEqual([
    [1, 'text'],
    [2, 'text'],
  ]);
  const { text, words } = await ask('documents.page', { id, number: 2 });
  expect(text).toBe('Termination requires notice');
  expect(words.map((word) => word.text)).toEqual(['Termination', 'requires', 'notice']);
  expect(words.every(({ box: [left, top, right, bottom] }) => left < right && top < bottom)).toBe(true);

  const shown = await app.pagePicture(id, 2, 640);
  expect(await sharp(shown.bytes).metadata()).toMatchObject({ format: 'png', width: 640, height: 906 });
  expect(readdirSync(join(directory, 'cache', 'pages'), { recursive: true }).filter((path) => String(path).endsWith('.png'))).toHaveLength(
    1,
  );

  const hits = await ask('documents.search', { query: 'when can I terminate?', documentId: null, limit: 10 });
  expect(hits.map(({ documentId, number }) => [documentId, number])).toEqual([[id, 2]]);
  expect(hits[0]!.snippet.find(({ hit }) => hit)?.text).toBe('Termination');
  expect((await send('again.pdf', new Uint8Array(pdf))).known).toBe(true);

  await ask('documents.remove', { id });
  expect(events).toContainEqual({ event: 'document.removed', payload: { id } });
  expect(await ask('documents.list', {})).toEqual([]);
  expect(await ask('documents.search', { query: 'terminate', documentId: null, limit: 10 })).toEqual([]);
  expect(readdirSync(join(directory, 'documents'), { recursive: true, encoding: 'utf8' }).filter((path) => path.length > 40)).toEqual([]);
  expect(readdirSync(join(directory, 'cache', 'pages'))).toEqual([]);
  await expect(app.pagePicture(id, 2, 640)).rejects.toMatchObject({ code: 'not_found' });
});

test('a page that is read from its picture says where its words are, in the pixels of the picture', { timeout: 120_000 }, async () => {
  const { document } = await send('screen.png', new Uint8Array(readFileSync(join(root, 'fixtures', 'ocr', 'pictures', '36.png'))));
  const { id } = document;
  await ask('documents.read', { id, ocr: true, password: null });
  await vi.waitFor(async () => expect((await wholeOf(id))?.marks).toBe('o'), { timeout: 100_000, interval: 100 });
  const [{ width, height } = { width: 0, height: 0 }] = await ask('documents.pages', { id });
  const { text, words } = await ask('documents.page', { id, number: 1 });
  expect(words.length).toBeGreaterThan(10);
  expect(words.map((word) => word.text)).toEqual(text.split(/\s+/));
  for (const { text: word, box } of words) {
    const [left, top, right, bottom] = box;
    expect(left >= 0 && left < right && right <= width && top >= 0 && top < bottom && bottom <= height, `${word}: ${box.join()}`).toBe(
      true,
    );
  }
  await ask('documents.remove', { id });
});

/** Files of the data folder that hold one of these words, in any case. The daily backup, which a slow test gets, may. */
function filesWith(...words: string[]): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) => {
    const file = join(directory, path);
    if (path.startsWith('backups') || !statSync(file).isFile()) return false;
    const text = readFileSync(file, 'latin1').toLowerCase();
    return words.some((word) => text.includes(word));
  });
}

test('of a document that is removed nothing is left: no word, no name, no picture of a page', async () => {
  // No two begin alike: what words have in common the index writes once.
  const words = ['quincunx', 'jabberwock', 'vorpalblade', 'zugzwang'];
  const pages = Array.from({ length: 30 }, (_, index) => ({
    content: words.map((word, row) => line(`${word} ${index} rent`, 72, 700 - 20 * row)).join(''),
  }));
  const { document } = await send('kazoosolo.pdf', new Uint8Array(writePdf({ pages })));
  const { id } = document;
  await vi.waitFor(async () => expect((await wholeOf(id))?.marks).toBe('t'.repeat(30)), 60_000);
  for (const width of [160, 640]) await app.pagePicture(id, 3, width);
  await ask('documents.search', { query: 'zugzwang', documentId: id, limit: 10 });
  const before = filesWith(...words);
  expect(before.some((path) => path.startsWith('documents'))).toBe(true);
  expect(before.some((path) => path.startsWith('loupe.db'))).toBe(true);

  await ask('documents.remove', { id });
  expect(filesWith('kazoosolo', ...words)).toEqual([]);
  expect(readdirSync(join(directory, 'cache', 'pages'))).toEqual([]);
  expect(readdirSync(join(directory, 'documents', 'incoming'))).toEqual([]);
});

test('what is not a document is refused by its name', async () => {
  await expect(send('notes.txt', new TextEncoder().encode('Dear diary'))).rejects.toThrow('notes.txt is neither a PDF nor a picture');
  await expect(ask('documents.read', { id: 99, ocr: false, password: null })).rejects.toThrow('There is no document 99.');
});
