import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createWriteStream,
  existsSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ZipFile } from 'yazl';
import type { EventMessage } from '../../contract.ts';
import { cheap, code, passphrase } from '../../storage/test/vault.ts';
import { openStore } from '../../storage/store.ts';
import { randomNumbers } from '../../test/random.ts';
import type { PictureWorker, Store } from '../ports.ts';
import { createPictures, type Pictures } from '../pictures.ts';
import { createArchives } from './archive.ts';
import { exportArchive, type Exported } from './export.ts';
import { importArchive, type Imported } from './import.ts';

let folder: string;
let now = 1_000;
const opened: Store[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-archive-'));
});
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
  rmSync(folder, { recursive: true });
});

function profile(name: string): Store {
  const store = openStore(join(folder, name), { clock: { now: () => now++ }, stretching: cheap });
  opened.push(store);
  return store;
}

/** `LOUPE_SEED` repeats or varies what is damaged; `LOUPE_MUTATIONS` how many copies. */
const seed = Number(process.env['LOUPE_SEED'] ?? 51);
const mutations = Number(process.env['LOUPE_MUTATIONS'] ?? 60);

const facts = { width: 4, height: 3, thumbnail: Buffer.from('small'), display: null };
const png = (words: string): Buffer => Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.from(words)]);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function picturesOf(store: Store): Pictures {
  return createPictures({ store, worker: { inspect: async () => facts } as unknown as PictureWorker });
}

const path = (name = 'all.zip'): string => join(folder, name);
const save = (store: Store, to = path()): Promise<Exported> => exportArchive({ store, path: to, version: '1.2.3', now: 5 });
const load = (store: Store, from = path()): Promise<Imported> => importArchive({ store, pictures: picturesOf(store), path: from });

interface Filled {
  conversation: number;
  question: number;
  document: number;
  picture: string;
}

async function addDocument(store: Store, words: string): Promise<number> {
  const incoming = await store.documentFiles.receive();
  await incoming.append(Buffer.from(`%PDF-1.7 ${words}`));
  const brought = await incoming.finish();
  const { id } = store.documents.add({
    kind: 'pdf',
    name: `${words}.pdf`,
    bytes: brought.bytes,
    pageCount: 1,
    hash: brought.hash,
    from: 1,
    to: 1,
  });
  brought.keep();
  const box = [1, 2, 3, 4] as [number, number, number, number];
  store.documents.savePage(id, {
    ...{
      number: 1,
      label: 'i',
      width: 100,
      height: 100,
      rotation: 0,
      state: 'ocr',
      flags: ['form'],
      hiddenWords: 2,
      failure: null,
      fields: [],
    },
    text: `${words} page`,
    words: [
      { text: words, box },
      { text: 'page', box },
    ],
  });
  return id;
}

