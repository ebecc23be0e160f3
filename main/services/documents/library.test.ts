/** The library over the real store and the real reader. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Quad, TextLine } from '../../contract.ts';
import { createDocumentReader } from '../../documents/document-client.ts';
import { rc4Encryption } from '../../documents/test/encrypt-pdf.ts';
import { line, writePdf } from '../../documents/test/write-pdf.ts';
import { root } from '../../host/paths.ts';
import { openStore } from '../../storage/store.ts';
import type { DocumentReader, Store, TextRecogniser } from '../ports.ts';
import { createLibrary, type Library } from './library.ts';

let folder: string;
let store: Store;
let library: Library;
let reader: DocumentReader;
beforeAll(() => {
  reader = createDocumentReader();
});
afterAll(() => reader.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-library-'));
  store = openStore(join(folder, 'data'));
  library = createLibrary({ store, reader });
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function save(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const pagesOf = (count: number): Buffer =>
  writePdf({ pages: Array.from({ length: count }, (_, index) => ({ content: line(`Clause ${index + 1}`) })) });
const drawing = '0 0 1 rg 100 100 200 200 re f';
/** Copies, and what is not whole yet. */
const kept = (): string[] =>
  readdirSync(join(folder, 'data'), { recursive: true, encoding: 'utf8' }).filter((path) => /^documents\/.+\/./.test(path));

describe('adding', () => {
  test('keeps the file by its hash and knows the same bytes again under any name', async () => {
    const bytes = pagesOf(2);
    const first = await library.add(save('договор 契約.pdf', bytes));
    expect([first.known, first.document.name, first.document.states.waiting]).toEqual([false, 'договор 契約.pdf', 2]);
    const again = await library.add(save('copy.pdf', bytes));
    expect([again.known, again.document.id, again.document.name]).toEqual([true, first.document.id, 'договор 契約.pdf']);
    expect(kept()).toEqual([expect.stringContaining(first.document.hash)]);
    expect(store.documents.list()).toHaveLength(1);
  });

  test.each([
    ['חוזה שכירות.pdf', 'חוזה שכירות.pdf'],
    ['عقد إيجار.pdf', 'عقد إيجار.pdf'],
    ['👩‍👩‍👧 receipts 🦊.pdf', '👩‍👩‍👧 receipts 🦊.pdf'],
    [`${'é'.repeat(125)}.pdf`, `${'é'.repeat(125)}.pdf`],
    ['two\nlines\u001b[2J.pdf', 'two lines [2J.pdf'],
    ['invoice\u202efdp.exe', 'invoice fdp.exe'],
    ['half \ud83d.pdf', 'half \ufffd.pdf'],
    ['\n', 'A file without a name'],
    ['%s `$(date)` <b>&amp; "\'".pdf', '%s `$(date)` <b>&amp; "\'".pdf'],
  ])('takes a file whatever it is called: %j', async (name, shown) => {
    const incoming = await store.documentFiles.receive();
    await incoming.append(pagesOf(1));
    const { document } = await library.addReceived(incoming, name);
    expect([document.name, store.documents.list()[0]!.name]).toEqual([shown, shown]);
    // As the command line does, where the system has such a name.
    if (!/[\ud800-\udfff](?![\udc00-\udfff])|^\n$/u.test(name)) {
      const { known } = await library.add(save(name, pagesOf(1)));
      expect(known).toBe(true);
    }
    expect((await library.read(document.id)).states.text).toBe(1);
  });

  test.each([
    ['is gone', (path: string) => rmSync(path), 'does not exist.'],
    ['is another file', (path: string) => writeFileSync(path, pagesOf(3)), 'changed while it was being copied.'],
    ['is a folder', (path: string) => (rmSync(path), mkdirSync(path)), 'cannot be read any more.'],
  ])('says so where the file %s when its copy begins, and keeps nothing', async (_, change, message) => {
    const path = save('lease.pdf', pagesOf(1));
    const late: DocumentReader = {
      ...reader,
      open: async (...given) => {
        const facts = await reader.open(...given);
        change(path);
        return facts;
      },
    };
    await expect(createLibrary({ store, reader: late }).add(path)).rejects.toThrow(`lease.pdf ${message}`);
    expect([store.documents.list(), kept()]).toEqual([[], []]);
  });

  test('brings back the copy that is missing', async () => {
    const path = save('a.pdf', pagesOf(1));
    const { document } = await library.add(path);
    rmSync(store.documentFiles.path(document.hash));
    await expect(library.read(document.id)).rejects.toThrow('Loupe’s copy of a.pdf is missing from the data folder.');
    expect((await library.add(path)).known).toBe(true);
    expect((await library.read(document.id)).states.text).toBe(1);
  });

  test.each([
    ['empty.pdf', '', 'empty.pdf is empty: it has 0 bytes.'],
    ['page.pdf', '<!doctype html><title>Log in</title>', 'page.pdf is a web page, not a document.'],
    ['notes.txt', 'Dear diary', 'notes.txt is neither a PDF nor a picture that Loupe reads.'],
  ])('refuses %s and keeps nothing of it', async (name, bytes, message) => {
    await expect(library.add(save(name, bytes))).rejects.toThrow(message);
    expect(store.documents.list()).toEqual([]);
  });

  test('asks which of more than 5,000 pages', async () => {
    const path = save('long.pdf', pagesOf(5001));
    await expect(library.add(path)).rejects.toThrow('long.pdf has 5,001 pages; at most 5,000 are read at once.');
    const { document } = await library.add(path, { pages: '5000-5001' });
    await library.read(document.id);
    expect(store.documents.pages(document.id).map(({ number, text }) => [number, text])).toEqual([
      [5000, 'Clause 5000'],
      [5001, 'Clause 5001'],
    ]);
  });

  test('a password is used and not kept', async () => {
    const path = save('locked.pdf', writePdf({ pages: [{ content: line('Secret') }], encryption: rc4Encryption('sesame') }));
    await expect(library.add(path)).rejects.toMatchObject({ code: 'document_locked' });
    const { document } = await library.add(path, { password: 'sesame' });
    await expect(library.read(document.id)).rejects.toMatchObject({ code: 'document_locked', message: 'locked.pdf needs a password.' });
    expect(store.documents.get(document.id)).toMatchObject({ failure: null, states: { waiting: 1 } });
    expect((await library.read(document.id, { password: 'sesame' })).states).toMatchObject({ waiting: 0, text: 1 });
  });
});

