import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NewDocument, PageReading, Store } from '../services/ports.ts';
import { databasePath } from './backups.ts';
import { examineFile } from './check.ts';
import { migrations } from './migrations/index.ts';
import { openStore } from './store.ts';

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-document-store-'));
  store = openStore(folder, { clock: { now: () => 1000 } });
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const lease: NewDocument = { hash: 'a'.repeat(64), name: 'lease.pdf', kind: 'pdf', bytes: 9, pageCount: 3, from: 1, to: 3 };

function reading(number: number, text: string, more: Partial<PageReading> = {}): PageReading {
  return {
    number,
    label: String(number),
    width: 595,
    height: 842,
    rotation: 0,
    state: text === '' ? 'blank' : 'text',
    flags: [],
    text,
    words: [],
    fields: [],
    hiddenWords: 0,
    failure: null,
    ...more,
  };
}

const found = (words: string[], documentId?: number): [string, number][] =>
  store.documents.search({ words, documentId, limit: 10 }).map(({ name, number }) => [name, number]);

describe('pages', () => {
  test('all of them wait before the first is read, and each is kept with what became of it', () => {
    const { id } = store.documents.add(lease);
    expect(store.documents.numbers(id, 'waiting')).toEqual([1, 2, 3]);
    const failure = { ok: false as const, code: 'document_failed' as const, message: 'Page 3 broke.', nextStep: 'Try again.' };
    store.documents.savePage(id, reading(1, 'Notice period', { label: 'i', flags: ['hidden-text', 'form'], hiddenWords: 2 }));
    store.documents.savePage(id, reading(3, '', { state: 'failed', failure }));
    expect(store.documents.numbers(id, 'waiting')).toEqual([2]);
    expect(store.documents.get(id)).toEqual({
      id,
      hash: lease.hash,
      name: 'lease.pdf',
      keepsText: true,
      kind: 'pdf',
      bytes: 9,
      pageCount: 3,
      failure: null,
      addedAt: 1000,
      states: { waiting: 1, text: 1, ocr: 0, picture: 0, blank: 0, failed: 1 },
    });
    expect(
      store.documents
        .pages(id)
        .map(({ label, state, flags, text, hiddenWords, failure: why }) => [label, state, flags, text, hiddenWords, why]),
    ).toEqual([
      ['i', 'text', ['hidden-text', 'form'], 'Notice period', 2, null],
      ['2', 'waiting', [], '', 0, null],
      ['3', 'failed', [], '', 0, failure],
    ]);
    expect(store.documents.retry(id)).toBe(1);
    expect(store.documents.numbers(id, 'waiting')).toEqual([2, 3]);
  });

  test('marks are letters, capitals where a part of the page is missing or left out', () => {
    const pages: [Partial<PageReading>, string][] = [
      [{ flags: ['form', 'font-missing', 'too-large'] }, 't'],
      [{ flags: ['form', 'hidden-text'] }, 'T'],
      [{ flags: ['damaged'] }, 'T'],
      [{ state: 'picture', flags: ['garbled'] }, 'P'],
      [{ state: 'picture', flags: ['picture-not-drawn'] }, 'P'],
      [{ state: 'ocr', flags: ['garbled', 'hidden-text'] }, 'o'],
      [{ state: 'ocr', flags: ['damaged'] }, 'O'],
      [{ state: 'blank' }, 'b'],
    ];
    const { id } = store.documents.add({ ...lease, pageCount: pages.length + 1, to: pages.length + 1 });
    for (const [index, [page]] of pages.entries()) store.documents.savePage(id, reading(index + 1, 'Rent', page));
    expect(store.documents.marks(id)).toBe(`${pages.map(([, mark]) => mark).join('')}w`);
  });

  test('a page that was read stays as it is', () => {
    const { id } = store.documents.add(lease);
    store.documents.savePage(id, reading(1, 'First'));
    store.documents.savePage(id, reading(1, 'Second'));
    expect(store.documents.page(id, 1).text).toBe('First');
    expect(found(['second'])).toEqual([]);
    store.documents.savePage(id, reading(2, '', { state: 'picture' }));
    store.documents.savePage(id, reading(2, 'Read since', { state: 'ocr' }));
    store.documents.savePage(id, reading(2, 'Read twice', { state: 'ocr' }));
    expect(store.documents.page(id, 2)).toMatchObject({ state: 'ocr', text: 'Read since' });
  });

  test('places are kept of words that were read from a picture, and go with the page', () => {
    const { id } = store.documents.add(lease);
    const words = [
      { text: 'Notice', box: [10, 20, 60.5, 31] },
      { text: '契約', box: [-3, 800, 700, 842] },
    ] satisfies PageReading['words'];
    store.documents.savePage(id, reading(1, 'Notice\n契約', { state: 'ocr', words }));
    const kept = store.documents.words(id, 1);
    expect(kept.map(({ text }) => text)).toEqual(['Notice', '契約']);
    for (const [side, at] of [10, 20, 60.5, 31].entries()) expect(kept[0]!.box[side]).toBeCloseTo(at, 1);
    // Nothing is beyond the page.
    expect(kept[1]!.box.map(Math.round)).toEqual([0, 800, 595, 842]);
    expect(() => store.documents.words(id, 9)).toThrow('lease.pdf has no page 9 here.');
    // The file itself tells those of its own text; of words that are not those of the text no place is known.
    store.documents.savePage(id, reading(2, 'Notice 契約', { words }));
    store.documents.savePage(id, reading(3, 'Notice period', { state: 'ocr', words }));
    expect([store.documents.words(id, 2), store.documents.words(id, 3)]).toEqual([[], []]);
    store.documents.savePage(id, reading(1, 'Another', { state: 'ocr', words: [{ text: 'Another', box: [1, 1, 2, 2] }] }));
    expect(store.documents.words(id, 1)).toEqual(kept);

    store.documents.remove(id);
    const raw = new Database(databasePath(folder), { readonly: true });
    expect(raw.prepare('select count(*) from page_places').pluck().get()).toBe(0);
    raw.close();
  });

  test('a part of a long document, and what is not there', () => {
    const { id } = store.documents.add({ ...lease, pageCount: 9000, from: 4000, to: 4001 });
    expect(store.documents.numbers(id, 'waiting')).toEqual([4000, 4001]);
    expect(() => store.documents.page(id, 1)).toThrow('lease.pdf has no page 1 here.');
    expect(() => store.documents.savePage(id, reading(1, 'x'))).toThrow(`There is no page 1 of document ${id}.`);
    expect(() => store.documents.get(id + 1)).toThrow(`There is no document ${id + 1}.`);
    expect(() => store.documents.add(lease)).toThrow('UNIQUE');
    expect(store.documents.find(lease.hash)?.id).toBe(id);
    expect(store.documents.find('b'.repeat(64))).toBeNull();
  });
});

