import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Chat, deleteConversations } from './chat.svelte.ts';
import { Conversations } from './conversations.svelte.ts';
import { defaultSettings } from '../../main/contract.ts';
import { conversation, createFakeClient, message, picture, summary } from './fake-client.ts';
import { Toasts } from './toasts.svelte.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function chat(answers: Parameters<typeof createFakeClient>[0] = {}) {
  const client = createFakeClient({
    'conversations.saveDraft': () => null,
    'conversations.draft': () => ({ text: 'left over', pictures: [] }),
    'chat.measure': () => null,
    ...answers,
  });
  const toasts = new Toasts();
  return { client, toasts, chat: new Chat(client, toasts) };
}

const stored = conversation([message(1, null, { pictures: [picture('a')] }), message(2, 1, { role: 'assistant' })], {
  draft: { text: 'draft', pictures: [] },
});

test('a conversation opens with its draft, a new one with its own', async () => {
  const { chat: it } = chat({ 'conversations.open': () => stored });
  await it.open(1);
  expect(it.composer.text).toBe('draft');
  expect(it.selectedId).toBe(1);
  await it.startNew();
  expect(it.current).toBeNull();
  expect(it.composer.text).toBe('left over');
});

test('the last one asked for is the one that is shown', async () => {
  const waiting = new Map<number, () => void>();
  const { chat: it } = chat({
    'conversations.open': ({ id }) => new Promise((resolve) => void waiting.set(id, () => resolve({ ...stored, id }))),
  });
  const first = it.open(1);
  const second = it.open(2);
  waiting.get(2)!();
  await second;
  waiting.get(1)!();
  await first;
  expect(it.current?.id).toBe(2);
});

test('what is typed while a conversation is on its way is for its question', async () => {
  let arrive = (): void => {};
  const { chat: it, client } = chat({
    'conversations.open': () => stored,
    'conversations.draft': () => new Promise((resolve) => (arrive = () => resolve({ text: 'left over', pictures: [] }))),
    'chat.send': () => ({
      conversation: summary(2),
      question: message(3, null),
      answer: message(4, 3, { role: 'assistant', state: 'streaming' }),
    }),
  });
  await it.open(1);
  const beginning = it.startNew();
  it.composer.text = 'draft and more';
  const sending = it.send();
  await vi.advanceTimersByTimeAsync(1000);
  expect(client.inputs('chat.send')).toEqual([]);
  // Nothing of it is stored with the conversation that was left.
  expect(client.inputs('conversations.saveDraft')).toEqual([]);
  arrive();
  await Promise.all([beginning, sending]);
  expect(client.inputs('chat.send')).toMatchObject([{ conversationId: null, text: 'left over\n and more' }]);
});

test('what is typed for a conversation that does not come stays with the one before', async () => {
  const { chat: it, client } = chat({
    'conversations.open': ({ id }) => {
      if (id === 2) throw new Error('gone');
      return stored;
    },
  });
  await it.open(1);
  const opening = it.open(2);
  it.composer.text = 'draft and more';
  await opening;
  await vi.advanceTimersByTimeAsync(1000);
  expect(it.composer.text).toBe('draft and more');
  expect(client.inputs('conversations.saveDraft')).toMatchObject([{ id: 1, text: 'draft and more' }]);
});

test('one that cannot be opened leaves the one before', async () => {
  const { chat: it, toasts } = chat({
    'conversations.open': ({ id }) => {
      if (id === 2) throw new Error('gone');
      return stored;
    },
  });
  await it.open(1);
  await it.open(2);
  expect(it.selectedId).toBe(1);
  expect(it.current?.id).toBe(1);
  expect(toasts.shown).toHaveLength(1);
});

test('the first question begins a conversation; the next one follows its answer', async () => {
  const question = message(1, null);
  const answer = message(2, 1, { role: 'assistant', state: 'streaming', finish: null });
  const { chat: it, client } = chat({ 'chat.send': () => ({ conversation: summary(1), question, answer }) });
  await it.startNew();
  it.composer.text = 'Why?';
  await it.send();
  expect(it.current?.path.map(({ id }) => id)).toEqual([1, 2]);
  expect(it.selectedId).toBe(1);
  it.composer.text = 'Again?';
  await it.send();
  expect(client.inputs('chat.send')).toHaveLength(1);
  client.send('message.changed', { ...answer, state: 'complete' });
  await it.send();
  expect(client.inputs('chat.send')[1]).toMatchObject({ conversationId: 1, parentId: 2, text: 'Again?' });
});

test('an edited question becomes a branch with the same pictures', async () => {
  const { chat: it, client } = chat({
    'conversations.open': () => stored,
    'chat.send': () => ({
      conversation: summary(1),
      question: message(3, null),
      answer: message(4, 3, { role: 'assistant', state: 'streaming' }),
    }),
  });
  await it.open(1);
  it.editLastQuestion();
  expect(it.editing).toBe(1);
  await it.resend(stored.messages[0]!, 'In other words');
  expect(client.inputs('chat.send')).toEqual([
    { conversationId: 1, parentId: null, text: 'In other words', pictures: ['a'.repeat(64)], scope: null },
  ]);
  expect(it.current?.path.map(({ id }) => id)).toEqual([3, 4]);
  expect(it.editing).toBeNull();
});

