/** Questions to servers, and to several models, as the chat asks and keeps them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { serverChoiceId, type EventMessage, type Message } from '../../contract.ts';
import { createFakeEngine } from '../../engine/test/fake-engine.ts';
import { openStore } from '../../storage/store.ts';
import { createEngineService, type EngineService } from '../engine-service.ts';
import { exportConversation } from '../export.ts';
import { sessionSecrets } from '../models/hub/secrets.ts';
import { addDocument } from '../documents/test/add-document.ts';
import type { Store } from '../ports.ts';
import { barePictures, plainPng } from '../servers/test/bare-pictures.ts';
import { createServers, type Servers } from '../servers/servers.ts';
import {
  answers,
  breaksOff,
  end,
  stalls,
  startScriptedServer,
  streams,
  usage,
  word,
  type ScriptedServer,
} from '../servers/test/scripted-server.ts';
import { createChat, type Chat } from './chat.ts';

let directory: string;
let store: Store;
let engine: EngineService;
let servers: Servers;
let chat: Chat;
let there: ScriptedServer;
let events: EventMessage[];
let loads: string[];

const secrets = sessionSecrets();

function begin(): void {
  store = openStore(directory);
  events = [];
  loads = [];
  const port = createFakeEngine({ answer: () => 'From here.' });
  const load = port.load.bind(port);
  port.load = (request, options) => {
    loads.push('directory' in request ? request.directory : '');
    return load(request, options);
  };
  servers = createServers({
    pictures: barePictures,
    ...{ store, secrets, onChange: () => {}, environment: {} },
    timing: { firstMs: 20_000, silenceMs: 20_000, pauseMs: 1, longestPauseMs: 10 },
  });
  const choice = (id: string) => ({ id, name: `Model ${id}`, kind: 'vision' as const, bytes: 1, present: true });
  engine = createEngineService({
    engine: port,
    settings: () => store.settings(),
    model: (id) => ({ choice: choice(id), place: async () => ({ directory: id }) }),
    server: servers.find,
    onChange: () => {},
  });
  chat = createChat({
    store,
    engine,
    showPage: async () => ({ bytes: await plainPng('#ffffff'), mediaType: 'image/png' }),
    emit: (event) => void events.push(event),
    mayHaveDocuments: servers.mayHaveDocuments,
    nameOf: (id) => (servers.find(id)?.choice ?? choice(id)).name,
    checkpointMs: 5,
  });
}

async function stop(): Promise<void> {
  chat.close();
  servers.close();
  await engine.close();
  store.close();
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-away-'));
  there = await startScriptedServer();
  begin();
});
afterEach(async () => {
  await stop();
  await there.close();
  rmSync(directory, { recursive: true });
});

/** A server that is chosen. By an address that reaches this computer but is not known to: as one elsewhere. */
async function choose({ away = true }: { away?: boolean } = {}): Promise<number> {
  const address = away ? `http://0.0.0.0:${there.port}` : there.address;
  const { id } = await servers.add({
    name: 'Office',
    address,
    key: null,
    model: 'tiny',
    sees: true,
    contextLength: null,
    unencrypted: true,
  });
  store.saveSettings({ model: serverChoiceId(id) });
  return id;
}

const send = (text: string, after: Message | null = null): ReturnType<Chat['send']> =>
  chat.send({ conversationId: after?.conversationId ?? null, parentId: after?.id ?? null, text, pictures: [], scope: null });
const stored = (id: number): Message => store.conversations.message(id);
const ended = (id: number): Promise<Message> =>
  vi.waitFor(() => {
    expect(stored(id).state).not.toBe('streaming');
    return stored(id);
  });

