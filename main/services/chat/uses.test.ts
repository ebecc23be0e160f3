/** Models that do not chat: a guard judges, a base model continues a text. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { EventMessage, Message, Payload } from '../../contract.ts';
import { createFakeEngine } from '../../engine/test/fake-engine.ts';
import { openStore } from '../../storage/store.ts';
import { createEngineService, type EngineService } from '../engine-service.ts';
import { LoupeError } from '../../errors.ts';
import type { ChatMessage, LoadedModel, Store } from '../ports.ts';
import { createChat, type Chat } from './chat.ts';

let directory: string;
let store: Store;
let engine: EngineService;
let chat: Chat;
let events: EventMessage[];
let onEvent: (event: EventMessage) => void;
/** The model that is loaded; its name says what it is. */
let loaded: string;
let loads: string[];
let prompts: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-uses-'));
  store = openStore(directory);
});
afterEach(async () => {
  chat.close();
  await engine.close();
  store.close();
  rmSync(directory, { recursive: true });
});

const formats: Record<string, LoadedModel['promptFormat']> = { guard: 'guard', base: 'completion' };
const spoken = (messages: ChatMessage[]): string =>
  messages
    .map(({ role, content }) => `${role}: ${content.map((part) => (part.type === 'text' ? part.text : '<picture>')).join('')}`)
    .join('|');

function begin(answer: (messages: ChatMessage[]) => string, wordMs = 0): void {
  events = [];
  onEvent = () => {};
  prompts = [];
  loads = [];
  const port = createFakeEngine({ answer: (messages) => (prompts.push(`${loaded}: ${spoken(messages)}`), answer(messages)), wordMs });
  const load = port.load.bind(port);
  port.load = async (request, options) => {
    const model = await load(request, options);
    loaded = 'directory' in request ? request.directory : '';
    loads.push(loaded);
    if (loaded === 'text') model.model = { ...model.model, vision: null };
    return { ...model, promptFormat: formats[loaded] ?? 'template' };
  };
  engine = createEngineService({
    engine: port,
    settings: () => store.settings(),
    model: (id) => {
      if (id === 'gone') throw new LoupeError('model_missing', 'It is gone.');
      return {
        choice: { id, name: id, kind: id === 'guard' ? 'guard' : 'vision', bytes: 1, present: true },
        place: async () => ({ directory: id }),
      };
    },
    onChange: () => {},
  });
  chat = createChat({
    store,
    engine,
    showPage: () => Promise.reject(new Error('No page is looked at here.')),
    emit: (event) => {
      events.push(event);
      onEvent(event);
    },
  });
}

const ask = (text: string, after?: Message, pictures: string[] = []): ReturnType<Chat['send']> =>
  chat.send({ conversationId: after?.conversationId ?? null, parentId: after?.id ?? null, text, pictures, scope: null });

function picture(name: string): string {
  return store.pictures.add({
    bytes: new TextEncoder().encode(name),
    name,
    width: 1,
    height: 1,
    origin: { kind: 'file' },
    thumbnail: new Uint8Array(1),
    display: null,
  }).hash;
}

async function answered(text: string, after?: Message, pictures: string[] = []): Promise<Message> {
  const { answer } = ask(text, after, pictures);
  return vi.waitFor(() => {
    const found = events.flatMap(({ event, payload }) =>
      event === 'message.changed' && payload.id === answer.id && payload.state !== 'streaming' ? [payload] : [],
    )[0];
    expect(found).toBeDefined();
    return found!;
  });
}

const checksOf = (id: number): Payload<'answer.check'>[] =>
  events.flatMap(({ event, payload }) => (event === 'answer.check' && payload.messageId === id ? [payload] : []));

