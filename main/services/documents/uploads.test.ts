import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LoupeError } from '../../errors.ts';
import { openStore } from '../../storage/store.ts';
import type { DocumentFile, DocumentReader, Store } from '../ports.ts';
import { createLibrary } from './library.ts';
import { createUploads, type Uploads } from './uploads.ts';

let folder: string;
let store: Store;
let uploads: Uploads;
let time: number;
/** What is opened; a file that begins with "locked" needs a password. */
let opened: DocumentFile[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-uploads-'));
  store = openStore(folder);
  opened = [];
  time = 0;
  const reader: Pick<DocumentReader, 'open'> = {
    async open(file) {
      opened.push(file);
      const content = readFileSync(file.path, 'utf8');
      if (content.startsWith('locked') && file.password !== 'open') throw new LoupeError('document_locked', 'It needs a password.');
      return { kind: 'pdf', name: file.name!, bytes: content.length, pageCount: content.startsWith('long') ? 6000 : 2 };
    },
  };
  const library = createLibrary({ store, reader: reader as DocumentReader });
  uploads = createUploads({ files: store.documentFiles, library }, () => time);
});
afterEach(async () => {
  await uploads.close();
  store.close();
  rmSync(folder, { recursive: true });
});

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const onTheirWay = (): string[] => readdirSync(join(folder, 'documents', 'incoming'));

async function send(name: string, ...pieces: string[]): Promise<string> {
  const upload = await uploads.begin(name, pieces.join('').length);
  for (const piece of pieces) await uploads.append(upload, bytesOf(piece));
  return upload;
}

test('pieces become the file, which is known by its bytes when it comes again', async () => {
  const added = await uploads.finish(await send('a.pdf', 'first, ', 'second'), { pages: null });
  expect([added.known, added.document.name, added.document.pageCount]).toEqual([false, 'a.pdf', 2]);
  expect(readFileSync(store.documentFiles.path(added.document.hash), 'utf8')).toBe('first, second');
  expect((await uploads.finish(await send('b.pdf', 'first, second'), { pages: null })).known).toBe(true);
  expect(onTheirWay()).toEqual([]);
});

test('pieces that are sent at once are kept in their order', async () => {
  const upload = await uploads.begin('a.pdf', 6);
  await Promise.all(['one', 'two'].map((piece) => uploads.append(upload, bytesOf(piece))));
  const { document } = await uploads.finish(upload, { pages: null });
  expect(readFileSync(store.documentFiles.path(document.hash), 'utf8')).toBe('onetwo');
});

test('what needs a password, or has too many pages, can be finished again', async () => {
  const locked = await send('a.pdf', 'locked');
  await expect(uploads.finish(locked, { pages: null })).rejects.toMatchObject({ code: 'document_locked' });
  await expect(uploads.finish(locked, { password: 'wrong', pages: null })).rejects.toMatchObject({ code: 'document_locked' });
  expect((await uploads.finish(locked, { password: 'open', pages: null })).known).toBe(false);
  const long = await send('b.pdf', 'long');
  await expect(uploads.finish(long, { pages: null })).rejects.toMatchObject({ code: 'document_too_large' });
  const { document } = await uploads.finish(long, { pages: '11-12' });
  expect(store.documents.pages(document.id).map(({ number }) => number)).toEqual([11, 12]);
});

test.each([
  ['fewer', 12],
  ['more', 4],
])('a file of which %s bytes come than were announced changed meanwhile', async (_, announced) => {
  const upload = await uploads.begin('a.pdf', announced);
  const finished = uploads.append(upload, bytesOf('12345')).then(() => uploads.finish(upload, { pages: null }));
  await expect(finished).rejects.toThrow('a.pdf changed while it was being added.');
  expect(opened).toEqual([]);
});

test('nothing is left of what is dropped, abandoned or cut off by the end', async () => {
  await uploads.drop(await send('a.pdf', 'some'));
  expect(onTheirWay()).toEqual([]);
  const abandoned = await send('b.pdf', 'some');
  time += 2 * 60 * 60 * 1000;
  await uploads.begin('c.pdf', 3);
  expect(onTheirWay()).toHaveLength(1);
  await expect(uploads.append(abandoned, bytesOf('x'))).rejects.toMatchObject({ code: 'document_missing' });
  await uploads.close();
  expect(onTheirWay()).toEqual([]);
});

test('what was abandoned goes though no other file comes', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const library = { addReceived: () => expect.unreachable() };
  const left = createUploads({ files: store.documentFiles, library }, () => time);
  await left.begin('a.pdf', 3);
  time += 2 * 60 * 60 * 1000;
  expect(onTheirWay()).toHaveLength(1);
  vi.advanceTimersByTime(60 * 60 * 1000);
  await vi.waitFor(() => expect(onTheirWay()).toEqual([]));
  await left.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('files that begin at once are counted before they are there', async () => {
  const all = await Promise.allSettled(Array.from({ length: 40 }, (_, count) => uploads.begin(`${count}.pdf`, 1)));
  expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(32);
});

test('what is too large, and one too many, is refused before anything is kept', async () => {
  await expect(uploads.begin('a.pdf', 2_000_000_000)).rejects.toThrow('a.pdf has 2.0 GB; at most 1 GB is read.');
  for (let count = 0; count < 32; count++) await uploads.begin(`${count}.pdf`, 1);
  await expect(uploads.begin('one more.pdf', 1)).rejects.toThrow('32 other files are on their way');
  expect(onTheirWay()).toHaveLength(32);
});
