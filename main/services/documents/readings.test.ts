import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { EventMessage } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import { openStore } from '../../storage/store.ts';
import type { DocumentReader, PageReading, Store, TextRecogniser } from '../ports.ts';
import { createLibrary } from './library.ts';
import { createReadings, type Readings } from './readings.ts';

let folder: string;
let store: Store;
let readings: Readings;
let events: EventMessage[];
/** Each page that is asked for, as "file:number", in order. */
let asked: string[];
/** What becomes of a page; absent: it has text. */
let outcome: (number: number, signal: AbortSignal | undefined) => Promise<Partial<PageReading>>;

const reader: Pick<DocumentReader, 'readPage' | 'drawPage'> = {
  async readPage(file, number, { signal } = {}) {
    asked.push(`${file.name}:${number}`);
    const page = { number, label: String(number), width: 1, height: 1, rotation: 0, flags: [], words: [], fields: [], hiddenWords: 0 };
    return { ...page, state: 'text', text: `page ${number}`, failure: null, ...(await outcome(number, signal)) };
  },
  drawPage: async () => ({ data: new Uint8Array(3), width: 1, height: 1 }),
};
const recogniser: Pick<TextRecogniser, 'recognise'> = {
  recognise: async () => [{ text: 'seen', confidence: 1, quad: [0, 0, 1, 0, 1, 1, 0, 1], words: [], cells: null, gap: 0 }] as never,
};

function begin(): void {
  const library = createLibrary({ store, reader: reader as DocumentReader });
  readings = createReadings({
    store,
    library,
    recogniser: recogniser as TextRecogniser,
    emit: (event) => events.push(event),
    reportEveryMs: 0,
  });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-readings-'));
  store = openStore(folder);
  events = [];
  asked = [];
  outcome = async () => ({});
  begin();
});
afterEach(async () => {
  await readings.close();
  store.close();
  rmSync(folder, { recursive: true });
});

async function add(name: string, pages: number): Promise<number> {
  const incoming = await store.documentFiles.receive();
  await incoming.append(new TextEncoder().encode(name));
  const brought = await incoming.finish();
  const document = store.documents.add({ kind: 'pdf', name, bytes: 1, pageCount: pages, hash: brought.hash, from: 1, to: pages });
  brought.keep();
  return document.id;
}

const viewed = (id: number): ReturnType<Readings['view']> => readings.view(store.documents.get(id));
const ended = (id: number): Promise<void> => vi.waitFor(() => expect(viewed(id).reading).toBeNull(), 10_000);

test('documents are read one after the other, and each page is reported', async () => {
  const [one, two] = [await add('a.pdf', 2), await add('b.pdf', 1)];
  readings.start(one, { ocr: false });
  readings.start(two, { ocr: false });
  expect([viewed(one).reading, viewed(two).reading]).toEqual([
    { left: 2, ocr: false },
    { left: 1, ocr: false },
  ]);
  await ended(two);
  expect(asked).toEqual(['a.pdf:1', 'a.pdf:2', 'b.pdf:1']);
  const marks = events.flatMap(({ event, payload }) => (event === 'document.changed' && payload.id === one ? [payload.marks] : []));
  expect(marks.at(0)).toBe('ww');
  expect(marks.at(-1)).toBe('tt');
});

test('stopping keeps what was read, and leaves the next one its turn', async () => {
  const [one, two] = [await add('a.pdf', 3), await add('b.pdf', 1)];
  const reached = Promise.withResolvers<void>();
  outcome = (number, signal) =>
    number < 2
      ? Promise.resolve({})
      : new Promise((_, reject) => {
          signal!.addEventListener('abort', () => reject(new LoupeError('cancelled', 'Stopped.')));
          reached.resolve();
        });
  readings.start(one, { ocr: false });
  readings.start(two, { ocr: false });
  await reached.promise;
  await readings.stop(one);
  expect(viewed(one)).toMatchObject({ marks: 'tww', reading: null, failure: null });
  await ended(two);
  expect(viewed(two).marks).toBe('t');
});

test('a start of the app reads on with what waits, and leaves pages that failed', async () => {
  const [one, two] = [await add('a.pdf', 2), await add('b.pdf', 1)];
  outcome = async () => ({ state: 'failed', text: '', failure: new LoupeError('document_failed', 'Broken.').toFailure() });
  readings.start(two, { ocr: false });
  await ended(two);
  await readings.close();
  asked = [];
  outcome = async () => ({});
  begin();
  readings.resume();
  await ended(one);
  expect(asked).toEqual(['a.pdf:1', 'a.pdf:2']);
  expect(viewed(two).marks).toBe('f');
  readings.start(two, { ocr: false });
  await ended(two);
  expect(viewed(two).marks).toBe('t');
});

test('a password that is missing is said until one is given, and kept nowhere', async () => {
  const id = await add('a.pdf', 1);
  outcome = async () => {
    throw new LoupeError('document_locked', 'a.pdf needs a password.');
  };
  readings.start(id, { ocr: false });
  await ended(id);
  expect(viewed(id)).toMatchObject({ marks: 'w', failure: { code: 'document_locked' } });
  expect(store.documents.get(id).failure).toBeNull();
  outcome = async () => ({});
  readings.start(id, { ocr: false, password: 'open' });
  expect(viewed(id).failure).toBeNull();
  await ended(id);
  expect(viewed(id)).toMatchObject({ marks: 't', failure: null });
});

test('the text in pictures is read where it is wanted, also while the document is being read', async () => {
  const id = await add('a.pdf', 2);
  outcome = async () => ({ state: 'picture', text: '' });
  readings.start(id, { ocr: false });
  readings.start(id, { ocr: true });
  expect(viewed(id).reading).toEqual({ left: 2, ocr: true });
  await ended(id);
  expect(viewed(id).marks).toBe('oo');
});

test('one that has nothing left to read is not read again', async () => {
  const id = await add('a.pdf', 1);
  readings.start(id, { ocr: false });
  await ended(id);
  events = [];
  readings.start(id, { ocr: true });
  expect(viewed(id).reading).toBeNull();
  expect([asked, events]).toEqual([['a.pdf:1'], []]);
});

test('a document that is removed while it is read is not missed', async () => {
  const id = await add('a.pdf', 1);
  outcome = async () => {
    store.documents.remove(id);
    return {};
  };
  readings.start(id, { ocr: false });
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  await readings.stop(id);
  expect(store.documents.list()).toEqual([]);
});

test('says why a document that is read cannot be shown, until a password is entered', async () => {
  const id = await add('locked.pdf', 1);
  readings.start(id, { ocr: false });
  await vi.waitFor(() => expect(readings.view(store.documents.get(id)).reading).toBeNull());
  readings.fail(id, new LoupeError('document_locked', 'locked.pdf needs a password.').toFailure());
  await vi.waitFor(() => expect(events.at(-1)).toMatchObject({ payload: { id, failure: { code: 'document_locked' } } }));
  readings.start(id, { ocr: false, password: 'open' });
  await vi.waitFor(() => expect(events.at(-1)).toMatchObject({ payload: { id, failure: null, reading: null } }));
  expect(readings.passwordOf(id)).toBe('open');
});