describe('reading', () => {
  const mixed = writePdf({ pages: [{ content: line('Notice period') }, { content: drawing }, { content: '' }] });
  const recogniser = (text: string | null, words: TextLine['words'] = []): TextRecogniser => ({
    recognise: async () => (text === null ? [] : [{ before: '', text, confidence: 1, quad: square(0, 0), words }]),
    close: async () => {},
  });
  const square = (left: number, top: number, side = 1): Quad => [
    [left, top],
    [left + side, top],
    [left + side, top + side],
    [left, top + side],
  ];

  test('says of each page what became of it, and reads the picture of one later', async () => {
    const { document } = await library.add(save('mixed.pdf', mixed));
    const seen: [number, number][] = [];
    const read = await library.read(document.id, { onPage: ({ number }, left) => seen.push([number, left]) });
    expect(seen).toEqual([
      [1, 2],
      [2, 1],
      [3, 0],
    ]);
    expect(read.states).toEqual({ waiting: 0, text: 1, ocr: 0, picture: 1, blank: 1, failed: 0 });
    const later: number[] = [];
    await library.read(document.id, { recogniser: recogniser('Wiring diagram'), onPage: ({ number }) => later.push(number) });
    expect(later).toEqual([2]);
    expect(store.documents.page(document.id, 2)).toMatchObject({ state: 'ocr', text: 'Wiring diagram' });
    expect(store.documents.search({ words: ['diagrams'], limit: 5 }).map(({ number }) => number)).toEqual([2]);
    expect((await library.read(document.id, { recogniser: recogniser(null) })).states.ocr).toBe(1);
  });

  test('keeps where words are that were read from a picture, in the units of the page and upright', async () => {
    const { document } = await library.add(save('mixed.pdf', mixed));
    // A page is read at 150 dots an inch, and has 72 points an inch.
    const turned: Quad = [
      [300, 150],
      [400, 200],
      [375, 250],
      [275, 200],
    ];
    const words = [
      { text: 'Wiring', quad: square(150, 75, 75) },
      { text: 'diagram', quad: turned },
    ];
    await library.read(document.id, { recogniser: recogniser('Wiring diagram', words) });
    const kept = store.documents.words(document.id, 2);
    expect(kept.map(({ text }) => text)).toEqual(['Wiring', 'diagram']);
    for (const [index, expected] of [
      [72, 36, 108, 72],
      [132, 72, 192, 120],
    ].entries())
      for (const [side, at] of expected.entries()) expect(Math.abs(kept[index]!.box[side]! - at), `${index}.${side}`).toBeLessThan(0.3);
    expect(store.documents.words(document.id, 1)).toEqual([]);
  });

  test('that is stopped is resumed with the page that waits', async () => {
    const { document } = await library.add(save('long.pdf', pagesOf(6)));
    const stop = new AbortController();
    const onPage = ({ number }: { number: number }): void => {
      if (number === 3) stop.abort();
    };
    await expect(library.read(document.id, { signal: stop.signal, onPage })).rejects.toMatchObject({ code: 'cancelled' });
    expect(store.documents.numbers(document.id, 'waiting')).toEqual([4, 5, 6]);
    const rest: number[] = [];
    await library.read(document.id, { onPage: ({ number }) => rest.push(number) });
    expect(rest).toEqual([4, 5, 6]);
  });

  test('that is killed loses no page and repeats none', { timeout: 120_000 }, async () => {
    const { document } = await library.add(save('long.pdf', pagesOf(40)));
    store.close();
    const read: number[] = [];
    for (let kills = 0; kills < 5; kills++) {
      const child = spawn(process.execPath, [
        join(root, 'main', 'services', 'documents', 'test', 'read-on.ts'),
        join(folder, 'data'),
        `${document.id}`,
      ]);
      const stopAt = read.length + 3 + kills;
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        read.push(...text.trim().split('\n').map(Number));
        if (read.length >= stopAt) child.kill('SIGKILL');
      });
      await once(child, 'close');
    }
    store = openStore(join(folder, 'data'));
    library = createLibrary({ store, reader });
    const waiting = store.documents.numbers(document.id, 'waiting');
    // A page may be stored whose number was not said any more.
    expect(waiting.length).toBeLessThanOrEqual(40 - read.length);
    expect(new Set(read).size).toBe(read.length);
    expect(read.filter((number) => waiting.includes(number))).toEqual([]);
    await library.read(document.id);
    expect(store.documents.pages(document.id).map(({ text }) => text)).toEqual(
      Array.from({ length: 40 }, (_, index) => `Clause ${index + 1}`),
    );
  });
});

test('removing takes the file and the pages', async () => {
  const { document } = await library.add(save('a.pdf', pagesOf(1)));
  await library.read(document.id);
  expect(library.remove(document.id).name).toBe('a.pdf');
  expect([kept(), store.documents.list(), store.documents.search({ words: ['clause'], limit: 5 })]).toEqual([[], [], []]);
  expect(() => library.remove(document.id)).toThrow(`There is no document ${document.id}.`);
});
