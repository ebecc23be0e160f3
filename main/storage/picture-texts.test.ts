import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseOutput } from '../contract.ts';
import type { Store } from '../services/ports.ts';
import { openStore } from './store.ts';

const day = 24 * 60 * 60 * 1000;

let folder: string;
let store: Store;
let now: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-picture-texts-'));
  now = Date.now();
  store = openStore(folder, { clock: { now: () => now } });
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

function picture(name: string): string {
  return store.pictures.add({
    bytes: Buffer.from(name),
    name,
    width: 1,
    height: 1,
    origin: { kind: 'file' },
    thumbnail: Buffer.from('thumb'),
    display: null,
  }).hash;
}

/** Answers the ids of the conversation and its message. */
function asked(title: string, text: string, ...pictures: string[]): { id: number; messageId: number } {
  const { id } = store.conversations.create(title);
  const message = { conversationId: id, parentId: null, role: 'user' as const, text, pictures, state: 'complete' as const, model: null };
  return { id, messageId: store.conversations.append(message).id };
}

function find(query: string, limit = 10) {
  return parseOutput('conversations.search', store.conversations.search(query, limit)).map(({ messageId, picture: hash, snippet }) => ({
    messageId,
    picture: hash,
    snippet: snippet.map(({ text, hit }) => (hit ? `[${text}]` : text)).join(''),
  }));
}

test('words in pictures are found, and the hit says in which', () => {
  const bill = picture('bill');
  const { messageId } = asked('About money', 'What is the sum?', bill);
  expect(find('acme')).toEqual([]);
  store.pictures.saveText(bill, 'ACME Ltd.\nInvoice\t4711\nTotal\t12.50');
  expect(find('invoice 47')).toEqual([{ messageId, picture: bill, snippet: 'ACME Ltd. [Invoice] [4711] Total 12.50' }]);
  // What somebody wrote is told from what was read.
  expect(find('sum')).toEqual([{ messageId, picture: null, snippet: 'What is the [sum]?' }]);
  store.pictures.saveText(bill, 'Receipt');
  expect([find('invoice'), find('receipt')]).toEqual([[], [expect.objectContaining({ picture: bill })]]);
});

test('once for a message, also where its text has the words or several of its pictures; the newest of a conversation', () => {
  const [one, two] = [picture('one'), picture('two')];
  for (const hash of [one, two]) store.pictures.saveText(hash, 'Quarterly figures');
  const both = asked('a', 'Compare them', one, two);
  const text = asked('b', 'The quarterly figures', one);
  expect(find('quarterly').map(({ messageId }) => messageId)).toEqual([text.messageId, both.messageId]);
  const later = store.conversations.append({
    conversationId: both.id,
    parentId: both.messageId,
    role: 'user',
    text: 'And now?',
    pictures: [one, two],
    state: 'complete',
    model: null,
  });
  expect(find('quarterly').map(({ messageId }) => messageId)).toEqual([text.messageId, later.id]);
});

test('no kind crowds out the others', () => {
  for (let index = 0; index < 8; index++) {
    const hash = picture(`${index}`);
    store.pictures.saveText(hash, `invoice ${index}`);
    asked(`Invoice ${index}`, `the invoice, and picture ${index}`);
    asked('other', `look at ${index}`, hash);
  }
  const kinds = store.conversations
    .search('invoice', 8)
    .map(({ messageId, picture: hash }) => (hash ? 'picture' : messageId ? 'text' : 'title'));
  expect(kinds).toEqual(['title', 'title', 'title', 'title', 'text', 'text', 'picture', 'picture']);
});

test('the newest picture of a conversation is read next, each once, and none that nobody can see', () => {
  const [old, fresh, loose] = [picture('old'), picture('fresh'), picture('loose')];
  const first = asked('a', 'one', old);
  asked('b', 'two', fresh);
  expect(store.pictures.nextUnread()).toBe(fresh);
  // Nothing was found in it.
  store.pictures.saveText(fresh, '');
  expect(store.pictures.nextUnread()).toBe(old);
  store.conversations.delete(first.id);
  expect([store.pictures.nextUnread(), loose.length]).toEqual([null, 64]);
  store.conversations.restore(first.id);
  expect(store.pictures.nextUnread()).toBe(old);
  store.pictures.saveText('f'.repeat(64), 'of a picture that is gone');
  expect(find('gone')).toEqual([]);
});

/** In the database, its log, the pictures' files: everywhere but in backups, which are kept for 30 days. */
function isOnDisk(word: string): boolean {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).some((path) => {
    const whole = join(folder, path);
    return statSync(whole).isFile() && readFileSync(whole).toString('latin1').toLowerCase().includes(word);
  });
}

test('with the picture its words are deleted, from the file and the log', () => {
  const secret = picture('s');
  const { id } = asked('a', 'What is it?', secret);
  store.pictures.saveText(secret, 'Zwetschgenwasser certificate');
  const kept = picture('k');
  asked('b', 'And this?', kept);
  store.pictures.saveText(kept, 'Marmalade');
  expect(isOnDisk('zwetschgenwasser')).toBe(true);
  store.conversations.delete(id);
  expect(find('zwetschgenwasser')).toEqual([]);
  now += 31 * day;
  store.sweep();
  expect([isOnDisk('zwetschgenwasser'), isOnDisk('certificate')]).toEqual([false, false]);
  expect(find('marmalade')).toHaveLength(1);
});

test('all that was read can be forgotten, and be read again', () => {
  const hash = picture('s');
  asked('a', 'What is it?', hash);
  store.pictures.saveText(hash, 'Zwetschgenwasser');
  store.pictures.forgetTexts();
  expect([find('zwetschgenwasser'), store.pictures.nextUnread()]).toEqual([[], hash]);
  store.close();
  expect(isOnDisk('zwetschgenwasser')).toBe(false);
  store = openStore(folder, { clock: { now: () => now } });
});
