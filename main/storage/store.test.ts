import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultSettings, limits, parseOutput, type Message, type PictureOrigin } from '../contract.ts';
import type { Store } from '../services/ports.ts';
import { pictureFiles } from './picture-shelf.ts';
import { databasePath } from './backups.ts';
import { openStore } from './store.ts';
import { storedPath } from './test/stored-path.ts';

const day = 24 * 60 * 60 * 1000;
let folder: string;
let now: number;
let store: Store;
const clock = { now: () => now };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-store-'));
  now = Date.UTC(2025, 0, 1);
  store = openStore(folder, { clock });
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function reopen(): void {
  store.close();
  store = openStore(folder, { clock });
}

/** Past the store. */
function raw(sql: string): void {
  const database = new Database(databasePath(folder));
  database.exec(sql);
  database.close();
}

function say(
  conversationId: number,
  parentId: number | null,
  role: Message['role'],
  text: string,
  pictures: string[] = [],
  state: Message['state'] = 'complete',
): Message {
  now += 1000;
  return store.conversations.append({ conversationId, parentId, role, text, pictures, state, model: role === 'user' ? null : 'demo' });
}

function addPicture(content: string, origin: PictureOrigin = { kind: 'paste' }): string {
  return store.pictures.add({
    bytes: Buffer.from(content),
    name: `${content}.png`,
    width: 4,
    height: 3,
    origin,
    thumbnail: Buffer.from('thumbnail'),
    display: null,
  }).hash;
}

const notFound = expect.objectContaining({ code: 'not_found' }) as Error;
const statistics = {
  promptTokens: 10,
  reusedTokens: 0,
  generatedTokens: 3,
  imagesEncoded: 1,
  imagesCached: 0,
  prepareMs: 1.5,
  encodeMs: 2,
  prefillMs: 3,
  firstTokenMs: 7,
  decodeMs: 9,
  tokensPerSecond: null,
  contextLength: 4096,
  forgottenMessages: 0,
};

test('a conversation is kept whole', () => {
  const { conversations } = store;
  const { id } = conversations.create('First');
  const hash = addPicture('a');
  const question = say(id, null, 'user', 'What is this?', [hash]);
  const answer = say(id, question.id, 'assistant', '', [], 'streaming');
  conversations.checkpoint(answer.id, 'A pic');
  expect(conversations.message(answer.id)).toMatchObject({ text: 'A pic', state: 'streaming' });
  const failure = { ok: false as const, code: 'device_lost' as const, message: 'Gone.', nextStep: 'Again.' };
  expect(
    conversations.update(answer.id, { text: 'A picture', state: 'failed', failure, finish: null, model: 'other', statistics }),
  ).toMatchObject({
    text: 'A picture',
    state: 'failed',
    failure,
    finish: null,
    model: 'other',
    statistics,
  });
  // Too late: the end has been stored.
  conversations.checkpoint(answer.id, 'A pic');
  reopen();
  const opened = parseOutput('conversations.open', store.conversations.open(id));
  expect(opened).toMatchObject({
    title: 'First',
    messageCount: 2,
    picture: hash,
    leafId: answer.id,
    updatedAt: answer.createdAt,
    pinnedPicture: null,
    busy: false,
  });
  expect(opened.messages).toEqual([question, { ...answer, text: 'A picture', state: 'failed', failure, model: 'other', statistics }]);
  expect(opened.messages[0]!.pictures).toEqual([{ hash, name: 'a.png', width: 4, height: 3, bytes: 1, origin: { kind: 'paste' } }]);
});

test('where an answer differs from its picture is kept with it, for as long as the answer stays as it is', () => {
  const { conversations } = store;
  const { id } = conversations.create('Invoice');
  const answer = say(id, say(id, null, 'user', 'The total?').id, 'assistant', '1,208', [], 'streaming');
  const differences = [{ offset: 0, length: 5, answer: '1,208', picture: '1,280' }];
  const end = { text: '1,208', state: 'complete', failure: null, finish: 'stop', model: 'demo', statistics: null } as const;
  expect(conversations.saveDifferences(answer.id, '1,208', differences)).toBe(null);
  expect(conversations.update(answer.id, end).differences).toEqual([]);
  expect(conversations.saveDifferences(answer.id, 'Another text', differences)).toBe(null);
  expect(conversations.saveDifferences(answer.id, '1,208', differences)).toMatchObject({ id: answer.id, differences });
  reopen();
  expect(parseOutput('conversations.open', store.conversations.open(id)).messages[1]).toMatchObject({ differences });
  expect(store.conversations.update(answer.id, { ...end, text: '1,208 in all' }).differences).toEqual([]);
});