/** Something in every place that an export holds, and a deleted conversation and a private one. */
async function fill(store: Store): Promise<Filled> {
  const { conversations, pictures } = store;
  const whole = pictures.add({ ...facts, bytes: png('whole'), name: 'whole.png', origin: { kind: 'paste' } }).hash;
  const region = { x: 0, y: 0, width: 1, height: 1 };
  const picture = pictures.add({ ...facts, bytes: png('part'), name: 'part.png', origin: { kind: 'crop', of: whole, region } }).hash;
  pictures.saveText(picture, 'words in a picture');
  const document = await addDocument(store, 'lease');
  const { id } = conversations.create('A lease');
  conversations.instruct(id, 'Answer briefly.');
  conversations.tag([id], ['home', 'law'], []);
  conversations.pin(id, true);
  const said = { conversationId: id, state: 'complete' as const, model: null, pictures: [] as string[] };
  const scope = { kind: 'document', id: document, pages: '1', every: true } as const;
  const question = conversations.append({ ...said, parentId: null, role: 'user', text: 'How long?', pictures: [picture], scope }).id;
  const answer = { ...said, parentId: question, role: 'assistant' as const, model: 'demo' };
  const first = conversations.append({ ...answer, text: 'A year.' }).id;
  conversations.saveCoverage(first, {
    ...{ named: false, documents: 1, pages: 1, outside: 0, searched: 1, waiting: 0, picture: 0, failed: 0, blank: 0, words: ['lease'] },
    looks: [
      { documentId: document, name: 'lease.pdf', number: 1, label: 'i', outcome: 'text', length: 10, noted: 'something', note: 'a year' },
    ],
  });
  conversations.saveCitations(first, [
    {
      ...{ offset: 0, length: 5, page: 'i', quote: 'lease', finding: 'close', documentId: document, name: 'lease.pdf', removed: false },
      ...{ number: 1, label: 'i', found: 'lease page' },
    },
  ]);
  conversations.append({ ...answer, text: 'Twelve months.', compared: 'demo' });
  conversations.selectBranch(first);
  conversations.pinPicture(id, picture);
  conversations.append({ ...said, parentId: first, role: 'assistant', model: 'demo', state: 'streaming', text: 'half' });
  store.extractions.create({
    name: 'Leases',
    fields: [{ name: 'Term', kind: 'text' }],
    by: 'document',
    rows: [{ documentId: document, page: null }],
  });
  store.saveSettings({ systemPrompt: 'Be kind.', hotkey: null, neverConnect: true });
  store.servers.add({ name: 'Secretserver', address: 'http://secrethost/v1', model: 'm', sees: true, contextLength: null });
  const deleted = conversations.create('Deletedtitle').id;
  conversations.append({ ...said, conversationId: deleted, parentId: null, role: 'user', text: 'deleted' });
  conversations.delete(deleted);
  const secret = store.privately.open('Privatetitle').id;
  conversations.append({ ...said, conversationId: secret, parentId: null, role: 'user', text: 'private' });
  return { conversation: id, question, document, picture };
}

/** What a person sees of it: all but the ids, which are a database's own. */
function seen(store: Store): unknown {
  const ids = new Map<number, string>();
  const plain = (key: string, value: unknown): unknown => {
    if (key === 'leafId' || /^(id|documentId|conversationId|parentId|rowId)$/.test(key)) return value === null ? null : 'id';
    return key === 'state' && value === 'streaming' ? 'interrupted' : value;
  };
  const conversations = store.conversations.list().filter((summary) => !summary.private);
  const all = {
    conversations: conversations.map(({ id }) => {
      const { messages, leafId, ...rest } = store.conversations.open(id);
      for (const [place, message] of messages.entries()) ids.set(message.id, `message ${place}`);
      const linked = messages.map((message) => ({ ...message, follows: message.parentId && ids.get(message.parentId) }));
      return { ...rest, shown: leafId && ids.get(leafId), messages: linked };
    }),
    documents: store.documents
      .list()
      .map((document) => ({ ...document, pages: store.documents.pages(document.id), words: store.documents.words(document.id, 1) })),
    tables: store.extractions.list().map(({ id }) => store.extractions.open(id)),
    found: store.conversations.search('words picture', 5).length,
    pages: store.documents.search({ words: ['lease'], limit: 5 }).length,
    prompt: store.settings().systemPrompt,
  };
  return JSON.parse(JSON.stringify(all, plain));
}

