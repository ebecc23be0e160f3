import { beforeEach, expect, test, vi } from 'vitest';
import type { EventName, Message, Payload, Picture } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import { QuickAsk } from './quick-ask.svelte.ts';

const picture: Picture = {
  hash: 'a'.repeat(64),
  name: 'Screen capture',
  width: 640,
  height: 480,
  bytes: 1000,
  origin: { kind: 'capture' },
};

function message(fields: Partial<Message>): Message {
  return {
    id: 1,
    conversationId: 7,
    parentId: null,
    role: 'assistant',
    text: '',
    pictures: [],
    state: 'streaming',
    failure: null,
    finish: null,
    model: 'demo',
    statistics: null,
    judgement: null,
    scope: null,
    coverage: null,
    citations: [],
    differences: [],
    createdAt: 0,
    ...fields,
  };
}

let requests: { name: string; input: unknown }[] = [];
let replies: Record<string, (input: never) => unknown> = {};
const listeners = new Map<string, Set<(payload: unknown) => void>>();

const client = {
  request(name: string, input: unknown) {
    requests.push({ name, input });
    const reply = replies[name];
    return reply ? Promise.resolve(reply(input as never)) : Promise.reject(new Error(`${name} failed`));
  },
  on(event: string, listener: (payload: unknown) => void) {
    const known = listeners.get(event) ?? new Set();
    listeners.set(event, known.add(listener));
    return () => known.delete(listener);
  },
  onConnection: () => () => true,
} as unknown as Client;

function emit<Name extends EventName>(event: Name, payload: Payload<Name>): void {
  for (const listener of listeners.get(event) ?? []) listener(payload);
}

beforeEach(() => {
  requests = [];
  listeners.clear();
  vi.stubGlobal('requestAnimationFrame', (draw: () => void) => queueMicrotask(draw));
  let nextId = 10;
  replies = {
    'pictures.view': ({ width, height }: { width: number; height: number }) => ({ picture: { width, height }, sharpness: 'sharp' }),
    'chat.send': ({ text, parentId }: { text: string; parentId: number | null }) => ({
      conversation: { id: 7 },
      question: message({ id: nextId++, role: 'user', text, parentId, state: 'complete' }),
      answer: message({ id: nextId++, parentId: nextId - 2 }),
    }),
    'chat.stop': () => null,
  };
});

async function asked(): Promise<QuickAsk> {
  const quick = new QuickAsk(client);
  quick.show(picture);
  expect(await quick.ask('What is this?')).toBe(true);
  return quick;
}

const answerOf = (quick: QuickAsk) => quick.answer!;

test('whoever leaves while a question is on its way waits for it, and stays where it could not be stored', async () => {
  const quick = new QuickAsk(client);
  quick.show(picture);
  expect(await quick.settled()).toBe(true);
  const asking = quick.ask('What is this?');
  expect(quick.conversation).toBeNull();
  expect(await quick.settled()).toBe(true);
  expect(quick.conversation?.id).toBe(7);
  await asking;

  quick.show(picture);
  delete replies['chat.send'];
  const failing = quick.ask('What is this?');
  expect(await quick.settled()).toBe(false);
  expect(await failing).toBe(false);
  // Asked to leave again, with nothing on its way: nobody is held back.
  expect(await quick.settled()).toBe(true);
});

test('the first question takes the picture along, the next ones follow the answer', async () => {
  const quick = await asked();
  emit('message.changed', { ...answerOf(quick), state: 'complete', text: 'A cat.' });
  await quick.ask('What colour?');
  expect(requests.filter(({ name }) => name === 'chat.send').map(({ input }) => input)).toEqual([
    { conversationId: null, parentId: null, text: 'What is this?', pictures: [picture.hash], scope: null },
    { conversationId: 7, parentId: 11, text: 'What colour?', pictures: [], scope: null },
  ]);
});

test('the answer grows as it is written', async () => {
  const quick = await asked();
  emit('answer.text', { messageId: answerOf(quick).id, conversationId: 7, offset: 0, text: 'A cat' });
  await Promise.resolve();
  expect(quick.conversation?.text(answerOf(quick))).toBe('A cat');
  expect(quick.busy).toBe(true);
});

test('another picture begins anew, and the answer before it no longer counts', async () => {
  const quick = await asked();
  const { id } = answerOf(quick);
  quick.show({ ...picture, hash: 'b'.repeat(64) });
  emit('answer.text', { messageId: id, conversationId: 7, offset: 0, text: 'A cat' });
  await Promise.resolve();
  expect(quick.messages).toEqual([]);
  expect(quick.conversation).toBeNull();
});

test('a picture that comes while a question is being stored is asked about by itself', async () => {
  const quick = new QuickAsk(client);
  quick.show(picture);
  const sending = quick.ask('What is this?');
  quick.show({ ...picture, hash: 'b'.repeat(64) });
  expect(await sending).toBe(true);
  expect(quick.messages).toEqual([]);
  expect(quick.busy).toBe(false);
});

test('a refused question says why and can be asked again', async () => {
  const quick = new QuickAsk(client);
  quick.show(picture);
  delete replies['chat.send'];
  expect(await quick.ask('What is this?')).toBe(false);
  expect(quick.failure?.message).toBe('chat.send failed');
  expect(quick.busy).toBe(false);
});

test('stop reaches the answer that is being written, and only that', async () => {
  const quick = await asked();
  await quick.stop();
  emit('message.changed', { ...answerOf(quick), state: 'stopped' });
  await quick.stop();
  expect(requests.filter(({ name }) => name === 'chat.stop')).toEqual([{ name: 'chat.stop', input: { messageId: answerOf(quick).id } }]);
});