test('messages are a tree', () => {
  const { conversations } = store;
  const { id } = conversations.create('Tree');
  const root = say(id, null, 'user', 'one');
  const left = say(id, root.id, 'assistant', 'left');
  const leftNext = say(id, left.id, 'user', 'left, next');
  const right = say(id, root.id, 'assistant', 'right');
  const other = say(id, null, 'user', 'another first');
  expect(conversations.open(id).leafId).toBe(other.id);
  expect(conversations.path(leftNext.id).map(({ text }) => text)).toEqual(['one', 'left', 'left, next']);
  expect(conversations.selectBranch(left.id)).toBe(leftNext.id);
  expect(conversations.open(id).leafId).toBe(leftNext.id);
  expect(conversations.selectBranch(root.id)).toBe(right.id);
  expect(conversations.selectBranch(other.id)).toBe(other.id);
  const elsewhere = conversations.create('Elsewhere');
  expect(() => say(elsewhere.id, root.id, 'user', 'lost')).toThrow(notFound);
  expect(conversations.open(elsewhere.id).messages).toEqual([]);
});

test('pictures of messages keep their order, also twice the same', () => {
  const { id } = store.conversations.create('Pictures');
  const [a, b] = [addPicture('a'), addPicture('b')];
  const question = say(id, null, 'user', 'Compare', [b, a, b]);
  expect(question.pictures.map(({ name }) => name)).toEqual(['b.png', 'a.png', 'b.png']);
  expect(store.conversations.path(question.id)).toEqual([question]);
  expect(store.conversations.message(question.id)).toEqual(question);
  expect(store.conversations.summary(id).picture).toBe(b);
  say(id, question.id, 'assistant', 'They differ.');
  expect(store.conversations.summary(id).picture).toBe(b);
});

test('the list: pinned ones first, then the newest', () => {
  const { conversations } = store;
  const [first, second, third] = ['a', 'b', 'c'].map((title) => {
    now += 1000;
    return conversations.create(title).id;
  }) as [number, number, number];
  say(first, null, 'user', 'newest');
  conversations.pin(second, true);
  conversations.rename(third, 'renamed');
  expect(conversations.list().map(({ id, title, pinned }) => [id, title, pinned])).toEqual([
    [second, 'b', true],
    [first, 'a', false],
    [third, 'renamed', false],
  ]);
  parseOutput('conversations.list', conversations.list());
});

test('instructions are kept with their conversation, without blanks around them, until they are empty', () => {
  const { conversations } = store;
  const { id } = conversations.create('a');
  expect(conversations.summary(id)).not.toHaveProperty('instructions');
  conversations.instruct(id, '  Answer in French.\n');
  expect(conversations.open(id).instructions).toBe('Answer in French.');
  expect(conversations.list()[0]!.instructions).toBe('Answer in French.');
  parseOutput('conversations.open', conversations.open(id));
  conversations.instruct(id, '');
  expect(conversations.summary(id)).not.toHaveProperty('instructions');
  conversations.delete(id);
  expect(() => conversations.instruct(id, 'late')).toThrow(expect.objectContaining({ code: 'not_found' }) as Error);
});

test('tags: several conversations at once, each tag once, and all of it or nothing', () => {
  const { conversations } = store;
  const [a, b] = [conversations.create('a').id, conversations.create('b').id];
  expect(conversations.summary(a)).not.toHaveProperty('tags');
  conversations.tag([a, b], ['Taxes', '2024'], []);
  conversations.tag([a], ['taxes', 'Home'], ['2024']);
  expect(conversations.open(a).tags).toEqual(['Taxes', 'Home']);
  expect(conversations.list().find(({ id }) => id === b)!.tags).toEqual(['Taxes', '2024']);
  parseOutput('conversations.open', conversations.open(a));

  const many = Array.from({ length: limits.tagsPerConversation - 1 }, (_, at) => `tag ${at}`);
  expect(() => conversations.tag([b, a], many, [])).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
  conversations.delete(b);
  expect(() => conversations.tag([a, b], ['late'], [])).toThrow(expect.objectContaining({ code: 'not_found' }) as Error);
  expect(conversations.summary(a).tags).toEqual(['Taxes', 'Home']);
  conversations.restore(b);
  expect(conversations.summary(b).tags).toEqual(['Taxes', '2024']);

  conversations.tag([a], [], ['TAXES', 'Home', 'never given']);
  expect(conversations.summary(a)).not.toHaveProperty('tags');
});