describe('a guard that is asked', () => {
  test('judges each question by itself, by its likeliest words', async () => {
    store.saveSettings({ model: 'guard', systemPrompt: 'Be brief.', maxTokens: 1, temperature: 1 });
    begin(() => '\n\nunsafe\nS1,S9');
    const first = await answered('one');
    const judgement = { by: 'guard', question: { finding: 'unsafe', categories: ['S1', 'S9'] }, answer: null };
    expect(first).toMatchObject({ state: 'complete', model: 'guard', text: '\n\nunsafe\nS1,S9', judgement });
    const second = await answered('two', first);
    expect(prompts).toEqual(['guard: user: one', 'guard: user: two']);
    expect(engine.state().use).toBe('guard');
    expect(store.conversations.message(second.id)).toEqual(second);
    expect(checksOf(second.id)).toEqual([]);
  });

  test('goes on seeing the picture of the question before', async () => {
    store.saveSettings({ model: 'guard' });
    begin(() => 'safe');
    const first = await answered('one', undefined, [picture('a')]);
    await answered('two', first);
    expect(prompts).toEqual(['guard: user: <picture>one', 'guard: user: <picture>two']);
  });

  test('and its picture does not stand in the way of a text model', async () => {
    store.saveSettings({ model: 'guard' });
    begin(() => 'safe');
    const first = await answered('one', undefined, [picture('a')]);
    store.saveSettings({ model: 'text' });
    expect(await answered('two', first)).toMatchObject({ state: 'complete', model: 'text' });
    expect(await answered('three', first, [picture('b')])).toMatchObject({ state: 'failed', failure: { code: 'image_unseen' } });
  });

  test('and says something else is not taken for one that says safe', async () => {
    store.saveSettings({ model: 'guard' });
    begin(() => 'I think it is safe');
    expect((await answered('one')).judgement?.question).toEqual({ finding: 'unclear', categories: [] });
  });
});

