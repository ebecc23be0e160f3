import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LoupeError } from '../../errors.ts';
import { openStore } from '../../storage/store.ts';
import type { Store } from '../ports.ts';
import { createPagePictures, type PagePictures } from './page-pictures.ts';

let folder: string;
let cache: string;
let store: Store;
let pictures: PagePictures;
/** What was drawn, as "name:page:width:password". */
let drawn: string[];
/** What was said to be locked. */
let locked: [number, string][];
const bytesDrawn = 1000;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-page-pictures-'));
  cache = join(folder, 'cache', 'pages');
  store = openStore(join(folder, 'data'));
  drawn = [];
  locked = [];
  begin();
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function begin(mostBytes?: number): void {
  pictures = createPagePictures({
    store,
    directory: cache,
    passwordOf: (id) => (id === 2 ? 'open' : undefined),
    onLocked: (id, failure) => locked.push([id, failure.code]),
    ...(mostBytes === undefined ? {} : { mostBytes }),
    reader: {
      async showPage({ name, password = 'none' }, page, { width }) {
        if (name === 'locked.pdf') throw new LoupeError('document_locked', 'locked.pdf needs a password.');
        drawn.push(`${name}:${page}:${width}:${password}`);
        return { bytes: new Uint8Array(bytesDrawn).fill(page), mediaType: 'image/png' };
      },
    },
  });
}

/** Its hash is this letter, 64 times. */
function add(letter: string): { id: number; hash: string } {
  const hash = letter.repeat(64);
  return store.documents.add({ kind: 'pdf', name: `${letter}.pdf`, bytes: 1, pageCount: 40, hash, from: 1, to: 40 });
}

const kept = (hash: string): string[] => (existsSync(join(cache, hash)) ? readdirSync(join(cache, hash)).sort() : []);

test('a page is drawn once for each width, with the password that was entered', async () => {
  const [one, two] = [add('a'), add('b')];
  const first = await pictures.show(one.id, 3, 640);
  expect(first).toEqual({ bytes: new Uint8Array(bytesDrawn).fill(3), mediaType: 'image/png' });
  expect(new Uint8Array((await pictures.show(one.id, 3, 640)).bytes)).toEqual(first.bytes);
  await pictures.show(one.id, 3, 160);
  await pictures.show(two.id, 1, 160);
  expect(drawn).toEqual(['a.pdf:3:640:none', 'a.pdf:3:160:none', 'b.pdf:1:160:open']);
  expect(kept(one.hash)).toEqual(['3-160.png', '3-640.png']);
});

test('no other width, page or document is drawn', async () => {
  const { id } = add('a');
  await expect(pictures.show(id, 1, 641)).rejects.toMatchObject({ code: 'not_found' });
  await expect(pictures.show(id, 41, 640)).rejects.toMatchObject({ code: 'not_found' });
  await expect(pictures.show(99, 1, 640)).rejects.toMatchObject({ code: 'not_found' });
  expect(drawn).toEqual([]);
});

test('those that were not used for longest make room', async () => {
  begin(4 * bytesDrawn);
  const { id, hash } = add('a');
  for (const page of [1, 2, 3, 4]) {
    await pictures.show(id, page, 160);
    utimesSync(join(cache, hash, `${page}-160.png`), page, page);
  }
  // Used again: the second is now the oldest.
  await pictures.show(id, 1, 160);
  await pictures.show(id, 5, 160);
  expect(kept(hash)).toEqual(['1-160.png', '3-160.png', '4-160.png', '5-160.png']);
});

test('pictures of a document that is removed are removed, also after a removal that was cut off', async () => {
  const [one, two, three] = [add('a'), add('b'), add('c')];
  for (const { id } of [one, two, three]) await pictures.show(id, 1, 160);
  store.documents.remove(one.id);
  await pictures.remove(one.hash);
  store.documents.remove(two.id);
  expect([kept(one.hash), kept(two.hash)]).toEqual([[], ['1-160.png']]);
  begin();
  await pictures.prune();
  expect([kept(two.hash), kept(three.hash)]).toEqual([[], ['1-160.png']]);
});

