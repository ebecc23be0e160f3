import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PictureStore, Store } from '../services/ports.ts';
import { pictureFiles } from './picture-shelf.ts';
import { openStore } from './store.ts';

let folder: string;
let store: Store;
let now = 1000;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-private-'));
  store = openStore(folder, { clock: { now: () => now } });
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

const gone = expect.objectContaining({ code: 'not_found' }) as Error;

/** Every file below the folder in which this stands. */
function filesWith(word: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const path = join(folder, name);
    return name.includes(word) || (statSync(path).isFile() && readFileSync(path).includes(word));
  });
}

function addPicture(to: PictureStore, content: string, of?: string): string {
  return to.add({
    bytes: Buffer.from(`${content} original`),
    name: `${content}.png`,
    width: 4,
    height: 3,
    origin: of === undefined ? { kind: 'paste' } : { kind: 'crop', of, region: { x: 0, y: 0, width: 1, height: 1 } },
    thumbnail: Buffer.from(`${content} thumbnail`),
    display: Buffer.from(`${content} display`),
  }).hash;
}

/** A question, its answer, and another answer beside it. */
function converse(id: number, word: string, pictures: string[] = []): { question: number; first: number; second: number } {
  const said = { conversationId: id, state: 'complete', model: null } as const;
  const question = store.conversations.append({ ...said, parentId: null, role: 'user', text: `${word} question`, pictures }).id;
  const answer = { ...said, parentId: question, role: 'assistant' as const, model: 'demo', pictures: [] };
  const first = store.conversations.append({ ...answer, state: 'streaming', text: '' }).id;
  store.conversations.checkpoint(first, `${word} ans`);
  const ended = { state: 'complete', failure: null, finish: 'stop', model: 'demo', statistics: null } as const;
  store.conversations.update(first, { ...ended, text: `${word} answer` });
  const second = store.conversations.append({ ...answer, text: `${word} other answer` }).id;
  return { question, first, second };
}

describe('a private conversation', () => {
  test('is one like any other, and no byte of it is in any file', async () => {
    const { id } = store.privately.open('Private conversation');
    const place = store.picturesOf(id);
    const source = addPicture(place, 'xylophone-source');
    const crop = addPicture(place, 'xylophone-crop', source);
    const { question, first, second } = converse(id, 'xylophone', [crop]);
    store.conversations.rename(id, 'xylophone title');
    store.conversations.instruct(id, 'xylophone instructions');
    store.conversations.tag([id], ['xylophone tag'], []);
    store.conversations.pin(id, true);
    store.conversations.pinPicture(id, crop);
    store.conversations.saveDraft(id, 'xylophone draft', [source]);
    store.conversations.selectBranch(first);
    store.conversations.saveDifferences(first, 'xylophone answer', []);
    store.conversations.judge(first, { by: 'xylophone', question: { finding: 'safe', categories: [] }, answer: null, ms: 1 });

    expect(store.conversations.list()).toMatchObject([{ id, title: 'xylophone title', pinned: true, private: true, messageCount: 3 }]);
    expect(store.conversations.open(id)).toMatchObject({
      private: true,
      instructions: 'xylophone instructions',
      tags: ['xylophone tag'],
      leafId: first,
      pinnedPicture: { hash: crop },
      draft: { text: 'xylophone draft', pictures: [{ hash: source }] },
    });
    expect(store.conversations.path(second).map((message) => message.id)).toEqual([question, second]);
    expect(store.conversations.search('xylophone', 10).map((hit) => hit.conversationId)).toEqual([id, id, id, id, id]);
    expect(store.pictures.shown(crop, 'thumb')).toMatchObject({ bytes: new Uint8Array(Buffer.from('xylophone-crop thumbnail')) });
    expect(store.pictures.original(crop)).toMatchObject({ bytes: new Uint8Array(Buffer.from('xylophone-crop original')) });
    // Where other lists of questions and unread pictures come from.
    expect([store.conversations.recentPrompts(5), store.pictures.nextUnread()]).toEqual([[], null]);
    await store.care.maintain();
    store.sweep();
    expect(['xylophone', source, crop].flatMap(filesWith)).toEqual([]);

    expect(store.privately.close(id).toSorted()).toEqual([source, crop].toSorted());
    expect(store.conversations.list()).toEqual([]);
    for (const call of [
      () => store.conversations.open(id),
      () => store.conversations.checkpoint(first, 'late'),
      () => store.conversations.saveDifferences(first, 'xylophone answer', []),
      () => store.pictures.get(crop),
      () => store.privately.close(id),
      () => store.picturesOf(id),
    ])
      expect(call).toThrow(gone);
  });

  test('several are apart from each other, and from what is kept', () => {
    const kept = store.conversations.create('kept');
    const { id: one } = store.privately.open('one');
    const { id: other } = store.privately.open('other');
    const same = addPicture(store.pictures, 'same');
    expect([addPicture(store.picturesOf(one), 'same'), addPicture(store.picturesOf(other), 'same')]).toEqual([same, same]);
    const ids = [kept.id, one, other].map((id) => converse(id, `word${id}`, [same]));
    expect(new Set(ids.flatMap(Object.values)).size).toBe(9);
    expect(() =>
      store.conversations.append({
        conversationId: kept.id,
        parentId: ids[1]!.first,
        role: 'user',
        text: 'a',
        pictures: [],
        state: 'complete',
        model: null,
      }),
    ).toThrow(gone);
    store.privately.close(one);
    expect(store.conversations.list().map(({ id }) => id)).toEqual([other, kept.id]);
    expect(store.conversations.open(other).messages).toHaveLength(3);
    store.privately.close(other);
    expect(store.pictures.get(same).hash).toBe(same);
    expect(store.conversations.open(kept.id)).not.toHaveProperty('private');
  });

  test('shows a kept picture, which stays as it is; a private one is no picture of what is kept', () => {
    const kept = addPicture(store.pictures, 'kept');
    const { id } = store.privately.open('private');
    converse(id, 'word', [kept]);
    const own = addPicture(store.picturesOf(id), 'own');
    const { id: other } = store.conversations.create('other');
    expect(() => converse(other, 'word', [own])).toThrow(gone);
    store.privately.close(id);
    expect(existsSync(pictureFiles(folder, kept).original)).toBe(true);
  });

  test('needs no room on the disk', () => {
    store.close();
    store = openStore(folder, { room: { reserveBytes: 0, leastBytes: 2 ** 60 } });
    expect(store.care.state().access).toBe('full');
    const { id } = store.privately.open('private');
    converse(id, 'word', [addPicture(store.picturesOf(id), 'own')]);
    expect(() => store.privately.keep(id, 'Kept')).toThrow(expect.objectContaining({ code: 'store_full' }) as Error);
    expect(store.conversations.open(id).messages).toHaveLength(3);
  });

  test('cannot ask about documents, which are kept', () => {
    const { id } = store.privately.open('private');
    const said = { role: 'user', state: 'complete', model: null } as const;
    const question = { ...said, conversationId: id, parentId: null, text: 'a', pictures: [] };
    expect(() => store.conversations.append({ ...question, scope: { kind: 'library' } })).toThrow(
      expect.objectContaining({ code: 'usage' }) as Error,
    );
  });
});

