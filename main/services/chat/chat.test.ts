import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultSettings, type EventMessage, type Message, type Payload } from '../../contract.ts';
import { createFakeEngine, type FakeEngine, type FakeEngineOptions } from '../../engine/test/fake-engine.ts';
import { openStore } from '../../storage/store.ts';
import { createEngineService, type EngineService } from '../engine-service.ts';
import { LoupeError } from '../../errors.ts';
import type { Store } from '../ports.ts';
import { createChat, titleOf, type Chat } from './chat.ts';

let directory: string;
let store: Store;
let port: FakeEngine;
let engine: EngineService;
let chat: Chat;
let events: EventMessage[];
let onEvent: () => void;
let finished: Message[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-chat-'));
  store = openStore(directory);
});
afterEach(async () => {
  chat.close();
  await engine.close();
  store.close();
  rmSync(directory, { recursive: true });
});

const words = (count: number): string => Array.from({ length: count }, (_, index) => `word${index}`).join(' ');

function begin({
  answer = () => words(20),
  wordMs = 2,
  sees = true,
  over,
  isGone = () => false,
  ...rest
}: FakeEngineOptions & { sees?: boolean; isGone?: () => boolean; over?: Partial<Store['conversations']> } = {}): void {
  events = [];
  onEvent = () => {};
  finished = [];
  port = createFakeEngine({ answer, wordMs, ...rest });
  if (!sees) {
    const load = port.load.bind(port);
    port.load = async (...request) => {
      const loaded = await load(...request);
      return { ...loaded, model: { ...loaded.model, vision: null } };
    };
  }
  engine = createEngineService({
    engine: port,
    settings: () => ({ ...defaultSettings, ...store.settings() }),
    model: () => {
      if (isGone()) throw new LoupeError('model_missing', 'The files of Fake are gone.');
      return { choice: { id: 'demo', name: 'Fake', kind: 'demo', bytes: 1, present: true }, place: async () => ({ directory: '/fake' }) };
    },
    onChange: () => {},
  });
  const used = over ? { ...store, settings: () => store.settings(), conversations: { ...store.conversations, ...over } } : store;
  chat = createChat({
    store: used,
    engine,
    showPage: () => Promise.reject(new Error('No page is looked at here.')),
    emit: (event) => {
      events.push(event);
      onEvent();
    },
    onAnswer: (answer) => void finished.push(answer),
    checkpointMs: 20,
    retryMs: 20,
  });
}

const ask = (text: string, conversationId: number | null = null, parentId: number | null = null): ReturnType<Chat['send']> =>
  chat.send({ conversationId, parentId, text, pictures: [], scope: null });

/** The answer once it has ended. */
function ended(id: number): Promise<Message> {
  return vi.waitFor(
    () => {
      const found = events.findLast(
        (event): event is { event: 'message.changed'; payload: Message } => event.event === 'message.changed' && event.payload.id === id,
      );
      expect(found?.payload.state).not.toBe('streaming');
      return found!.payload;
    },
    { timeout: 5000, interval: 5 },
  );
}

function streamed(id: number): string {
  let text = '';
  for (const { event, payload } of events) {
    if (event !== 'answer.text' || payload.messageId !== id) continue;
    expect(payload.offset).toBe(text.length);
    text += payload.text;
  }
  return text;
}

/** Once more of it than `length` is said, and before the engine says another word: what follows comes in the middle of the answer. */
function says(id: number, length = 0): Promise<void> {
  const said = Promise.withResolvers<void>();
  onEvent = () => {
    if (streamed(id).length <= length) return;
    onEvent = () => {};
    said.resolve();
  };
  return said.promise;
}

const phases = (id: number): Payload<'answer.state'>['phase'][] =>
  events.flatMap(({ event, payload }) => (event === 'answer.state' && payload.messageId === id ? [payload.phase] : []));