describe('search', () => {
  beforeEach(() => {
    const { id } = store.documents.add(lease);
    store.documents.savePage(id, reading(1, 'Either party may terminate this agreement by three months of written notice.'));
    store.documents.savePage(id, reading(2, 'The rent is due on the third working day of each month.'));
    store.documents.savePage(id, reading(3, '契約の解除は三か月前に通知する。'));
    const other = store.documents.add({ ...lease, hash: 'b'.repeat(64), name: 'other.pdf', pageCount: 1, to: 1 });
    store.documents.savePage(other.id, reading(1, 'Rent, rent and rent again; nothing else.'));
  });

  test('finds any of the words in any form, the best page first, within one document or all', () => {
    expect(found(['terminating', 'zebra'])).toEqual([['lease.pdf', 1]]);
    expect(found(['rents'])[0]).toEqual(['other.pdf', 1]);
    expect(found(['rents'], 1)).toEqual([['lease.pdf', 2]]);
    expect(found([])).toEqual([]);
    expect(found(['"', 'NOT', 'rent*', 'a"b'], 2)).toEqual([['other.pdf', 1]]);
  });

  test('finds words in scripts without spaces', () => {
    expect(found(['解除', '三か月'])).toEqual([['lease.pdf', 3]]);
    expect(found(['解除', 'rent'])).toEqual([
      ['lease.pdf', 3],
      ['other.pdf', 1],
      ['lease.pdf', 2],
    ]);
  });

  test('marks what was found', () => {
    expect(store.documents.search({ words: ['notice'], limit: 1 })[0]!.snippet).toEqual([
      { text: 'Either party may terminate this agreement by three months of written ', hit: false },
      { text: 'notice', hit: true },
      { text: '.', hit: false },
    ]);
    expect(store.documents.search({ words: ['解除'], limit: 1 })[0]!.snippet).toContainEqual({ text: '解除', hit: true });
  });
});