describe('keeping it after all', () => {
  test('stores all that it has, with its times, and leaves nothing behind', () => {
    const before = store.conversations.create('before');
    converse(before.id, 'before');
    const { id } = store.privately.open('private');
    const place = store.picturesOf(id);
    const source = addPicture(place, 'source');
    const crop = addPicture(place, 'crop', source);
    const unused = addPicture(place, 'unused');
    const attached = addPicture(place, 'attached');
    const { first } = converse(id, 'word', [crop]);
    store.conversations.selectBranch(first);
    store.conversations.pinPicture(id, crop);
    store.conversations.saveDraft(id, 'a draft', [attached]);
    const was = store.conversations.open(id);

    now += 5000;
    const kept = store.privately.keep(id, 'Kept');
    expect(kept).toMatchObject({ title: 'Kept', messageCount: 3, picture: crop, createdAt: was.createdAt, updatedAt: was.updatedAt });
    const opened = store.conversations.open(kept.id);
    const outline = ({ messages }: typeof was): unknown =>
      messages.map(({ id: messageId, parentId, conversationId, ...rest }) => ({
        ...rest,
        parent: messages.findIndex((message) => message.id === parentId),
        own: messageId > 0 && conversationId > 0,
      }));
    expect(outline(opened)).toEqual(outline(was));
    expect(opened).toMatchObject({ draft: was.draft, pinnedPicture: was.pinnedPicture });
    expect(opened.leafId).toBe(opened.messages[1]!.id);
    expect(opened).not.toHaveProperty('private');
    expect(store.conversations.search('answer', 10).map((hit) => hit.conversationId)).toContain(kept.id);
    for (const hash of [source, crop, attached]) expect(existsSync(pictureFiles(folder, hash).original)).toBe(true);
    expect(existsSync(pictureFiles(folder, unused).original)).toBe(false);
    expect(() => store.conversations.open(id)).toThrow(gone);
    expect(store.conversations.list().map((summary) => summary.id)).toEqual([kept.id, before.id]);
  });

  test('says so where there is none', () => {
    const { id } = store.conversations.create('kept');
    expect(() => store.privately.keep(id, 'a')).toThrow(gone);
    expect(() => store.privately.close(id)).toThrow(gone);
    expect(store.privately.has(id)).toBe(false);
  });
});