describe('a question', () => {
  test('begins a conversation; the answer streams and is stored', async () => {
    begin();
    const { conversation, question, answer } = ask('What does it say?\nAll of it.');
    expect(conversation).toMatchObject({ title: 'What does it say?', busy: true, messageCount: 2 });
    expect(question).toMatchObject({ role: 'user', parentId: null, state: 'complete' });
    expect(answer).toMatchObject({ role: 'assistant', parentId: question.id, state: 'streaming', text: '' });
    const done = await ended(answer.id);
    expect(done).toMatchObject({
      state: 'complete',
      finish: 'stop',
      text: words(20),
      model: 'Fake',
      statistics: { generatedTokens: 20, contextLength: 512, forgottenMessages: 0 },
    });
    expect(finished).toEqual([done]);
    expect(streamed(answer.id)).toBe(words(20));
    expect(phases(answer.id)).toEqual(['waiting', 'loading', 'preparing', 'reading', 'writing']);
    expect(store.conversations.open(conversation.id).messages).toEqual([question, done]);
    expect(chat.isBusy(conversation.id)).toBe(false);
  });

  test('a follow-up takes what was said along', async () => {
    begin({ answer: (messages) => messages.map(({ content }) => (content[0]!.type === 'text' ? content[0]!.text : '')).join('|') });
    const first = ask('one');
    await ended(first.answer.id);
    const second = ask('two', first.conversation.id, first.answer.id);
    expect(await ended(second.answer.id)).toMatchObject({ text: 'one|one|two' });
  });

  test('cannot follow an answer that is being written, a question, or one of elsewhere', async () => {
    begin();
    const first = ask('one');
    expect(() => ask('two', first.conversation.id, first.answer.id)).toThrow('still being written');
    expect(() => ask('two', first.conversation.id, first.question.id)).toThrow('not in this conversation');
    await ended(first.answer.id);
    const other = ask('other');
    expect(() => ask('two', other.conversation.id, first.answer.id)).toThrow('not in this conversation');
  });

  test('an edited question is a branch beside the old one', async () => {
    begin({ answer: (messages) => (messages.at(-1)!.content[0] as { text: string }).text.toUpperCase() });
    const { conversation, question, answer } = ask('first try');
    await ended(answer.id);
    const edited = ask('second try', conversation.id, question.parentId);
    await ended(edited.answer.id);
    const { messages, leafId } = store.conversations.open(conversation.id);
    expect(messages.filter(({ parentId }) => parentId === null).map(({ text }) => text)).toEqual(['first try', 'second try']);
    expect(leafId).toBe(edited.answer.id);
  });

  test('two at once are answered one after the other', async () => {
    begin();
    const a = ask('a');
    const b = ask('b');
    await Promise.all([ended(a.answer.id), ended(b.answer.id)]);
    const firstOfB = events.findIndex(({ event, payload }) => event === 'answer.text' && payload.messageId === b.answer.id);
    const lastOfA = events.findLastIndex(({ event, payload }) => event === 'answer.text' && payload.messageId === a.answer.id);
    expect(firstOfB).toBeGreaterThan(lastOfA);
  });

  test('what no longer fits is forgotten, and said', async () => {
    begin({ answer: () => words(150) });
    const count = vi.spyOn(port, 'countTokens');
    let { conversation, answer } = ask(words(100));
    await ended(answer.id);
    for (let turn = 0; turn < 2; turn++) {
      ({ conversation, answer } = ask('more', conversation.id, answer.id));
      await ended(answer.id);
    }
    expect(await ended(answer.id)).toMatchObject({ state: 'complete', statistics: { forgottenMessages: 2 } });
    // Once for each question, however many lengths of the conversation are tried.
    expect(count).toHaveBeenCalledTimes(3);
    expect(await chat.measure({ conversationId: conversation.id, parentId: answer.id, text: 'and?', pictures: 0 })).toMatchObject({
      contextLength: 512,
      forgottenMessages: 2,
    });
  });

  test('a question that has no room is counted before it is asked', async () => {
    begin();
    const { conversation, answer } = ask('a');
    await ended(answer.id);
    const place = { conversationId: conversation.id, parentId: answer.id, pictures: 0 };
    expect(await chat.measure({ ...place, text: words(2_000) })).toMatchObject({ contextLength: 512, fits: false });
    expect(await chat.measure({ ...place, text: words(100) })).toMatchObject({ fits: true });
  });

  test('a text model that is given a picture says so', async () => {
    begin({ sees: false });
    const hash = store.pictures.add({
      bytes: new Uint8Array([1]),
      name: 'p.png',
      width: 1,
      height: 1,
      origin: { kind: 'paste' },
      thumbnail: new Uint8Array([1]),
      display: null,
    }).hash;
    const { answer } = chat.send({ conversationId: null, parentId: null, text: 'What?', pictures: [hash], scope: null });
    expect(await ended(answer.id)).toMatchObject({ state: 'failed', failure: { code: 'image_unseen' } });
  });
});