test('says which picture will be looked at', async () => {
  const { chat: it } = chat({ 'conversations.open': () => stored, 'conversations.pinPicture': () => null });
  await it.open(1);
  expect(it.pictureToBe?.name).toBe('a.png');
  it.composer.add(picture('b'));
  expect(it.pictureToBe?.name).toBe('b.png');
  await it.current!.pinPicture(picture('a'));
  expect(it.pictureToBe?.name).toBe('a.png');
});

test('a hit on another branch is brought into view', async () => {
  const tree = conversation([message(1, null), message(2, 1, { role: 'assistant' }), message(3, 1, { role: 'assistant' })]);
  const { chat: it } = chat({ 'conversations.open': () => tree, 'conversations.selectBranch': () => ({ leafId: 2 }) });
  await it.open(1, { messageId: 2, words: ['rent'] });
  expect(it.current?.path.map(({ id }) => id)).toEqual([1, 2]);
  expect(it.sought).toEqual({ messageId: 2, words: ['rent'] });
});

test('a conversation that is deleted makes room for a new one', async () => {
  const { chat: it, client } = chat({ 'conversations.open': () => stored });
  await it.open(1);
  client.send('conversation.deleted', { id: 1 });
  await vi.advanceTimersByTimeAsync(0);
  expect(it.current).toBeNull();
});

describe('a private conversation', () => {
  const isPrivate = { ...stored, id: 7, private: true as const, draft: { text: '', pictures: [] } };

  async function shown(messageCount: number, answers: Parameters<typeof createFakeClient>[0] = {}) {
    const rig = chat({
      'conversations.list': () => [summary(7, { private: true, messageCount })],
      'conversations.openPrivate': () => summary(7, { private: true }),
      'conversations.open': ({ id }) => (id === 7 ? isPrivate : { ...stored, id }),
      'conversations.closePrivate': () => null,
      'pictures.add': () => picture('b'),
      ...answers,
    });
    const conversations = new Conversations(rig.client, rig.toasts);
    await conversations.refresh();
    await rig.chat.startPrivate(conversations);
    return { ...rig, conversations };
  }

  test('gets the pictures that are brought and made for it', async () => {
    const { chat: it, client } = await shown(2);
    expect([it.current?.isPrivate, it.madeFor]).toEqual([true, { conversationId: 7 }]);
    await it.composer.addFiles([new File(['a'], 'a.png')], 'drop');
    expect(client.inputs('pictures.add')).toMatchObject([{ conversationId: 7 }]);
    await it.startNew();
    expect(it.madeFor).toEqual({ conversationId: null });
  });

  test('is closed after a question, and at once where nothing was asked; to delete it is to close it', async () => {
    const { chat: it, client, conversations } = await shown(2);
    await deleteConversations([7], it, conversations);
    expect([it.closing, client.inputs('conversations.closePrivate')]).toEqual([7, []]);
    it.askToClose(null, conversations);
    expect(it.closing).toBeNull();
    it.askToClose(7, conversations);
    client.send('conversation.deleted', { id: 7 });
    expect(it.closing).toBeNull();

    const empty = await shown(0);
    empty.chat.askToClose(7, empty.conversations);
    expect(empty.client.inputs('conversations.closePrivate')).toEqual([{ id: 7 }]);
    expect(empty.chat.closing).toBeNull();
    expect(empty.client.asked.map(({ name }) => name)).not.toContain('conversations.delete');
  });

  test('is shown under its new number once it is kept', async () => {
    const { chat: it, conversations } = await shown(2, { 'conversations.keep': () => summary(8) });
    await it.keep(7, conversations);
    expect([it.current?.id, it.current?.isPrivate]).toEqual([8, false]);
  });
});

test('a server’s model cannot count: the meter of the model before is gone as soon as it is chosen', async () => {
  let usage: { promptTokens: number; contextLength: number; forgottenMessages: number; fits: boolean } | null = {
    ...{ promptTokens: 9, contextLength: 100, forgottenMessages: 0, fits: true },
  };
  const { chat: it, client } = chat({ 'chat.measure': () => usage });
  it.composer.text = 'Some words';
  await vi.advanceTimersByTimeAsync(1_000);
  expect(it.composer.usage).toEqual(usage);
  usage = null;
  client.send('settings.changed', { ...defaultSettings, model: 'server:1' });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(it.composer.usage).toBeNull();
});

test('a comparison is shown with its first answer in the branch, runs until the last has ended, and Stop ends all', async () => {
  const streaming = { role: 'assistant', state: 'streaming' } as const;
  const answers = [message(2, 1, { ...streaming, compared: 'a' }), message(3, 1, { ...streaming, compared: 'server:1' })];
  const { chat: it, client } = chat({
    'chat.compare': () => ({ conversation: summary(1), question: message(1, null), answers }),
    'chat.stop': () => null,
  });
  it.composer.text = 'Which?';
  await it.compare(['a', 'server:1']);
  expect(client.inputs('chat.compare')).toEqual([
    { conversationId: null, parentId: null, text: 'Which?', pictures: [], models: ['a', 'server:1'] },
  ]);
  const shown = it.current!;
  expect([shown.leafId, shown.allRunning.map(({ id }) => id)]).toEqual([2, [2, 3]]);
  client.send('message.changed', { ...answers[0]!, state: 'failed' });
  expect(shown.running?.id).toBe(3);
  // Tried again: the newest of each model stands in its column.
  client.send('message.changed', message(4, 1, { ...streaming, compared: 'a' }));
  expect(shown.compared(answers[1]!).map(({ id }) => id)).toEqual([4, 3]);
  it.stop();
  expect(client.inputs('chat.stop').map(({ messageId }) => messageId)).toEqual([4, 3]);
});
