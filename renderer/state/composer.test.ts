import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { limits, type Picture } from '../../main/contract.ts';
import { RequestFailure } from '../api/transport.ts';
import { Composer } from './composer.svelte.ts';
import { createFakeClient, message, picture, summary } from './fake-client.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const noDraft = { text: '', pictures: [] };
const sent = { conversation: summary(7), question: message(1, null), answer: message(2, 1, { role: 'assistant' }) };
const usage = { promptTokens: 10, contextLength: 100, forgottenMessages: 0, fits: true };
const usual = { 'conversations.saveDraft': () => null, 'chat.measure': () => null };

function composer(answers: Parameters<typeof createFakeClient>[0] = {}) {
  const client = createFakeClient({ ...usual, ...answers });
  return { client, composer: new Composer(client, () => ({ conversationId: null, parentId: null })) };
}

function file(name: string, bytes = [1, 2, 3]): File {
  return new File([new Uint8Array(bytes)], name, { type: 'image/png' });
}

test('a draft is saved once writing pauses, and when another one is loaded', async () => {
  const { client, composer: it } = composer();
  it.load(3, noDraft);
  it.text = 'a';
  it.text = 'ab';
  expect(client.inputs('conversations.saveDraft')).toEqual([]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(client.inputs('conversations.saveDraft')).toEqual([{ id: 3, text: 'ab', pictures: [], scope: null }]);
  it.text = 'abc';
  it.load(4, { text: 'other', pictures: [picture('a')] });
  expect(client.inputs('conversations.saveDraft').at(-1)).toEqual({ id: 3, text: 'abc', pictures: [], scope: null });
  expect(it.text).toBe('other');
  expect(it.pictures.map(({ name }) => name)).toEqual(['a.png']);
});

test('what the question is about is kept with it, and so is that it is about nothing any more', async () => {
  const { client, composer: it } = composer();
  const scope = { kind: 'document', id: 7, name: 'lease.pdf', removed: false, pages: null } as const;
  it.load(3, { text: '', pictures: [] }, scope);
  expect(it.scope).toEqual(scope);
  it.scope = null;
  it.text = 'And the weather?';
  it.flush();
  expect(client.inputs('conversations.saveDraft').at(-1)).toEqual({ id: 3, text: 'And the weather?', pictures: [], scope: null });
  it.load(3, { text: 'And the weather?', pictures: [], scope: null }, scope);
  expect(it.scope).toBeNull();
  it.load(null, { text: '', pictures: [], scope: { kind: 'library', every: true } });
  expect(it.scope).toEqual({ kind: 'library', every: true });
});

test('a sent question leaves an empty composer and an empty draft', async () => {
  const { client, composer: it } = composer({ 'chat.send': () => sent });
  it.load(null, noDraft);
  it.text = 'Why?';
  it.add(picture('a'));
  expect(await it.send()).toBe(sent);
  expect(client.inputs('chat.send')).toEqual([
    { conversationId: null, parentId: null, text: 'Why?', pictures: ['a'.repeat(64)], scope: null },
  ]);
  expect(it.isEmpty).toBe(true);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(client.inputs('conversations.saveDraft').at(-1)).toEqual({ id: null, text: '', pictures: [], scope: null });
});

test('a question waits for the pictures that are being read; one that cannot be read leaves it where it is', async () => {
  let read: (value: ReturnType<typeof picture>) => void = () => {};
  let refuse: (error: Error) => void = () => {};
  const { client, composer: it } = composer({
    'chat.send': () => sent,
    'pictures.add': () => new Promise((resolve, reject) => ([read, refuse] = [resolve, reject])),
  });
  it.load(null, noDraft);
  it.text = 'Why?';
  void it.addFiles([file('a.png')], 'file');
  const sending = it.send();
  await vi.advanceTimersByTimeAsync(10);
  expect(client.inputs('chat.send')).toEqual([]);
  read(picture('a'));
  expect(await sending).toBe(sent);
  expect(client.inputs('chat.send')).toMatchObject([{ text: 'Why?', pictures: ['a'.repeat(64)] }]);

  it.text = 'And this?';
  void it.addFiles([file('b.txt')], 'file');
  const second = it.send();
  await vi.advanceTimersByTimeAsync(10);
  refuse(new RequestFailure({ code: 'image_unreadable', message: 'b.txt is not a picture.', nextStep: 'Take another.' }));
  expect(await second).toBeNull();
  expect(it.text).toBe('And this?');
  expect(it.failure?.message).toBe('b.txt is not a picture.');
});

test('the last picture chosen is the last one attached, however long each takes; every refusal is named', async () => {
  const waiting: { resolve: (value: ReturnType<typeof picture>) => void; reject: (error: Error) => void }[] = [];
  const { composer: it } = composer({ 'pictures.add': () => new Promise((resolve, reject) => waiting.push({ resolve, reject })) });
  it.load(null, noDraft);
  void it.addFiles([file('huge.png')], 'file');
  const second = it.addFiles([file('small.png'), file('x.txt'), file('y.txt')], 'file');
  for (const letter of ['a', 'b']) {
    await vi.waitFor(() => expect(waiting).toHaveLength(1));
    waiting.pop()!.resolve(picture(letter));
  }
  for (const name of ['x.txt', 'y.txt']) {
    await vi.waitFor(() => expect(waiting).toHaveLength(1));
    waiting
      .pop()!
      .reject(new RequestFailure({ code: 'image_unreadable', message: `${name} is not a picture.`, nextStep: 'Take another.' }));
  }
  await second;
  expect(it.pictures.map(({ name }) => name)).toEqual(['a.png', 'b.png']);
  expect(it.failure?.message).toBe('x.txt is not a picture. y.txt is not a picture.');
});

test('a question that could not be sent comes back, before what was typed meanwhile', async () => {
  let fail: (error: Error) => void = () => {};
  const { composer: it } = composer({ 'chat.send': () => new Promise((_, reject) => (fail = reject)) });
  it.load(null, noDraft);
  it.add(picture('a'));
  it.text = 'First';
  const sending = it.send();
  expect(it.text).toBe('');
  it.text = 'Second';
  fail(new RequestFailure({ code: 'store_full', message: 'The disk is full.', nextStep: 'Free some space.' }));
  expect(await sending).toBeNull();
  expect(it.text).toBe('First\nSecond');
  expect(it.pictures).toHaveLength(1);
  expect(it.failure?.message).toBe('The disk is full.');
});

test('nothing is sent twice, nor without words', async () => {
  let answer: (value: typeof sent) => void = () => {};
  const { client, composer: it } = composer({ 'chat.send': () => new Promise((resolve) => (answer = resolve)) });
  it.load(null, noDraft);
  it.text = '  ';
  expect(await it.send()).toBeNull();
  it.text = 'Why?';
  const first = it.send();
  it.text = 'Why again?';
  expect(await it.send()).toBeNull();
  answer(sent);
  await first;
  expect(client.inputs('chat.send')).toHaveLength(1);
});

test('pictures are added in order; one that is there already moves to the end', async () => {
  const names = ['a', 'b'];
  const { client, composer: it } = composer({ 'pictures.add': () => picture(names.shift()!) });
  it.load(null, noDraft);
  await it.addFiles([file('a.png'), file('image.png')], 'paste');
  expect(it.pictures.map(({ name }) => name)).toEqual(['a.png', 'b.png']);
  expect(client.inputs('pictures.add').map(({ name, kind, bytes }) => [name, kind, bytes.length])).toEqual([
    // A file that was copied has a name; a picture that was copied has one that nobody gave it.
    ['a.png', 'paste', 3],
    ['Pasted picture', 'paste', 3],
  ]);
  it.add(picture('a'));
  expect(it.pictures.map(({ name }) => name)).toEqual(['b.png', 'a.png']);
});

test('a picture that cannot be read is said to be so, and the others are added', async () => {
  const { composer: it } = composer({
    'pictures.add': ({ name }) => {
      if (name === 'bad.png')
        throw new RequestFailure({ code: 'image_unreadable', message: 'bad.png is not a picture.', nextStep: 'Save it again.' });
      return picture('c');
    },
  });
  it.load(null, noDraft);
  await it.addFiles([file('bad.png'), file('c.png')], 'drop');
  expect(it.pictures.map(({ name }) => name)).toEqual(['c.png']);
  expect(it.adding).toEqual([]);
});

test('a text that is too long is cut, and said to be', () => {
  const { composer: it } = composer();
  it.load(null, noDraft);
  it.text = 'x'.repeat(limits.message + 1);
  expect(it.text).toHaveLength(limits.message);
  expect(it.failure?.message).toContain('200,000');
  it.text = 'short';
  expect(it.failure).toBeNull();
});

test('at most six pictures', async () => {
  const letters = [...'abcdef'];
  const { client, composer: it } = composer({ 'pictures.add': () => picture(letters.shift()!) });
  it.load(null, noDraft);
  await it.addFiles(
    Array.from({ length: 8 }, (_, at) => file(`${at}.png`)),
    'drop',
  );
  expect(client.inputs('pictures.add')).toHaveLength(6);
  expect(it.pictures).toHaveLength(6);
  it.add(picture('0'));
  expect(it.pictures).toHaveLength(6);
  expect(it.failure?.message).toContain('6');
});

test('a picture that was read for another draft does not end up in this one', async () => {
  let answer: (value: ReturnType<typeof picture>) => void = () => {};
  const { composer: it } = composer({ 'pictures.add': () => new Promise((resolve) => (answer = resolve)) });
  it.load(1, noDraft);
  const adding = it.addFiles([file('a.png')], 'file');
  await vi.advanceTimersByTimeAsync(10);
  it.load(2, noDraft);
  answer(picture('a'));
  await adding;
  expect(it.pictures).toEqual([]);
});

test('the context is measured once writing pauses', async () => {
  const { client, composer: it } = composer({ 'chat.measure': () => usage });
  it.load(null, noDraft);
  it.text = 'a';
  it.text = 'ab';
  await vi.advanceTimersByTimeAsync(2_000);
  expect(client.inputs('chat.measure')).toEqual([{ conversationId: null, parentId: null, text: 'ab', pictures: 0 }]);
  expect(it.usage?.promptTokens).toBe(10);
});

test('what a question has no room for is counted', () => {
  const { composer: it } = composer();
  it.load(null, noDraft);
  it.text = 'a'.repeat(limits.message);
  expect(it.failure).toBeNull();
  it.text = 'a'.repeat(limits.message + 1_234);
  expect(it.text.length).toBe(limits.message);
  expect(it.failure?.message).toContain('1,234');
});

test('a question that cannot fit is not sent, and stays to be shortened', async () => {
  const { client, composer: it } = composer({
    'chat.send': () => sent,
    'chat.measure': ({ text }) => ({ ...usage, promptTokens: text.length, fits: text.length < 1_000 }),
  });
  it.load(null, noDraft);
  it.text = 'a'.repeat(5_000);
  expect(await it.send()).toBeNull();
  expect(client.inputs('chat.send')).toEqual([]);
  expect(it.text).toBe('a'.repeat(5_000));
  expect(it.failure?.message).toContain('5,000 tokens');
  expect(it.canSend).toBe(true);
  it.text = 'a'.repeat(50);
  expect(await it.send()).toBe(sent);
});

test('where it cannot be counted, the app decides', async () => {
  const { composer: it } = composer({ 'chat.send': () => sent, 'chat.measure': () => Promise.reject(new Error('gone')) });
  it.load(null, noDraft);
  it.text = 'a'.repeat(5_000);
  expect(await it.send()).toBe(sent);
});

test('a question that comes back brings no picture twice that was attached again meanwhile', async () => {
  let fail: (error: Error) => void = () => {};
  const { composer: it } = composer({ 'chat.send': () => new Promise((_, reject) => (fail = reject)) });
  it.load(null, noDraft);
  it.text = 'Why?';
  it.add(picture('a'));
  const sending = it.send();
  it.add(picture('b'));
  it.add(picture('a'));
  fail(new RequestFailure({ code: 'usage', message: 'No.', nextStep: '' }));
  await sending;
  expect(it.pictures.map(({ name }) => name)).toEqual(['a.png', 'b.png']);
});

describe('pages of a file', () => {
  const page = (letter: string, number: number, unit: 'page' | 'frame' = 'page'): Picture => ({
    ...picture(letter),
    origin: { kind: 'page', of: 'f'.repeat(64), unit, number, count: 3 },
  });

  test('the others are offered of a document, and not of an animation', async () => {
    const read = [page('a', 1, 'frame'), page('b', 1)];
    const { composer: it } = composer({ 'pictures.add': () => read.shift()! });
    await it.addFiles([file('anim.gif')], 'file');
    expect(it.paged).toBeNull();
    await it.addFiles([file('scan.tif')], 'file');
    expect(it.paged?.hash).toBe('b'.repeat(64));
  });

  test('follow the page that is chosen, and go with it', () => {
    const { composer: it } = composer();
    it.take(page('a', 1));
    it.replace('a'.repeat(64), page('b', 2));
    expect([it.paged?.hash, it.pictures.map(({ hash }) => hash[0])]).toEqual(['b'.repeat(64), ['b']]);
    it.remove('b'.repeat(64));
    expect(it.paged).toBeNull();
    it.take(page('a', 1));
    it.replace('a'.repeat(64), picture('c'));
    expect(it.paged).toBeNull();
  });

  test('a page that is attached already is not attached twice', () => {
    const { composer: it } = composer();
    it.take(page('a', 1));
    it.take(page('b', 2));
    it.replace('b'.repeat(64), page('a', 1));
    expect(it.pictures.map(({ hash }) => hash[0])).toEqual(['a']);
  });

  test('are no longer offered once the question is asked or another conversation is open', async () => {
    const { composer: it } = composer({ 'chat.send': () => sent });
    it.take(page('a', 1));
    it.text = 'What is it?';
    await it.send();
    expect(it.paged).toBeNull();
    it.take(page('a', 1));
    it.load(2, { text: '', pictures: [] });
    expect(it.paged).toBeNull();
  });
});