describe('a server that was chosen', () => {
  test('answers, and the answer says for good that the question left', async () => {
    await choose();
    there.play(streams(word('A '), word('fox.'), end(), usage(20, 3)));
    const { answer } = send('What is it?');
    const { text, state, model, server, statistics } = await ended(answer.id);
    const badge = { name: 'Office', host: `0.0.0.0:${there.port}`, here: false };
    expect({ text, state, model, server }).toEqual({ text: 'A fox.', state: 'complete', model: 'tiny at Office', server: badge });
    expect(statistics).toMatchObject({ promptTokens: 20, generatedTokens: 3 });
    // Nothing was loaded for it.
    expect(loads).toEqual([]);
    await stop();
    begin();
    expect(stored(answer.id).server).toEqual(badge);
    const conversation = store.conversations.open(answer.conversationId);
    expect(exportConversation(conversation, 'markdown').text).toContain(`*Left this computer: sent to Office (0.0.0.0:${there.port})*`);
    expect(JSON.parse(exportConversation(conversation, 'json').text)).toMatchObject({ messages: [{}, { server: badge }] });
  });

  test('is marked before anything is sent, and stays marked where it fails', async () => {
    await choose();
    const { promise, resolve } = Promise.withResolvers<Message>();
    there.play((response) => {
      resolve(stored(answer.id));
      return answers(500)(response, there.asked[0]!, undefined!);
    });
    const { answer } = send('What is it?');
    expect((await promise).server).toMatchObject({ name: 'Office' });
    expect(await ended(answer.id)).toMatchObject({ state: 'failed', server: { name: 'Office' }, failure: { code: 'server_failed' } });
  });

  test('gets the conversation so far, with all pictures', async () => {
    await choose();
    const bytes = await plainPng('#101010');
    const pictures = [bytes, await plainPng('#202020')].map(
      (file) =>
        store.pictures.add({ bytes: file, name: 'a.png', width: 2, height: 1, origin: { kind: 'file' }, thumbnail: bytes, display: null })
          .hash,
    );
    there.play(streams(word('Two.'), end()));
    const { answer } = chat.send({ conversationId: null, parentId: null, text: 'Compare.', pictures, scope: null });
    send('And now?', await ended(answer.id));
    await vi.waitFor(() => expect(there.asked).toHaveLength(2));
    const kinds = there.asked[1]!.body!.messages.map(({ role, content }) => [
      role,
      Array.isArray(content) ? (content as { type: string }[]).map(({ type }) => type) : content,
    ]);
    expect(kinds).toEqual([
      ['user', ['image_url', 'image_url', 'text']],
      ['assistant', 'Two.'],
      ['user', 'And now?'],
    ]);
  });

  test('broken off: its words stay, and continuing goes on from the last', async () => {
    await choose();
    there.play(breaksOff(word('A red ')), streams(word('fox.'), end()));
    const { answer } = send('What is it?');
    expect(await ended(answer.id)).toMatchObject({ state: 'failed', text: 'A red ', failure: { code: 'server_failed' } });
    chat.continue(answer.id);
    expect(await ended(answer.id)).toMatchObject({ state: 'complete', text: 'A red fox.' });
  });

  test('stopped: nothing more is written, and the connection is closed', async () => {
    await choose();
    there.play(stalls(word('A ')));
    const { answer } = send('What is it?');
    await vi.waitFor(() => expect(there.open()).toBe(1));
    chat.stop(answer.id);
    expect(await ended(answer.id)).toMatchObject({ state: 'stopped' });
    await vi.waitFor(() => expect(there.open()).toBe(0));
  });

  test('"Never connect" cuts it in the middle of an answer; one on this computer goes on', async () => {
    await choose();
    there.play(stalls(word('A ')));
    const { answer } = send('What is it?');
    await vi.waitFor(() => expect(stored(answer.id).text).toBe('A '));
    store.saveSettings({ neverConnect: true });
    servers.stayHere();
    expect(await ended(answer.id)).toMatchObject({ state: 'failed', text: 'A ', failure: { code: 'offline' } });
    await vi.waitFor(() => expect(there.open()).toBe(0));
    await choose({ away: false });
    there.play(stalls(word('A ')));
    const here = send('What is it?').answer;
    await vi.waitFor(() => expect(stored(here.id).text).toBe('A '));
    servers.stayHere();
    expect(chat.isBusy()).toBe(true);
    expect(stored(here.id).server).toMatchObject({ here: true });
    chat.stop(here.id);
  });

  test('counts nothing, and what only runs here is refused', async () => {
    await choose();
    expect(await chat.measure({ conversationId: null, parentId: null, text: 'x', pictures: 0 })).toBeNull();
    expect(engine.chosen()).toMatchObject({ status: 'ready', use: 'chat', model: { name: 'tiny at Office' } });
    const { signal } = new AbortController();
    const refused = engine.use(signal, async () => 'done', { onlyHere: 'Tables are filled' });
    await expect(refused).rejects.toThrow('Tables are filled by a model on this computer alone; tiny at Office is a server’s.');
    expect(there.connections()).toBe(0);
  });

  test('of a private conversation, the mark is with it and in no file', async () => {
    await choose();
    there.play(streams(word('A fox.'), end()));
    const { id } = store.privately.open('Private');
    const { answer } = chat.send({ conversationId: id, parentId: null, text: 'What is it?', pictures: [], scope: null });
    expect(await ended(answer.id)).toMatchObject({ state: 'complete', server: { name: 'Office' } });
    const kept = store.privately.keep(id, 'Kept');
    expect(store.conversations.open(kept.id).messages[1]).toMatchObject({ server: { name: 'Office' } });
  });
});

