/** Documents that are unlocked only until Loupe closes: their words in the bytes of the data folder. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PageReading, Store } from '../services/ports.ts';
import { openStore } from './store.ts';

/** No two begin alike: what words have in common the index writes once. */
const words = ['quincunx', 'jabberwock', 'vorpalblade', 'zugzwang'];

let folder: string;
let store: Store;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-session-texts-'));
  store = openStore(folder);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function page(number: number, text: string): PageReading {
  return {
    ...{ number, label: `${text.slice(0, 8)}-${number}`, width: 1, height: 1, rotation: 0, state: 'ocr', flags: ['damaged'], text },
    ...{ words: [], fields: [], hiddenWords: 0, failure: null },
  };
}

function add(name: string, keepsText: boolean, text: string): number {
  const { id } = store.documents.add({
    ...{ hash: name.repeat(64), name, kind: 'pdf', bytes: 1, pageCount: 40, from: 1, to: 40, keepsText },
  });
  for (let number = 1; number <= 40; number++) store.documents.savePage(id, page(number, `${text} ${number} rent`));
  return id;
}

function filesWith(folderOf: string, ...sought: string[]): string[] {
  return readdirSync(folderOf, { recursive: true, encoding: 'utf8' }).filter((path) => {
    const file = join(folderOf, path);
    if (!statSync(file).isFile()) return false;
    const text = readFileSync(file, 'latin1').toLowerCase();
    return sought.some((word) => text.includes(word));
  });
}

test('while Loupe runs they are found; once they are forgotten no file has a word of them, and others keep theirs', async () => {
  const session = add('a', false, words.join(' '));
  const kept = add('b', true, 'tamarisk');
  expect(store.documents.get(session).keepsText).toBe(false);
  expect(store.documents.search({ words: ['zugzwang'], limit: 100 })).toHaveLength(40);
  expect(filesWith(folder, ...words)).not.toEqual([]);
  // A backup that is made meanwhile has none of them either.
  await store.care.maintain();
  expect(filesWith(join(folder, 'backups'), ...words)).toEqual([]);
  expect(filesWith(join(folder, 'backups'), 'tamarisk')).toHaveLength(1);

  store.forgetTexts();
  expect(filesWith(folder, ...words)).toEqual([]);
  expect(store.documents.search({ words: ['zugzwang'], limit: 100 })).toEqual([]);
  expect(store.documents.get(session).states).toMatchObject({ waiting: 40, ocr: 0 });
  expect(store.documents.page(session, 7)).toMatchObject({ label: '7', flags: [], text: '' });
  expect(store.documents.search({ words: ['tamarisk'], limit: 100 })).toHaveLength(40);
  expect(store.documents.get(kept).states.ocr).toBe(40);
  // Its pages can be read again.
  store.documents.savePage(session, page(7, 'zugzwang'));
  expect(store.documents.search({ words: ['zugzwang'], limit: 100 })).toHaveLength(1);
});

test('after a kill they are forgotten at the next start', () => {
  add('a', false, words.join(' '));
  // As it lies there when the process dies.
  const left = mkdtempSync(join(tmpdir(), 'loupe-session-texts-left-'));
  cpSync(folder, left, { recursive: true });
  expect(filesWith(left, ...words)).not.toEqual([]);
  const next = openStore(left);
  next.forgetTexts();
  expect(filesWith(left, ...words)).toEqual([]);
  next.close();
  expect(filesWith(left, ...words)).toEqual([]);
  rmSync(left, { recursive: true });
});

test('what somebody decides later counts', () => {
  const id = add('a', true, 'tamarisk');
  store.documents.setKeepsText(id, false);
  store.forgetTexts();
  expect(store.documents.get(id).states.waiting).toBe(40);
  store.documents.setKeepsText(id, true);
  store.documents.savePage(id, page(1, 'tamarisk'));
  store.forgetTexts();
  expect(store.documents.search({ words: ['tamarisk'], limit: 100 })).toHaveLength(1);
});