test('nothing is kept of a document that is removed while a picture of it is being kept', async () => {
  const { id, hash } = add('a');
  /** Removed the moment after it was last seen. */
  const find = (wanted: string): ReturnType<Store['documents']['find']> => {
    const found = store.documents.find(wanted);
    if (found) store.documents.remove(found.id);
    return found;
  };
  const late = createPagePictures({
    store: { documents: { ...store.documents, find }, documentFiles: store.documentFiles, cover: store.cover },
    directory: cache,
    passwordOf: () => undefined,
    reader: { showPage: async () => ({ bytes: new Uint8Array(1), mediaType: 'image/png' }) },
  });
  expect((await late.show(id, 1, 160)).bytes).toHaveLength(1);
  expect(existsSync(join(cache, hash))).toBe(false);
});

/** Drawings that end when they are told to, or are stopped. */
function slow(): { show: PagePictures; waiting: (() => void)[]; stopped: number[] } {
  const waiting: (() => void)[] = [];
  const stopped: number[] = [];
  const show = createPagePictures({
    store,
    directory: cache,
    passwordOf: () => undefined,
    reader: {
      showPage: (_, page, { signal }) =>
        new Promise((resolve, reject) => {
          waiting.push(() => resolve({ bytes: new Uint8Array(bytesDrawn), mediaType: 'image/png' }));
          signal?.addEventListener('abort', () => {
            stopped.push(page);
            reject(new LoupeError('cancelled', 'Reading was stopped.'));
          });
        }),
    },
  });
  return { show, waiting, stopped };
}

test('a page that several ask for at once is drawn once', async () => {
  const { id } = add('a');
  const { show, waiting } = slow();
  const both = Promise.all([show.show(id, 1, 160), show.show(id, 1, 160)]);
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  waiting[0]!();
  expect((await both).map(({ bytes }) => bytes.length)).toEqual([bytesDrawn, bytesDrawn]);
});

test('once it is closed, nothing is drawn, written or asked of the store', async () => {
  const { id, hash } = add('a');
  const { show, waiting, stopped } = slow();
  const both = [1, 2].map((page) => show.show(id, page, 160));
  const ends = Promise.allSettled(both);
  await vi.waitFor(() => expect(waiting).toHaveLength(2));
  await show.close();
  store.close();
  expect((await ends).map((end) => end.status === 'rejected' && (end.reason as LoupeError).code)).toEqual(['cancelled', 'cancelled']);
  await expect(show.show(id, 3, 160)).rejects.toMatchObject({ code: 'cancelled' });
  expect([stopped, kept(hash), waiting.length]).toEqual([[1, 2], [], 2]);
  store = openStore(join(folder, 'data'));
});

test('what is being written when it is closed is whole or not there', async () => {
  const { id, hash } = add('a');
  const { show, waiting } = slow();
  const picture = show.show(id, 1, 160);
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  waiting[0]!();
  await Promise.resolve();
  await Promise.allSettled([show.close(), picture]);
  const after = kept(hash);
  expect([[], ['1-160.png']]).toContainEqual(after);
  await new Promise((resolve) => setImmediate(resolve));
  expect(kept(hash)).toEqual(after);
});

test('of a document that is removed what waits is stopped, and that of others is not', async () => {
  const [one, two] = [add('a'), add('b')];
  const { show, waiting, stopped } = slow();
  const ends = Promise.allSettled([show.show(one.id, 1, 160), show.show(two.id, 2, 160)]);
  await vi.waitFor(() => expect(waiting).toHaveLength(2));
  store.documents.remove(one.id);
  await show.remove(one.hash);
  waiting[1]!();
  expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  expect([stopped, existsSync(join(cache, one.hash)), kept(two.hash)]).toEqual([[1], false, ['2-160.png']]);
});

test('a folder that cannot be written to costs no picture', async () => {
  const { id } = add('a');
  const blocked = createPagePictures({
    store,
    directory: '/dev/null/pages',
    passwordOf: () => undefined,
    reader: { showPage: async () => ({ bytes: new Uint8Array(1), mediaType: 'image/png' }) },
  });
  expect((await blocked.show(id, 1, 160)).bytes).toHaveLength(1);
});

test('says which document is locked: a window is only told that there is no picture', async () => {
  const hash = 'c'.repeat(64);
  const { id } = store.documents.add({ kind: 'pdf', name: 'locked.pdf', bytes: 1, pageCount: 1, hash, from: 1, to: 1 });
  await expect(pictures.show(id, 1, 160)).rejects.toMatchObject({ code: 'document_locked' });
  expect([locked, kept(hash)]).toEqual([[[id, 'document_locked']], []]);
});