describe('files', () => {
  test('are kept by their hash, and a copy that was dropped leaves nothing', async () => {
    const path = join(folder, 'in.pdf');
    writeFileSync(path, 'hello');
    const { hash, bytes, keep } = await store.documentFiles.bring(path);
    expect([hash, bytes]).toEqual(['2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', 5]);
    keep();
    expect(readFileSync(store.documentFiles.path(hash), 'utf8')).toBe('hello');
    (await store.documentFiles.bring(path)).drop();
    expect(readdirSync(join(folder, 'documents', 'incoming'))).toEqual([]);
    await expect(store.documentFiles.bring(join(folder, 'none.pdf'))).rejects.toThrow('none.pdf does not exist.');
    await expect(store.documentFiles.bring(path, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect(readdirSync(join(folder, 'documents', 'incoming'))).toEqual([]);
  });
});

/** Every file of the data folder, with the words that it holds somewhere. */
function filesWith(...words: string[]): string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => statSync(join(folder, path)).isFile());
  return paths.filter((path) => {
    const bytes = readFileSync(join(folder, path));
    return words.some((word) => bytes.includes(word));
  });
}

describe('removing', () => {
  test('leaves no word, name or byte in the database, its log and the folder', async () => {
    const path = `${folder}.pdf`;
    writeFileSync(path, 'xylophonic bytes');
    const brought = await store.documentFiles.bring(path);
    rmSync(path);
    const kept = store.documents.add({ ...lease, hash: 'c'.repeat(64), name: 'kept.pdf' });
    store.documents.savePage(kept.id, reading(1, 'Umbrella policies stay.'));
    const { id } = store.documents.add({ ...lease, hash: brought.hash, name: 'xylophonic-name.pdf', pageCount: 200, to: 200 });
    brought.keep();
    for (let number = 1; number <= 200; number++)
      store.documents.savePage(id, reading(number, `Xylophone xylophonic ${'rent '.repeat(500)} ${number}`));
    expect(filesWith('xylophon', 'Xylophon').length).toBeGreaterThan(1);
    store.documents.remove(id);
    store.sweep();
    expect(filesWith('xylophon', 'Xylophon')).toEqual([]);
    expect(filesWith('Umbrella').length).toBeGreaterThan(0);
    expect([found(['xylophone']), found(['umbrella'])]).toEqual([[], [['kept.pdf', 1]]]);
    expect(() => store.documents.get(id)).toThrow('There is no document');
    store.close();
    expect(filesWith('xylophon', 'Xylophon')).toEqual([]);
    expect(examineFile(databasePath(folder), { migrations })).toMatchObject({ state: 'sound', problem: '' });
    store = openStore(folder);
  });

  test('a file whose process died before the sweep goes with the next one, unless it was added again', async () => {
    const path = join(folder, 'in.pdf');
    writeFileSync(path, 'hello');
    const add = async (): Promise<number> => {
      const { hash, keep } = await store.documentFiles.bring(path);
      const { id } = store.documents.add({ ...lease, hash });
      keep();
      return id;
    };
    const first = await add();
    const { hash } = store.documents.get(first);
    store.documents.remove(first);
    const second = await add();
    expect(second).toBeGreaterThan(first);
    store.sweep();
    expect(readFileSync(store.documentFiles.path(hash), 'utf8')).toBe('hello');
    store.documents.remove(second);
    store.close();
    store = openStore(folder);
    store.sweep();
    expect(() => statSync(store.documentFiles.path(hash))).toThrow('ENOENT');
  });
});