describe('a guard that checks answers', () => {
  const guardSays = (messages: ChatMessage[]): string =>
    loaded !== 'guard' ? 'an answer' : messages.at(-1)!.role === 'user' ? 'safe' : 'unsafe\nS6';
  const judged = (id: number): Promise<Message> =>
    vi.waitFor(() => {
      const found = store.conversations.message(id);
      expect(found.judgement).not.toBeNull();
      return found;
    });

  test('instructions of a conversation come after the system prompt, in that conversation alone, and no guard gets them', async () => {
    store.saveSettings({ model: 'chatty', guard: 'guard', systemPrompt: ' Be brief. ' });
    begin(guardSays);
    const first = await answered('one');
    await judged(first.id);
    store.conversations.instruct(first.conversationId, 'Answer in French.');
    prompts.length = 0;
    await judged((await answered('two', first)).id);
    expect(prompts[0]).toBe('chatty: system: Be brief.\n\nAnswer in French.|user: one|assistant: an answer|user: two');
    expect(prompts.filter((prompt) => prompt.startsWith('guard:') && prompt.includes('French'))).toEqual([]);
    prompts.length = 0;
    await judged((await answered('elsewhere')).id);
    expect(prompts[0]).toBe('chatty: system: Be brief.|user: elsewhere');
  });

  test('sees the question, then the answer; the chosen model comes back', async () => {
    store.saveSettings({ model: 'chatty', guard: 'guard', systemPrompt: 'Be brief.' });
    begin(guardSays);
    const answer = await answered('one');
    expect(answer).toMatchObject({ text: 'an answer', model: 'chatty', judgement: null });
    const message = await judged(answer.id);
    expect(message).toMatchObject({ text: 'an answer', model: 'chatty', state: 'complete' });
    expect(message.judgement).toMatchObject({
      by: 'guard',
      question: { finding: 'safe', categories: [] },
      answer: { finding: 'unsafe', categories: ['S6'] },
    });
    expect(prompts).toEqual(['chatty: system: Be brief.|user: one', 'guard: user: one', 'guard: user: one|assistant: an answer']);
    expect(checksOf(answer.id).map(({ phase }) => phase)).toEqual(['waiting', 'judging']);
    await vi.waitFor(() => expect(loaded).toBe('chatty'));
    expect(events.findLast(({ event }) => event === 'message.changed')!.payload).toEqual(message);

    const next = await answered('two', answer);
    expect(next).toMatchObject({ text: 'an answer', model: 'chatty' });
    await judged(next.id);
    expect(prompts.at(-1)).toBe('guard: user: one|assistant: an answer|user: two|assistant: an answer');
  });

  test('sees the picture in force', async () => {
    store.saveSettings({ model: 'chatty', guard: 'guard' });
    begin(guardSays);
    const first = await answered('one', undefined, [picture('a')]);
    await judged(first.id);
    const second = await answered('two', first);
    await judged(second.id);
    const third = await answered('three', second, [picture('b')]);
    await judged(third.id);
    const asked = prompts.filter((prompt) => prompt.startsWith('guard'));
    expect(asked.slice(0, 4)).toEqual([
      'guard: user: <picture>one',
      'guard: user: <picture>one|assistant: an answer',
      'guard: user: <picture>one|assistant: an answer|user: two',
      'guard: user: <picture>one|assistant: an answer|user: two|assistant: an answer',
    ]);
    // One picture, the last.
    expect(asked[4]).toBe('guard: user: one|assistant: an answer|user: two|assistant: an answer|user: <picture>three');
  });

  test.each([
    ['gone', 'model_missing'],
    ['other', 'checkpoint_unsupported'],
  ])('and is %s: told, and the answer stays', async (guard, code) => {
    store.saveSettings({ model: 'chatty', guard });
    begin(guardSays);
    const answer = await answered('one');
    await vi.waitFor(() => expect(checksOf(answer.id).at(-1)).toMatchObject({ phase: 'failed', failure: { code } }));
    expect(store.conversations.message(answer.id)).toEqual(answer);
    await vi.waitFor(() => expect(loaded).toBe('chatty'));
    // What is not there costs the chosen model nothing.
    if (guard === 'gone') expect([loads, engine.state().status]).toEqual([['chatty'], 'ready']);
    // Whoever opens the conversation later is told, too.
    expect(chat.live(store.conversations.open(answer.conversationId)).checks).toMatchObject([
      { messageId: answer.id, phase: 'failed', failure: { code } },
    ]);
    expect(await answered('two', answer)).toMatchObject({ text: 'an answer' });
  });

  test('is not asked of what was stopped', async () => {
    store.saveSettings({ model: 'chatty', guard: 'guard' });
    begin(() => 'a long answer indeed', 20);
    const { answer } = ask('one');
    const said = Promise.withResolvers<void>();
    // Before the engine says another word.
    onEvent = ({ event }) => void (event === 'answer.text' && said.resolve());
    await said.promise;
    chat.stop(answer.id);
    await engine.follow();
    expect(store.conversations.message(answer.id).state).toBe('stopped');
    expect(checksOf(answer.id)).toEqual([]);
  });

  test('says nothing of what was deleted meanwhile', async () => {
    store.saveSettings({ model: 'chatty', guard: 'guard' });
    begin(guardSays);
    const answer = await answered('one');
    chat.stopConversation(answer.conversationId);
    store.conversations.delete(answer.conversationId);
    await vi.waitFor(() => expect(loads.length).not.toBe(2));
    await vi.waitFor(() => expect(engine.state()).toMatchObject({ status: 'ready', model: { id: 'chatty' } }));
    expect(checksOf(answer.id).map(({ phase }) => phase)).not.toContain('failed');
  });

  test('does not judge half of an answer that goes on', async () => {
    store.saveSettings({ model: 'chatty', guard: 'guard', maxTokens: 1 });
    begin((messages) => (loaded === 'guard' ? guardSays(messages) : 'half whole'), 100);
    const half = await answered('one');
    expect(half).toMatchObject({ text: 'half', finish: 'length' });
    chat.continue(half.id);
    expect((await judged(half.id)).text).toBe('half whole');
    expect(prompts.filter((prompt) => prompt.startsWith('guard')).at(-1)).toBe('guard: user: one|assistant: half whole');
    expect(events.flatMap(({ event, payload }) => (event === 'message.changed' && payload.judgement ? [payload.text] : []))).toEqual([
      'half whole',
    ]);
  });
});

test('a base model continues one text, without instructions', async () => {
  store.saveSettings({ model: 'base', systemPrompt: 'Be brief.' });
  begin(() => ' and so on');
  const first = await answered('Once upon a time');
  expect(engine.state().use).toBe('complete');
  await answered('The end', first);
  expect(prompts).toEqual(['base: user: Once upon a time', 'base: user: Once upon a time|assistant:  and so on|user: The end']);
});