test('what is deleted is hidden, comes back when restored, and is gone after 30 days', () => {
  const { conversations } = store;
  const { id } = conversations.create('Secret plan');
  const hash = addPicture('secret');
  const question = say(id, null, 'user', 'treasure', [hash]);
  const answer = say(id, question.id, 'assistant', '', [], 'streaming');
  conversations.saveDraft(id, 'draft', [hash]);
  conversations.delete(id);
  // The answer that was being written may still end.
  conversations.checkpoint(answer.id, 'buried');
  conversations.update(answer.id, {
    text: 'buried',
    state: 'stopped',
    failure: null,
    finish: 'cancelled',
    model: 'demo',
    statistics: null,
  });
  for (const gone of [
    () => conversations.open(id),
    () => conversations.summary(id),
    () => conversations.message(question.id),
    () => conversations.path(question.id),
    () => conversations.selectBranch(question.id),
    () => say(id, question.id, 'user', 'more'),
    () => {
      conversations.rename(id, 'x');
    },
    () => {
      conversations.delete(id);
    },
    () => {
      conversations.saveDraft(id, 'x', []);
    },
  ])
    expect(gone).toThrow(notFound);
  expect([
    conversations.list(),
    conversations.search('treasure', 10),
    conversations.search('secret', 10),
    conversations.recentPrompts(10),
  ]).toEqual([[], [], [], []]);

  now += 29 * day;
  store.sweep();
  conversations.restore(id);
  expect(conversations.open(id)).toMatchObject({
    draft: { text: 'draft' },
    messages: [{ text: 'treasure' }, { text: 'buried', state: 'stopped' }],
  });
  expect(conversations.search('buried', 10)).toHaveLength(1);

  conversations.delete(id);
  now += 30 * day;
  store.sweep();
  expect(() => {
    conversations.restore(id);
  }).toThrow(notFound);
  expect(() => store.pictures.get(hash)).toThrow(notFound);
  expect(existsSync(pictureFiles(folder, hash).original)).toBe(false);
  // Nor is it left in the files: not in free pages, not in the log, not in the index.
  for (const name of readdirSync(folder).filter((file) => file.startsWith('loupe.db'))) {
    expect(
      ['Secret plan', 'treasure', 'buried'].filter((words) => readFileSync(join(folder, name)).includes(words)),
      name,
    ).toEqual([]);
  }
  // An id is never used again.
  expect(conversations.create('Next').id).toBeGreaterThan(id);
});

test('the sweep keeps what something refers to', () => {
  const { conversations } = store;
  const { id } = conversations.create('Kept');
  const source = addPicture('source');
  const left = addPicture('left');
  const crop = addPicture('crop', { kind: 'crop', of: source, region: { x: 0, y: 0, width: 1, height: 1 } });
  const composed = addPicture('composed', { kind: 'compose', of: [crop, left], layout: 'row', labels: true });
  const [drafted, draftedNew, pinned, orphan, again] = ['drafted', 'draftedNew', 'pinned', 'orphan', 'again'].map((name) =>
    addPicture(name),
  ) as [string, string, string, string, string];
  say(id, null, 'user', 'See', [composed]);
  conversations.saveDraft(id, '', [drafted]);
  conversations.saveDraft(null, '', [draftedNew]);
  conversations.pinPicture(id, pinned);
  expect([conversations.pinnedPicture(id), conversations.open(id).pinnedPicture?.hash]).toEqual([pinned, pinned]);
  now += day - 10_000;
  store.sweep();
  expect(store.pictures.find(orphan)).not.toBe(null);
  now += 20_000;
  const freshSource = addPicture('fresh');
  store.pictures.touch(again);
  store.sweep();
  expect(store.pictures.find(orphan)).toBe(null);
  expect(
    [source, left, crop, composed, drafted, draftedNew, pinned, freshSource, again].filter((hash) => store.pictures.find(hash) === null),
  ).toEqual([]);

  conversations.saveDraft(id, '', []);
  conversations.saveDraft(null, 'words', []);
  conversations.pinPicture(id, null);
  store.sweep();
  expect([drafted, draftedNew, pinned].map((hash) => store.pictures.find(hash))).toEqual([null, null, null]);
  expect(storedPath(store.pictures.original(source))).toBe(pictureFiles(folder, source).original);
});