describe('out and in again', () => {
  test('an empty profile then shows the same', async () => {
    const [one, other] = [profile('one'), profile('other')];
    const { document } = await fill(one);
    await addDocument(other, 'first');
    expect(await save(one)).toEqual({ counts: { conversations: 1, pictures: 2, documents: 1, tables: 1 }, missing: 0 });
    expect(await load(other)).toEqual({ counts: { conversations: 1, pictures: 2, documents: 1, tables: 1 }, merged: 0, known: 0 });
    other.documents.remove(other.documents.list().find(({ name }) => name === 'first.pdf')!.id);
    expect(seen(other)).toEqual(seen(one));
    // What an answer says of a document is said of the same one here, whatever its number is.
    const { id } = other.documents.list()[0]!;
    expect(id).not.toBe(document);
    const [conversation] = other.conversations.list();
    const { messages } = other.conversations.open(conversation!.id);
    expect(messages[0]!.scope).toMatchObject({ kind: 'document', id, removed: false });
    expect(messages[1]!.coverage!.looks[0]).toMatchObject({ documentId: id, removed: false });
    expect(readFileSync(other.documentFiles.path(other.documents.get(id).hash), 'latin1')).toBe('%PDF-1.7 lease');
  });

  test('nothing that is secret, private, deleted or of one computer is in it', async () => {
    const one = profile('one');
    await fill(one);
    await save(one);
    const names = execFileSync('python3', ['-c', unzip, path(), join(folder, 'unpacked')], { encoding: 'utf8' });
    expect(names).not.toMatch(/Secret|Private/);
    const texts = readdirSync(join(folder, 'unpacked'), { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, 'unpacked', name))
      .filter((file) => statSync(file).isFile())
      .map((file) => readFileSync(file, 'latin1'));
    expect(texts.join('\n')).toContain('How long?');
    expect(texts.join('\n')).not.toMatch(/secrethost|Secretserver|Privatetitle|Deletedtitle|hotkey|neverConnect/);
    if (process.platform !== 'win32') expect(statSync(path()).mode & 0o777).toBe(0o600);
  });

  test('a second time nothing is added', async () => {
    const [one, other] = [profile('one'), profile('other')];
    await fill(one);
    await save(one);
    await load(other);
    const before = seen(other);
    expect(await load(other)).toEqual({ counts: { conversations: 0, pictures: 0, documents: 0, tables: 0 }, merged: 0, known: 5 });
    expect(await load(one)).toMatchObject({ counts: { conversations: 0 }, merged: 0, known: 5 });
    expect(seen(other)).toEqual(before);
  });

  test('what is here stays as it is, and gets the messages that it lacks', async () => {
    const [one, other] = [profile('one'), profile('other')];
    const { conversation, question } = await fill(one);
    await save(one);
    await load(other);
    const { id } = other.conversations.list()[0]!;
    other.conversations.rename(id, 'My title');
    other.conversations.tag([id], ['mine'], ['home']);
    other.saveSettings({ systemPrompt: 'Mine.' });
    const answer = { state: 'complete' as const, model: 'demo', pictures: [] as string[], role: 'assistant' as const };
    const asked = other.conversations.open(id).messages[0]!.id;
    other.conversations.append({ ...answer, conversationId: id, parentId: asked, text: 'Only there.' });
    one.conversations.append({ ...answer, conversationId: conversation, parentId: question, text: 'Only here.' });
    await save(one, path('again.zip'));
    expect(await load(other, path('again.zip'))).toMatchObject({ counts: { conversations: 0 }, merged: 1 });
    const merged = other.conversations.open(id);
    expect(merged).toMatchObject({ title: 'My title', tags: ['law', 'mine'] });
    expect(other.settings().systemPrompt).toBe('Mine.');
    expect(merged.messages.filter(({ parentId }) => parentId === asked).map(({ text }) => text)).toEqual([
      'A year.',
      'Twelve months.',
      'Only there.',
      'Only here.',
    ]);
    expect(other.conversations.summary(id).messageCount).toBe(merged.messages.length);
  });

  test('a conversation in the bin is brought back', async () => {
    const one = profile('one');
    const { conversation } = await fill(one);
    await save(one);
    one.conversations.delete(conversation);
    expect(await load(one)).toMatchObject({ merged: 1 });
    expect(one.conversations.list().map(({ title }) => title)).toContain('A lease');
  });

  test('of a document that was removed nothing is said of another one', async () => {
    const [one, other] = [profile('one'), profile('other')];
    const { document } = await fill(one);
    one.documents.remove(document);
    await addDocument(other, 'another');
    await save(one);
    await load(other);
    const [conversation] = other.conversations.list();
    expect(other.conversations.open(conversation!.id).messages[0]!.scope).toMatchObject({ name: 'lease.pdf', removed: true });
    const later = await addDocument(other, 'later');
    expect(other.conversations.open(conversation!.id).messages[0]!.scope).toMatchObject({ removed: true });
    expect(other.documents.get(later).name).toBe('later.pdf');
  });

  test('the words of a document that was unlocked for this session stay here', async () => {
    const one = profile('one');
    const { document } = await fill(one);
    one.documents.setKeepsText(document, false);
    await save(one);
    const unpacked = execFileSync('python3', ['-c', unzip, path(), join(folder, 'unpacked')], { encoding: 'utf8' });
    expect(unpacked).toContain('documents/');
    const texts = readdirSync(join(folder, 'unpacked'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.json'))
      .map((name) => readFileSync(join(folder, 'unpacked', name), 'utf8'));
    expect(texts.join('\n')).not.toMatch(/lease page|"note":"a year"/);
  });

  test('out of an encrypted folder and into one', async () => {
    const [one, other] = [profile('one'), profile('other')];
    await fill(one);
    await one.vault.turnOn({ passphrase, recoveryCode: code });
    await other.vault.turnOn({ passphrase, recoveryCode: code });
    await save(one);
    await load(other);
    expect(seen(other)).toEqual(seen(one));
    const { hash } = other.documents.list()[0]!;
    expect(readFileSync(other.documentFiles.path(hash), 'latin1')).not.toContain('lease');
    await one.vault.lock();
    await expect(save(one, path('locked.zip'))).rejects.toMatchObject({ code: 'vault_locked' });
    await other.vault.lock();
    await expect(load(other)).rejects.toMatchObject({ code: 'vault_locked' });
    expect(existsSync(path('locked.zip'))).toBe(false);
  });

  test('a picture whose file is gone or was changed is left out, and said', async () => {
    const [one, other] = [profile('one'), profile('other')];
    const { picture } = await fill(one);
    writeFileSync((one.pictures.original(picture) as { path: string }).path, png('other'));
    expect(await save(one)).toMatchObject({ counts: { conversations: 1 }, missing: 1 });
    expect(await load(other)).toMatchObject({ counts: { conversations: 1, pictures: 0 } });
  });
});

/** Python's own reader of ZIP files: the format is not only ours. */
const unzip =
  'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; z.extractall(sys.argv[2]); print(z.namelist())';

describe('the file', () => {
  test('is written under another name first, and replaces nothing that nobody agreed to', async () => {
    const one = profile('one');
    await fill(one);
    writeFileSync(path(), 'mine');
    await expect(save(one)).rejects.toMatchObject({ code: 'file_unwritable', message: `${path()} exists already.` });
    expect(readFileSync(path(), 'utf8')).toBe('mine');
    await exportArchive({ store: one, path: path(), version: '1', replaces: true });
    expect(readFileSync(path()).subarray(0, 2).toString()).toBe('PK');
    expect(readdirSync(folder).filter((name) => name.endsWith('part'))).toEqual([]);
  });

  test('that was there stays when the export is stopped, and no part is left', async () => {
    const one = profile('one');
    await fill(one);
    writeFileSync(path(), 'mine');
    const abort = new AbortController();
    const stopped = exportArchive({
      store: one,
      path: path(),
      version: '1',
      replaces: true,
      signal: abort.signal,
      onStep: (done) => done === 2 && abort.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
    expect(readFileSync(path(), 'utf8')).toBe('mine');
    expect(readdirSync(folder).toSorted()).toEqual(['all.zip', 'one']);
  });

  test.skipIf(process.platform === 'win32')('of a part that was left behind nothing is written through a link', async () => {
    const one = profile('one');
    await fill(one);
    writeFileSync(join(folder, 'precious'), 'precious');
    symlinkSync(join(folder, 'precious'), `${path()}.0123abcd.loupe-part`);
    writeFileSync(`${path()}.part`, 'of another program');
    await save(one);
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('precious');
    expect(readdirSync(folder).toSorted()).toEqual(['all.zip', 'all.zip.part', 'one', 'precious']);
  });

  test('a folder that is not there is named', async () => {
    const one = profile('one');
    await expect(save(one, join(folder, 'nowhere', 'all.zip'))).rejects.toMatchObject({
      code: 'file_unwritable',
      message: expect.stringContaining('nowhere') as string,
    });
  });
});

describe('a file that somebody made', () => {
  interface Made {
    name: string;
    bytes?: Buffer | string;
    mode?: number;
  }
  const manifest = (version: unknown = 1, format = 'loupe-archive'): Made => ({
    name: 'manifest.json',
    bytes: JSON.stringify({ format, version, madeBy: 'x', madeAt: 1 }),
  });

  async function make(...entries: Made[]): Promise<void> {
    const zip = new ZipFile();
    for (const { name, bytes = '', mode = 0o100600 } of entries) zip.addBuffer(Buffer.from(bytes), name, { mode });
    zip.end();
    await pipeline(zip.outputStream as Readable, createWriteStream(path()));
  }

  /** Of the same length: the package would not write such a name. */
  function rename(from: string, to: string): void {
    writeFileSync(path(), Buffer.from(readFileSync(path(), 'latin1').replaceAll(from, to), 'latin1'));
  }

  async function refused(code: string, words: RegExp): Promise<void> {
    const one = profile('one');
    await fill(one);
    const before = seen(one);
    const files = readdirSync(join(folder, 'one', 'documents'), { recursive: true }).length;
    await expect(load(one)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(words) as string,
      nextStep: expect.stringMatching(/./) as string,
    });
    expect(seen(one)).toEqual(before);
    expect(readdirSync(join(folder, 'one', 'documents'), { recursive: true })).toHaveLength(files);
  }

  const conversation = (change: object = {}): Made => ({
    name: 'conversations/000001.json',
    bytes: JSON.stringify({
      ...{ title: 't', pinned: false, createdAt: 7, updatedAt: 7, instructions: '', tags: [], picture: null, pinnedPicture: null },
      ...{ shown: null, messages: [], ...change },
    }),
  });

  test('that is no ZIP file', async () => {
    writeFileSync(path(), 'not a zip');
    await refused('archive_unreadable', /all\.zip cannot be imported: it is not a ZIP file, or is cut off/);
  });

  test.each([0.2, 0.6, 0.99])('that is cut off after %f of it', async (share) => {
    const other = profile('other');
    await fill(other);
    await save(other);
    const bytes = readFileSync(path());
    writeFileSync(path(), bytes.subarray(0, Math.floor(share * bytes.length)));
    await refused('archive_unreadable', /cut off/);
  });

  test('that is not an export', async () => {
    await make({ name: 'settings.json', bytes: '{}' });
    await refused('archive_unreadable', /not an export of Loupe: it has no manifest\.json/);
  });

  test('of a newer version', async () => {
    await make(manifest(2), conversation());
    await refused('archive_newer', /newer Loupe \(version 2 of the format; this one knows 1\)/);
  });

  test.each([
    ['a path that leads out', 'conversations/1/000001.json', '../../../../../../etc/abcde'],
    ['a path from the root on', 'conversations/1/000001.json', '/etc/cron.d/loupe/abcdefghi'],
  ])('with %s', async (_, from, to) => {
    await make(manifest(), { name: from, bytes: '{}' });
    rename(from, to.slice(0, from.length).padEnd(from.length, 'x'));
    await refused('archive_unreadable', /list of files is damaged|which no export of Loupe does/);
  });

  test('with a name of its own', async () => {
    await make(manifest(), { name: 'loupe.db', bytes: 'x' });
    await refused('archive_unreadable', /“loupe\.db”, which no export of Loupe does/);
  });

  test('with a link', async () => {
    await make(manifest(), { name: `pictures/${'a'.repeat(64)}.png`, bytes: '/etc/passwd', mode: 0o120777 });
    await refused('archive_unreadable', /is a link/);
  });

  test('with an entry twice', async () => {
    await make(manifest(), conversation(), { ...conversation(), name: 'conversations/000002.json' });
    rename('conversations/000002.json', 'conversations/000001.json');
    await refused('archive_unreadable', /“conversations\/000001\.json” twice/);
  });

  test('that unpacks to far more than it is', async () => {
    await make(
      manifest(),
      ...Array.from({ length: 4 }, (_, index) => ({ name: `conversations/00000${index}.json`, bytes: Buffer.alloc(100_000_000, 0x20) })),
    );
    await refused('archive_unreadable', /would unpack to far more/);
  });

  test('with an entry larger than anything is', async () => {
    await make(manifest(), { name: 'conversations/000001.json', bytes: Buffer.alloc(128_000_001, 0x20) });
    await refused('archive_unreadable', /larger than anything that Loupe keeps/);
  });

  test('with JSON that nests for ever', async () => {
    await make(manifest(), { name: 'conversations/000001.json', bytes: '['.repeat(1_000_000) });
    await refused('archive_unreadable', /“conversations\/000001\.json” in it is not JSON that Loupe reads/);
  });

  test.each<[string, Made, RegExp]>([
    ['a number for a title', conversation({ title: 5 }), /title/],
    ['a field that is none', conversation({ deletedAt: 5 }), /deletedAt/],
    ['a message that follows itself', conversation({ messages: [{ ...said(), parent: 0 }] }), /follows one after it/],
    ['a message that is not there', conversation({ shown: 3 }), /shows a message/],
    ['settings of this computer', { name: 'settings.json', bytes: '{"modelsDirectory":"/"}' }, /modelsDirectory/],
    ['a picture that is not in it', conversation({ messages: [{ ...said(), pictures: ['b'.repeat(64)] }] }), /shows the picture b{64}/],
    ['a file of which nothing is told', { name: `pictures/${sha256(png('x'))}.png`, bytes: png('x') }, /nothing is told/],
  ])('with %s', async (_, entry, words) => {
    await make(manifest(), entry);
    await refused('archive_unreadable', words);
  });

  test('with other bytes than a name says', async () => {
    const hash = 'c'.repeat(64);
    await make(
      manifest(),
      { name: `pictures/${hash}.json`, bytes: '{"name":"a","origin":{"kind":"file"},"text":null}' },
      { name: `pictures/${hash}.png`, bytes: png('x') },
    );
    await refused('archive_unreadable', /other bytes than its name says/);
  });

  test('with a program that is called a picture', async () => {
    const bytes = Buffer.from('MZ program');
    const hash = sha256(bytes);
    await make(
      manifest(),
      { name: `pictures/${hash}.json`, bytes: '{"name":"a","origin":{"kind":"file"},"text":null}' },
      { name: `pictures/${hash}.png`, bytes },
    );
    await refused('archive_unreadable', /is not a picture/);
  });

  test('that was damaged on the way', async () => {
    const other = profile('other');
    await fill(other);
    await save(other);
    const bytes = readFileSync(path());
    const at = bytes.indexOf('%PDF-1.7 lease');
    bytes[at + 10]! ^= 1;
    writeFileSync(path(), bytes);
    await refused('archive_unreadable', /“documents\/[0-9a-f]{64}\.pdf” in it (is damaged|holds other bytes)/);
  });

  function said(): object {
    return {
      ...{ parent: null, role: 'user', text: 'q', pictures: [], state: 'complete', failure: null, finish: null, model: null, server: null },
      ...{ compared: null, statistics: null, judgement: null, differences: null, createdAt: 7, scope: null, coverage: null, citations: [] },
    };
  }
});

test('of damaged copies each is refused with a sentence and changes nothing, or is imported as it was', async () => {
  const one = profile('one');
  await fill(one);
  await save(one);
  const [whole, sound] = [readFileSync(path()), seen(one)];
  const target = profile('target');
  const nothing = seen(target);
  const random = randomNumbers(seed);
  let refused = 0;
  for (let turn = 0; turn < mutations; turn++) {
    const bytes = Buffer.from(whole);
    bytes[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
    writeFileSync(path(), bytes);
    // What damage leaves as it was is nothing new here; all else has to be refused before a thing is changed.
    const thrown: unknown = await load(one).then(
      () => null,
      (error: unknown) => error,
    );
    if (thrown) {
      refused++;
      expect(thrown).toMatchObject({ name: 'LoupeError', code: expect.stringMatching(/^archive_/) as string });
      await expect(load(target)).rejects.toThrow((thrown as Error).message);
    }
    expect(seen(one)).toEqual(sound);
    expect(seen(target)).toEqual(nothing);
  }
  expect(refused).toBeGreaterThan(mutations / 2);
});

describe('for a window', () => {
  test('tells how far it is and what came of it, one at a time', async () => {
    const one = profile('one');
    await fill(one);
    const events: EventMessage[] = [];
    const archives = createArchives({
      store: one,
      pictures: picturesOf(one),
      version: '1',
      emit: (event) => events.push(event),
      onPut: () => {},
    });
    archives.export(path(), { replaces: false });
    expect(archives.state().work).toBe('export');
    expect(() => archives.import(path())).toThrow('Loupe is exporting already.');
    await expect.poll(() => archives.state().work).toBeNull();
    expect(archives.state()).toMatchObject({
      failure: null,
      result: { work: 'export', path: path(), counts: { conversations: 1, pictures: 2 } },
    });
    archives.import(join(folder, 'none.zip'));
    await expect.poll(() => archives.state().failure?.code).toBe('file_missing');
    expect(archives.state().result).toBeNull();
    expect(events.at(-1)).toEqual({ event: 'archive.changed', payload: archives.state() });
  });

  test('stops before the store is closed', async () => {
    const one = profile('one');
    await fill(one);
    const archives = createArchives({ store: one, pictures: picturesOf(one), version: '1', emit: () => {}, onPut: () => {} });
    archives.export(path(), { replaces: false });
    await archives.stop();
    expect(archives.state()).toMatchObject({ work: null, result: null, failure: null });
    expect(readdirSync(folder)).toEqual(['one']);
  });
});

test('a history is not in memory whole', async () => {
  const one = profile('one');
  mkdirSync(join(folder, 'large'));
  // 40 documents of 8 MB each.
  for (let index = 0; index < 40; index++) {
    const incoming = await one.documentFiles.receive();
    await incoming.append(Buffer.concat([Buffer.from(`%PDF-1.7 ${index}`), Buffer.alloc(8_000_000, index)]));
    const brought = await incoming.finish();
    one.documents.add({ kind: 'pdf', name: `${index}.pdf`, bytes: brought.bytes, pageCount: 1, hash: brought.hash, from: 1, to: 1 });
    brought.keep();
  }
  let most = 0;
  const base = process.memoryUsage().arrayBuffers;
  await exportArchive({
    store: one,
    path: path(),
    version: '1',
    onStep: () => (most = Math.max(most, process.memoryUsage().arrayBuffers - base)),
  });
  expect(statSync(path()).size).toBeGreaterThan(320_000_000);
  expect(most).toBeLessThan(200_000_000);
});