describe('an answer', () => {
  test('is stopped at once, and keeps what it has', async () => {
    begin({ answer: () => words(1000) });
    const { answer, conversation } = ask('Long?');
    await says(answer.id, 20);
    chat.stop(answer.id);
    // Before anything else runs, the engine above all.
    expect(store.conversations.message(answer.id)).toMatchObject({ state: 'stopped', text: streamed(answer.id) });
    const stopped = await ended(answer.id);
    expect(stopped).toMatchObject({ state: 'stopped', finish: 'cancelled' });
    expect(stopped.text).toBe(streamed(answer.id));
    await sleep(30);
    expect(streamed(answer.id)).toBe(stopped.text);
    const next = ask('Short?', conversation.id, answer.id);
    await says(next.answer.id);
  });

  test('goes on where it was stopped', async () => {
    begin({ answer: () => words(200), wordMs: 1 });
    const { answer } = ask('Long?');
    await says(answer.id, 20);
    chat.stop(answer.id);
    await ended(answer.id);
    chat.continue(answer.id);
    expect(await ended(answer.id)).toMatchObject({ state: 'complete', text: words(200) });
    expect(() => chat.continue(answer.id)).toThrow('complete');
  });

  test('is written again beside the first', async () => {
    begin();
    const { answer, conversation } = ask('Again?');
    await ended(answer.id);
    const second = chat.regenerate(answer.id);
    expect(second).toMatchObject({ parentId: answer.parentId, state: 'streaming' });
    await ended(second.id);
    const { messages, leafId } = store.conversations.open(conversation.id);
    expect(messages).toHaveLength(3);
    expect(leafId).toBe(second.id);
  });

  test('survives a crash of the engine: it goes on from its last word', async () => {
    begin({ answer: () => words(60) });
    const { answer } = ask('Steady?');
    await says(answer.id, 30);
    port.crash();
    expect(await ended(answer.id)).toMatchObject({ state: 'complete', text: words(60) });
    expect(streamed(answer.id)).toBe(words(60));
    // Meanwhile it is said why no words come.
    expect(phases(answer.id)).toEqual([
      'waiting',
      'loading',
      'preparing',
      'reading',
      'writing',
      'restarting',
      'preparing',
      'reading',
      'writing',
    ]);
  });

  test('stopped while the engine counts tokens and never answers, it ends, and the next question is answered', async () => {
    begin();
    const count = port.countTokens.bind(port);
    let asked = 0;
    port.countTokens = (request, options) => {
      if (++asked > 1) return count(request, options);
      // As the client: an abort is the only end.
      return new Promise((_, reject) =>
        options!.signal!.addEventListener('abort', () => reject(new LoupeError('cancelled', 'The request was cancelled.'))),
      );
    };
    const first = ask('How long?');
    await vi.waitFor(() => expect(asked).toBe(1));
    const second = ask('And now?');
    chat.stop(first.answer.id);
    expect(await ended(first.answer.id)).toMatchObject({ state: 'stopped', failure: null });
    expect(await ended(second.answer.id)).toMatchObject({ state: 'complete', text: words(20) });
  });

  test('survives a full device: the model is loaded again, and it goes on', async () => {
    begin({ answer: () => words(60) });
    const generate = port.generate.bind(port);
    const load = vi.spyOn(port, 'load');
    let attempts = 0;
    port.generate = async (request, options) => {
      if (++attempts > 1) return generate(request, options);
      options?.onText?.(words(2));
      throw new LoupeError('device_out_of_memory', 'Full.');
    };
    const { answer } = ask('Steady?');
    expect(await ended(answer.id)).toMatchObject({ state: 'complete', text: words(60) });
    expect(load).toHaveBeenCalledTimes(2);
  });

  test('a model that fits nowhere is not tried again', async () => {
    begin({ sizes: { deviceBudgetBytes: 100 } });
    const estimate = vi.spyOn(port, 'estimate');
    const { answer } = ask('Steady?');
    expect(await ended(answer.id)).toMatchObject({ state: 'failed', failure: { code: 'device_out_of_memory' } });
    expect(estimate).toHaveBeenCalledTimes(1);
  });

  test('ends kindly when the drive of the model is gone, keeps its words, and goes on when it is back', async () => {
    let gone = false;
    begin({ answer: () => words(60), isGone: () => gone });
    const { answer } = ask('Steady?');
    await says(answer.id, 30);
    gone = true;
    port.crash();
    const broken = await ended(answer.id);
    expect(broken).toMatchObject({ state: 'failed', failure: { code: 'model_missing', message: 'The files of Fake are gone.' } });
    expect(broken.text.length).toBeGreaterThan(30);
    gone = false;
    events = [];
    chat.continue(answer.id);
    expect(await ended(answer.id)).toMatchObject({ state: 'complete', text: words(60) });
  });

  test('gives up after two resumes, keeps its words, and goes on when asked', async () => {
    begin({ answer: () => words(60) });
    const generate = port.generate.bind(port);
    let attempts = 0;
    port.generate = (request, options) => {
      const attempt = ++attempts;
      let heard = 0;
      const onText = (text: string): void => {
        options?.onText?.(text);
        if (++heard === 4 && attempt <= 3) port.crash();
      };
      return generate(request, { ...options, onText });
    };
    const { answer } = ask('Steady?');
    const failed = await ended(answer.id);
    expect(failed).toMatchObject({ state: 'failed', failure: { code: 'engine_crashed' } });
    expect(attempts).toBe(3);
    expect(failed.text.length).toBeGreaterThan(10);
    expect(words(60).startsWith(failed.text)).toBe(true);
    chat.continue(answer.id);
    expect(await ended(answer.id)).toMatchObject({ state: 'complete', text: words(60), failure: null });
  });

  test('is stored while it streams, and as interrupted when the app ends', async () => {
    begin({ answer: () => words(1000) });
    const { answer } = ask('Long?');
    await vi.waitFor(() => expect(store.conversations.message(answer.id).text.length).toBeGreaterThan(20));
    expect(store.conversations.message(answer.id).state).toBe('streaming');
    chat.close();
    const kept = store.conversations.message(answer.id);
    expect(kept).toMatchObject({ state: 'interrupted', text: streamed(answer.id) });
  });

  test('is seen as far as it is written, not as it was stored last', async () => {
    begin({ answer: () => words(1000) });
    const { answer, conversation } = ask('Long?');
    for (let look = 0; look < 5; look++) {
      const before = streamed(answer.id).length;
      await says(answer.id, before);
      expect(chat.live(store.conversations.open(conversation.id)).messages.at(-1)!.text).toBe(streamed(answer.id));
    }
  });

  test('of a conversation that was deleted meanwhile ends quietly', async () => {
    begin({ answer: () => words(1000) });
    const { answer, conversation } = ask('Long?');
    await says(answer.id);
    store.conversations.delete(conversation.id);
    chat.stopConversation(conversation.id);
    const next = ask('Next?');
    await says(next.answer.id);
  });

  test('that cannot be stored is shown with why, and stored once there is room', async () => {
    let isFull = true;
    const whenRoom =
      <Given extends unknown[], Result>(work: (...given: Given) => Result) =>
      (...given: Given): Result => {
        if (isFull) throw new LoupeError('store_full', 'The disk is full.');
        return work(...given);
      };
    const { checkpoint, update } = store.conversations;
    begin({ over: { checkpoint: whenRoom(checkpoint), update: whenRoom(update) } });
    const { answer, conversation } = ask('Room?');
    expect(await ended(answer.id)).toMatchObject({ state: 'failed', failure: { code: 'store_full' }, text: words(20) });
    expect(chat.isBusy()).toBe(false);
    expect(events.findLast(({ event }) => event === 'conversation.changed')).toMatchObject({
      payload: { id: conversation.id, busy: false },
    });
    await sleep(50);
    expect(store.conversations.message(answer.id)).toMatchObject({ state: 'streaming', text: '' });
    // Opened again meanwhile, nothing is missing.
    expect(chat.live(store.conversations.open(conversation.id)).messages.at(-1)).toMatchObject({ text: words(20), state: 'complete' });

    isFull = false;
    await vi.waitFor(() =>
      expect(store.conversations.message(answer.id)).toMatchObject({ state: 'complete', text: words(20), failure: null }),
    );
    expect(await ended(answer.id)).toMatchObject({ state: 'complete' });
  });
});

test.each([
  ['  What is this?  \nmore', 'What is this?'],
  ['a\t b', 'a b'],
  [
    'An exceptionally long question that goes on and on about nothing in particular',
    'An exceptionally long question that goes on and on about…',
  ],
  ['x'.repeat(100), `${'x'.repeat(60)}…`],
  ['## **What** is `this`?', 'What is this?'],
  ['> - [ ] see [the page](https://example.org/a)', '[ ] see the page'],
  ['```ts\nconst a = 1;\n```', 'const a = 1;'],
  ['2 * 3 * 4 and snake_case_name', '2 * 3 * 4 and snake_case_name'],
  ['---', '---'],
  ['# ', '#'],
])('the title of %j', (question, title) => {
  expect(titleOf(question)).toBe(title);
});