test('pictures: the same bytes keep their record, missing files come back', () => {
  const add = (name: string) =>
    store.pictures.add({
      bytes: Buffer.from('II*\0tiff'),
      name,
      width: 4,
      height: 3,
      origin: { kind: 'file' },
      thumbnail: Buffer.from('thumb'),
      display: Buffer.from('png'),
    });
  const { hash, bytes } = add('first.tif');
  expect(bytes).toBe(8);
  expect(add('second.tif').name).toBe('first.tif');
  expect(store.pictures.original(hash)).toEqual({ path: join(folder, 'pictures', hash.slice(0, 2), hash), mediaType: 'image/tiff' });
  expect(store.pictures.shown(hash, 'full').mediaType).toBe('image/png');
  expect(readFileSync(storedPath(store.pictures.shown(hash, 'full')), 'utf8')).toBe('png');
  expect(readFileSync(storedPath(store.pictures.shown(hash, 'thumb')), 'utf8')).toBe('thumb');
  expect(readdirSync(join(folder, 'pictures', 'incoming'))).toEqual([]);

  rmSync(storedPath(store.pictures.original(hash)));
  expect(() => store.pictures.original(hash)).toThrow(notFound);
  add('again.tif');
  expect(readFileSync(storedPath(store.pictures.original(hash)), 'utf8')).toBe('II*\0tiff');
  for (const wrong of ['0'.repeat(64), '../../loupe.db', '']) {
    expect(() => store.pictures.get(wrong)).toThrow(notFound);
    expect(() => store.pictures.shown(wrong, 'full')).toThrow(notFound);
  }
});

test('a picture whose files cannot be written leaves nothing', () => {
  writeFileSync(join(folder, 'pictures'), 'in the way');
  expect(() => addPicture('a')).toThrow(expect.objectContaining({ code: 'store_failed' }) as Error);
  rmSync(join(folder, 'pictures'));
  expect(store.pictures.find(addPicture('a'))).toMatchObject({ name: 'a.png' });
});

test('media types', () => {
  const cases: [string, string][] = [
    ['\x89PNG\r\n\x1a\n', 'image/png'],
    ['\xff\xd8\xff', 'image/jpeg'],
    ['GIF89a', 'image/gif'],
    ['RIFF....WEBP', 'image/webp'],
    ['BM', 'image/bmp'],
    ['MM\0*', 'image/tiff'],
    ['....ftypavif', 'image/avif'],
    ['....ftypmif1....avif', 'image/avif'],
    ['....ftypheic', 'image/heic'],
    ['<html>', 'application/octet-stream'],
  ];
  for (const [head, mediaType] of cases) {
    const { hash } = store.pictures.add({
      bytes: Buffer.from(head, 'latin1'),
      name: 'x',
      width: 1,
      height: 1,
      origin: { kind: 'file' },
      thumbnail: Buffer.from('t'),
      display: null,
    });
    expect(store.pictures.original(hash).mediaType).toBe(mediaType);
  }
});

test('drafts, one each', () => {
  const { conversations } = store;
  const { id } = conversations.create('Draft');
  const [a, b] = [addPicture('a'), addPicture('b')];
  conversations.saveDraft(null, 'new', [b, a]);
  conversations.saveDraft(id, 'old', []);
  conversations.saveDraft(id, 'older', [a]);
  reopen();
  expect(store.conversations.draft()).toMatchObject({ text: 'new', pictures: [{ hash: b }, { hash: a }] });
  expect(store.conversations.open(id).draft).toMatchObject({ text: 'older', pictures: [{ hash: a }] });
  store.conversations.saveDraft(null, '', []);
  expect(store.conversations.draft()).toEqual({ text: '', pictures: [] });
  // What it is about, as it is called now; nothing once that is gone.
  const document = store.documents.add({ hash: 'c'.repeat(64), name: 'lease.pdf', kind: 'pdf', bytes: 1, pageCount: 2, from: 1, to: 2 });
  store.conversations.saveDraft(null, '', [], { kind: 'document', id: document.id, pages: '1', every: true });
  store.conversations.saveDraft(id, 'about nothing', [], null);
  expect(store.conversations.draft().scope).toEqual({
    ...{ kind: 'document', id: document.id, name: 'lease.pdf', removed: false, pages: '1', every: true },
  });
  expect(store.conversations.open(id).draft.scope).toBeNull();
  store.documents.remove(document.id);
  expect(store.conversations.draft().scope).toBeNull();
  expect(() => {
    store.conversations.saveDraft(null, '', ['0'.repeat(64)]);
  }).toThrow(notFound);
});

