import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../services/ports.ts';
import { databasePath, listBackups } from './backups.ts';
import { examineFile } from './check.ts';
import { migrations } from './migrations/index.ts';
import { pictureFiles } from './picture-shelf.ts';
import { openStore } from './store.ts';

let folder: string;
let store: Store;
let now = Date.UTC(2026, 0, 1);
const clock = { now: () => now };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-erase-'));
  store = openStore(folder, { clock });
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

/** Every file below the folder in which one of these stands, byte for byte, or in whose name. */
function filesWith(...words: string[]): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const path = join(folder, name);
    if (words.some((word) => name.includes(word))) return true;
    return statSync(path).isFile() && words.some((word) => readFileSync(path).includes(word));
  });
}

function addPicture(content: string, of?: string): string {
  const region = { x: 0, y: 0, width: 1, height: 1 };
  return store.pictures.add({
    bytes: Buffer.from(`${content} original`),
    name: `${content}.png`,
    width: 4,
    height: 3,
    origin: of === undefined ? { kind: 'paste' } : { kind: 'crop', of, region },
    thumbnail: Buffer.from(`${content} thumbnail`),
    display: Buffer.from(`${content} display`),
  }).hash;
}

/** A conversation in every place that can hold a word of it. */
function converse(word: string, pictures: string[], turns = 1): number {
  const { conversations } = store;
  const { id } = conversations.create(`${word} title`);
  let parentId: number | null = null;
  for (let turn = 0; turn < turns; turn++) {
    const said = { conversationId: id, state: 'complete', model: null } as const;
    const question = conversations.append({ ...said, parentId, role: 'user', text: `${word} question ${turn}`, pictures });
    const long = `${word} answer ${'word '.repeat(400)}`;
    parentId = conversations.append({ ...said, parentId: question.id, role: 'assistant', text: long, pictures: [], model: 'demo' }).id;
  }
  conversations.saveDraft(id, `${word} draft`, pictures);
  return id;
}

test('nothing is left of a conversation: no row, no word in an index, log or backup, no picture; all else stays', async () => {
  const shared = addPicture('shared');
  const source = addPicture('xylophone-source');
  const crop = addPicture('xylophone-crop', source);
  const id = converse('xylophone', [shared, crop], 200);
  store.pictures.saveText(crop, 'xylophone in the picture');
  const other = converse('umbrella', [shared]);
  await store.care.maintain();
  now += 2 * 24 * 60 * 60 * 1000;
  await store.care.maintain();
  expect(listBackups(folder)).toHaveLength(2);
  const hashes = [source, crop];
  expect(filesWith('xylophone', ...hashes).length).toBeGreaterThan(8);

  await store.care.erase(id);
  expect(filesWith('xylophone', ...hashes)).toEqual([]);
  for (const hash of hashes) expect(existsSync(pictureFiles(folder, hash).original)).toBe(false);
  // One backup, of what is there now.
  expect(listBackups(folder)).toHaveLength(1);
  expect(examineFile(listBackups(folder)[0]!.path, { migrations })).toMatchObject({ state: 'sound' });
  expect(store.conversations.open(other)).toMatchObject({ title: 'umbrella title', messages: [{ pictures: [{ hash: shared }] }, {}] });
  expect(store.conversations.search('umbrella', 10).length).toBeGreaterThan(0);
  expect(store.conversations.search('xylophone', 10)).toEqual([]);
  store.close();
  expect(filesWith('xylophone', ...hashes)).toEqual([]);
  expect(examineFile(databasePath(folder), { migrations })).toMatchObject({ state: 'sound', problem: '' });
  store = openStore(folder, { clock });
});

test('one that is deleted already can be erased, and one that is not there cannot', async () => {
  const id = converse('xylophone', []);
  store.conversations.delete(id);
  await store.care.erase(id);
  expect(filesWith('xylophone')).toEqual([]);
  await expect(store.care.erase(id)).rejects.toMatchObject({ code: 'not_found' });
});

test('a picture that was attached elsewhere meanwhile stays', async () => {
  const picture = addPicture('both');
  const id = converse('xylophone', [picture]);
  store.conversations.saveDraft(null, '', [picture]);
  await store.care.erase(id);
  expect(existsSync(pictureFiles(folder, picture).original)).toBe(true);
});