describe('documents', () => {
  test('stay until a person agrees for this server, also in a conversation that was about them', async () => {
    const id = await choose();
    const documentId = addDocument(store, 'lease.pdf', ['The rent is 1,250 EUR a month.']);
    there.play(streams(word('1,250'), end()));
    const asked = chat.send({
      ...{ conversationId: null, parentId: null, text: 'What is the rent?', pictures: [] },
      scope: { kind: 'document', id: documentId, pages: null },
    });
    const refused = await ended(asked.answer.id);
    expect(refused).toMatchObject({ state: 'failed', text: '', failure: { code: 'documents_stay' } });
    expect(refused.server).toBeUndefined();
    const followed = send('And the deposit?', refused);
    expect(await ended(followed.answer.id)).toMatchObject({ failure: { code: 'documents_stay' } });
    expect(there.connections()).toBe(0);

    await servers.change({ id, documents: true });
    const again = chat.regenerate(asked.answer.id);
    expect(await ended(again.id)).toMatchObject({ state: 'complete', text: '1,250', server: { name: 'Office' } });
    expect(JSON.stringify(there.asked.at(-1)!.body)).toContain('The rent is 1,250 EUR');
  });
});

describe('a comparison', () => {
  test('asks each model once, keeps every answer beside the others, and follows the one that is chosen', async () => {
    const id = serverChoiceId(await choose());
    store.saveSettings({ model: 'a' });
    there.play(streams(word('From there.'), end(), usage(9, 2)));
    const { question, answers } = chat.compare({
      conversationId: null,
      parentId: null,
      text: 'What is it?',
      pictures: [],
      models: ['a', id, 'b'],
    });
    const done = await Promise.all(answers.map((answer) => ended(answer.id)));
    expect(done.map(({ text, model, compared, parentId }) => ({ text, model, compared, parentId }))).toEqual([
      { text: 'From here.', model: 'Model a', compared: 'a', parentId: question.id },
      { text: 'From there.', model: 'tiny at Office', compared: id, parentId: question.id },
      { text: 'From here.', model: 'Model b', compared: 'b', parentId: question.id },
    ]);
    expect(done.map(({ server }) => server?.name)).toEqual([undefined, 'Office', undefined]);
    expect(store.conversations.open(question.conversationId).leafId).toBe(answers[0]!.id);
    // The chosen model comes back when nothing is written any more.
    await vi.waitFor(() => expect(loads).toEqual(['a', 'b', 'a']));
    const next = send('And now?', done[1]!);
    await ended(next.answer.id);
    expect(store.conversations.path(next.answer.id).map(({ text }) => text)).toEqual([
      'What is it?',
      'From there.',
      'And now?',
      'From here.',
    ]);
    await stop();
    begin();
    const conversation = store.conversations.open(question.conversationId);
    expect(conversation.messages.map(({ compared }) => compared)).toEqual([undefined, 'a', id, 'b', undefined, undefined]);
    const { text } = exportConversation(conversation, 'markdown');
    expect(text).toMatch(/Answer \(Model a\)[^]*Answer \(tiny at Office\)[^]*Answer \(Model b\)[^]*And now\?/);
    const [, one] = (JSON.parse(exportConversation(conversation, 'json').text) as { messages: { compared?: unknown }[] }).messages;
    expect(one!.compared).toBe(true);
  });

  test('one that fails or is stopped does not touch the others; tried again, it asks the same model', async () => {
    const id = serverChoiceId(await choose());
    const { id: other } = await servers.add({
      ...{ name: 'Home', address: there.address, key: null, model: 'big', sees: true, contextLength: null, unencrypted: false },
    });
    store.saveSettings({ model: 'a' });
    there.play((response, asked) => (asked.body!.model === 'tiny' ? answers(401) : stalls(word('Slow ')))(response, asked, undefined!));
    const { answers: three } = chat.compare({
      ...{ conversationId: null, parentId: null, text: 'What is it?', pictures: [] },
      models: [id, 'a', serverChoiceId(other)],
    });
    const [failed, fine, slow] = three as [Message, Message, Message];
    expect(await ended(failed.id)).toMatchObject({ state: 'failed', failure: { code: 'server_refused' } });
    expect(await ended(fine.id)).toMatchObject({ state: 'complete', text: 'From here.' });
    chat.stop(slow.id);
    expect(await ended(slow.id)).toMatchObject({ state: 'stopped' });
    there.play(streams(word('Now.'), end()));
    expect(await ended(chat.regenerate(failed.id).id)).toMatchObject({ text: 'Now.', compared: id, model: 'tiny at Office' });
  });

  test('of a model that is gone stores nothing', () => {
    const nothing = (): unknown =>
      chat.compare({ conversationId: null, parentId: null, text: 'x', pictures: [], models: ['a', 'server:9'] });
    expect(nothing).toThrow(/was removed/);
    expect(store.conversations.list()).toEqual([]);
  });
});