test('recent prompts: distinct questions on one line, newest first', () => {
  const { id } = store.conversations.create('Prompts');
  for (const text of ['one', 'two\n lines', 'one', ' two lines ', 'x'.repeat(301), 'three']) say(id, null, 'user', text);
  say(id, null, 'assistant', 'no question');
  expect(store.conversations.recentPrompts(10)).toEqual(['three', 'two lines', 'one']);
  expect(store.conversations.recentPrompts(2)).toEqual(['three', 'two lines']);
});

test('what a process left streaming becomes interrupted, and is found', () => {
  const { id } = store.conversations.create('Interrupted');
  const { id: answer } = say(id, null, 'assistant', '', [], 'streaming');
  store.conversations.checkpoint(answer, 'half a sentence');
  expect(store.conversations.search('sentence', 5)).toEqual([]);
  reopen();
  expect(store.conversations.markInterrupted()).toBe(1);
  expect(store.conversations.markInterrupted()).toBe(0);
  expect(store.conversations.message(answer)).toMatchObject({ state: 'interrupted', text: 'half a sentence' });
  expect(store.conversations.search('sentence', 5)).toMatchObject([{ messageId: answer }]);
});

test('settings: what is stored is used where the contract allows it', () => {
  expect(store.settings()).toEqual(defaultSettings);
  expect(store.saveSettings({ theme: 'dark', hotkey: null, maxTokens: undefined })).toEqual({
    ...defaultSettings,
    theme: 'dark',
    hotkey: null,
  });
  store.saveSettings({ maxTokens: 7 });
  // Not from a window, which asks main to look at the folder first.
  expect(store.saveSettings({ modelsDirectory: '/models' }).modelsDirectory).toBe('/models');
  store.saveSettings({ modelsDirectory: null });
  expect(() => store.saveSettings({ maxTokens: -1, theme: 'light' })).toThrow('maxTokens');
  store.close();
  raw(
    "insert into settings values ('device', '5'), ('topP', '{broken'), ('madeUp', '1'); " +
      "update settings set value = '\"blue\"' where name = 'theme'",
  );
  store = openStore(folder, { clock });
  expect(store.settings()).toEqual({ ...defaultSettings, hotkey: null, maxTokens: 7 });
  // Nobody's change of what was answered reaches the defaults.
  store.settings().prompts.length = 0;
  expect(store.settings().prompts).toHaveLength(4);
});

test('JSON that is not what it should be becomes its absence', () => {
  const hash = addPicture('a');
  const { id } = store.conversations.create('Broken');
  say(id, null, 'user', 'x', [hash]);
  store.close();
  raw(
    `update messages set statistics = '{"promptTokens": "many"}', failure = '{', differences = '[1]'; update pictures set origin = '{"kind": "moon"}'`,
  );
  store = openStore(folder, { clock });
  expect(store.conversations.open(id).messages).toMatchObject([
    { statistics: null, failure: null, differences: [], pictures: [{ origin: { kind: 'file' } }] },
  ]);
});

test('models and the ledger', () => {
  const model = { path: '/m/b', name: 'B', kind: 'vision' as const, bytes: 5 };
  store.models.add(model);
  now += 1;
  store.models.add({ ...model, path: '/m/a', bytes: null });
  store.models.add({ ...model, name: 'B, renamed' });
  expect(store.models.list()).toEqual([
    { ...model, name: 'B, renamed' },
    { ...model, path: '/m/a', bytes: null },
  ]);
  store.models.remove('/m/a');
  expect(() => {
    store.models.remove('/m/a');
  }).toThrow(notFound);

  const entry = { at: 5, host: 'example.org', purpose: 'Model', sentBytes: 1, receivedBytes: 2 };
  store.ledger.add(entry);
  now += 1000;
  reopen();
  expect(store.ledger.list()).toEqual([entry]);
  expect(store.ledger.installedAt()).toBe(Date.UTC(2025, 0, 1));
});

test('the sweep gives space back', () => {
  const { id } = store.conversations.create('Large');
  for (let index = 0; index < 20; index++) say(id, null, 'user', `${index} `.repeat(50_000));
  reopen();
  const bytes = () => statSync(databasePath(folder)).size;
  const before = bytes();
  expect(before).toBeGreaterThan(2_000_000);
  store.conversations.delete(id);
  now += 30 * day;
  store.sweep();
  expect(bytes()).toBeLessThan(before / 4);
});
