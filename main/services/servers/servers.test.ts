/** Servers against one on loopback that does what it is told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { serverChoiceId, type Server } from '../../contract.ts';
import { openStore } from '../../storage/store.ts';
import { sessionSecrets } from '../models/hub/secrets.ts';
import type { AnsweringEngine, ChatMessage, GenerateReply, SecretStore, Store } from '../ports.ts';
import { barePictures } from './test/bare-pictures.ts';
import { createServers, type Servers } from './servers.ts';
import {
  answers,
  breaksOff,
  done,
  end,
  event,
  stalls,
  startScriptedServer,
  streaming,
  streams,
  usage,
  word,
  type ScriptedServer,
} from './test/scripted-server.ts';

let directory: string;
let store: Store;
let secrets: SecretStore;
let servers: Servers;
let there: ScriptedServer;
let environment: NodeJS.ProcessEnv;
let changes: Server[][];

/** Pauses are over at once; a stalled server is given up after a moment. */
const timing = { firstMs: 20_000, silenceMs: 20_000, pauseMs: 1, longestPauseMs: 1_500 };

function begin(over: Partial<typeof timing> = {}): void {
  servers = createServers({
    store,
    secrets,
    pictures: barePictures,
    onChange: (list) => changes.push(list),
    environment,
    timing: { ...timing, ...over },
  });
}

/** Of the first point of a picture as it was sent. */
async function colourOf(url: string): Promise<number[]> {
  const pixels = await sharp(Buffer.from(url.slice(url.indexOf(',') + 1), 'base64'))
    .raw()
    .toBuffer();
  return [...pixels.subarray(0, 3)];
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-servers-'));
  store = openStore(directory);
  secrets = sessionSecrets();
  environment = {};
  changes = [];
  there = await startScriptedServer();
  begin();
});
afterEach(async () => {
  servers.close();
  await there.close();
  store.close();
  rmSync(directory, { recursive: true });
});

const fields = { name: 'Office', model: 'tiny', sees: true, contextLength: null, unencrypted: false };
const add = (over: Partial<Parameters<Servers['add']>[0]> = {}): Promise<Server> =>
  servers.add({ ...fields, address: there.address, key: 'sk-secret', ...over });
const engine = async (): Promise<AnsweringEngine> => servers.find(serverChoiceId((await add()).id))!.engine;
const question: ChatMessage[] = [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }] }];

async function ask(
  over: Partial<Parameters<AnsweringEngine['generate']>[0]> = {},
  signal?: AbortSignal,
): Promise<{ reply: GenerateReply; heard: string[] }> {
  const heard: string[] = [];
  const reply = await (
    await engine()
  ).generate({ messages: question, maxTokens: 50, ...over }, { signal, onText: (text) => heard.push(text) });
  return { reply, heard };
}

/** What it ends with, and what had arrived until then. */
async function fails(code: string, over: Parameters<typeof ask>[0] = {}): Promise<{ message: string; nextStep: string; heard: string }> {
  let heard = '';
  const asked = (await engine()).generate({ messages: question, maxTokens: 50, ...over }, { onText: (text) => void (heard += text) });
  const error = await asked.then(
    () => expect.fail('it answered'),
    (thrown: unknown) => thrown as Error & { code: string; nextStep: string },
  );
  expect(error).toMatchObject({ code });
  expect(`${error.message} ${error.nextStep}`).not.toContain('sk-secret');
  return { message: error.message, nextStep: error.nextStep, heard };
}

describe('an answer', () => {
  test('streams, with what it cost, and asks as the dialect wants it', async () => {
    there.play(streams(word('A '), ': wait\n\n', word('red 🐎'), end(), usage(12, 4), done));
    const { reply, heard } = await ask({ sampling: { temperature: 0.5, topP: 0.9 } });
    expect(heard).toEqual(['A ', 'red 🐎']);
    expect(reply).toMatchObject({ text: 'A red 🐎', finish: 'stop', statistics: { promptTokens: 12, generatedTokens: 4 } });
    expect(there.asked).toHaveLength(1);
    expect(there.asked[0]).toMatchObject({ path: '/v1/chat/completions', headers: { authorization: 'Bearer sk-secret' } });
    expect(there.asked[0]!.body).toEqual({
      model: 'tiny',
      messages: [{ role: 'user', content: 'What is it?' }],
      max_tokens: 50,
      temperature: 0.5,
      top_p: 0.9,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  test('whole, from a server that does not stream; cut at its length; without a last event', async () => {
    there.play(answers(200, { choices: [{ message: { content: 'All at once.' }, finish_reason: 'length' }] }));
    expect((await ask()).reply).toMatchObject({ text: 'All at once.', finish: 'length' });
    there.play(streams(word('Done'), end()));
    expect((await ask()).reply).toMatchObject({ text: 'Done', finish: 'stop' });
    there.play(streams(word('Done'), done));
    expect((await ask()).reply).toMatchObject({ text: 'Done', finish: 'stop' });
  });

  test('several pictures go as they are seen, in their places', async () => {
    there.play(streams(word('Two.'), end()));
    const plain = sharp({ create: { width: 8, height: 6, channels: 3, background: '#d04020' } });
    const [png, jpeg] = [await plain.png().toBuffer(), await plain.jpeg().toBuffer()];
    const image = (bytes: Uint8Array) => ({ type: 'image' as const, image: { bytes, name: 'a' } });
    const { reply } = await ask({
      messages: [{ role: 'user', content: [image(png), image(jpeg), { type: 'text', text: 'Compare.' }] }],
    });
    expect(reply.statistics.imagesEncoded).toBe(2);
    const [message] = there.asked[0]!.body!.messages as unknown as [
      { content: { type: string; text?: string; image_url?: { url: string } }[] },
    ];
    expect(message.content.map(({ type, text, image_url }) => text ?? `${type} ${image_url!.url.slice(0, 22)}`)).toEqual([
      'image_url data:image/png;base64,',
      'image_url data:image/jpeg;base64',
      'Compare.',
    ]);
    expect(await colourOf(message.content[0]!.image_url!.url)).toEqual([0xd0, 0x40, 0x20]);
    await fails('image_unreadable', { messages: [{ role: 'user', content: [image(Buffer.from('%PDF-1.4'))] }] });
    expect(there.asked).toHaveLength(1);
  });

  test('goes on from its last word where it was cut', async () => {
    there.play(streams(word(' fox.'), end()));
    expect((await ask({ answerSoFar: 'A red' })).reply.text).toBe(' fox.');
    expect(there.asked[0]!.body!.messages.slice(1)).toEqual([
      { role: 'assistant', content: 'A red' },
      { role: 'user', content: expect.stringContaining('last word') as string },
    ]);
  });

  test('stopped: the connection is closed, and what came is there', async () => {
    there.play(stalls(word('Half ')));
    const stop = new AbortController();
    const asked = (await engine()).generate({ messages: question, maxTokens: 50 }, { signal: stop.signal, onText: () => stop.abort() });
    expect(await asked).toMatchObject({ text: 'Half ', finish: 'cancelled' });
    await vi.waitFor(() => expect(there.open()).toBe(0));
  });
});

test('stopped with its last word, it is not complete', async () => {
  there.play(streams(word('All.'), end()));
  const stop = new AbortController();
  const asked = (await engine()).generate({ messages: question, maxTokens: 50 }, { signal: stop.signal, onText: () => stop.abort() });
  expect(await asked).toMatchObject({ text: 'All.', finish: 'cancelled' });
});

describe('what goes wrong', () => {
  test('nobody listens: tried once more, then said', async () => {
    const { port } = there;
    await there.close();
    const { message, nextStep } = await fails('server_unreachable');
    expect(message).toBe(`127.0.0.1:${port} refuses the connection: no server listens there.`);
    expect(nextStep).toBe('Start the server, then try again. Your question is kept.');
    expect(store.ledger.list()).toHaveLength(2);
  });

  test('a name that nobody has', async () => {
    const { id } = await add({ address: 'https://nowhere.invalid' });
    const asked = servers.find(serverChoiceId(id))!.engine.generate({ messages: question, maxTokens: 1 });
    await expect(asked).rejects.toMatchObject({
      code: 'server_unreachable',
      message: expect.stringContaining('nowhere.invalid') as string,
    });
  });

  test.each([
    [
      401,
      { error: { message: 'Wrong key sk-secret.' } },
      'server_refused',
      /does not accept the key \(HTTP 401\)\. It says: “Wrong key …\.”/,
    ],
    [403, '', 'server_refused', /does not allow this/],
    [404, { detail: 'Not Found' }, 'server_refused', /has no model “tiny”.*It says: “Not Found”/],
    [400, { error: 'no idea' }, 'server_refused', /did not take the question \(HTTP 400\)\. It says: “no idea”/],
    [400, { message: 'maximum context length is 4096 tokens' }, 'context_full', /too long for tiny/],
    [400, { error: { message: 'image input is not supported' } }, 'server_refused', /did not take the picture/],
    [413, '', 'server_refused', /pictures are too large/],
    [500, '<html><script>alert(1)</script>', 'server_failed', /HTTP 500, a fault of its own\.$/],
    [302, '', 'server_refused', /redirects to another address/],
    [429, '', 'server_refused', /asks for a pause/],
  ])('HTTP %i %j', async (status, body, code, message) => {
    there.play(
      answers(status, body, status === 302 ? { location: 'http://127.0.0.1:1/' } : status === 429 ? { 'retry-after': '120' } : {}),
    );
    const failure = await fails(code);
    expect(failure.message).toMatch(message);
    if (status === 429) expect(failure.nextStep).toContain('in 2 minutes');
    // Nothing is sent twice to a server that has refused it, or that asks for a long pause.
    expect(there.asked).toHaveLength(1);
  });

  test('busy: tried again, before the first word only', async () => {
    there.play(answers(503), answers(429, '', { 'retry-after': '1' }), streams(word('Yes.'), end()));
    expect((await ask()).reply.text).toBe('Yes.');
    expect(there.asked).toHaveLength(3);
    there.play(answers(503));
    expect((await fails('server_failed')).message).toContain('HTTP 503');
    expect(there.asked).toHaveLength(6);
    there.play(breaksOff(word('Half ')));
    await fails('server_failed');
    expect(there.asked).toHaveLength(7);
  });

  test('broken off, and ended too early: what came stays', async () => {
    for (const script of [breaksOff(word('Half ')), streams(word('Half '))]) {
      there.play(script);
      const { message, nextStep, heard } = await fails('server_failed');
      expect(message).toMatch(/broke the connection off before the answer was complete/);
      expect(nextStep).toBe('What was written is kept: continue the answer, or try again.');
      expect(heard).toBe('Half ');
    }
  });

  test('stalled before the first word, and in the middle', async () => {
    begin({ firstMs: 50, silenceMs: 50 });
    there.play(() => {});
    expect((await fails('server_failed')).message).toMatch(/did not begin to answer within 1 seconds?/);
    there.play(stalls(word('Half ')));
    const { message, heard } = await fails('server_failed');
    expect(message).toMatch(/sent nothing more/);
    expect(heard).toBe('Half ');
    await vi.waitFor(() => expect(there.open()).toBe(0));
  });

  test.each([
    ['no JSON', event('hello')],
    ['another shape', event({ choices: 'many' })],
    ['a number for words', event({ choices: [{ delta: { content: 7 } }] })],
    ['brackets without end', event('['.repeat(100_000))],
    ['a page', '<html><body>Log in</body></html>\n\n'],
  ])('malformed events: %s', async (_, text) => {
    there.play(streams(word('Half '), text));
    const { message, heard } = await fails('server_failed');
    expect(message).toMatch(/not an answer that Loupe can read|broke the connection off/);
    expect(heard).toBe('Half ');
  });

  test('an error in the middle is quoted', async () => {
    there.play(streams(word('Half '), event({ error: { message: 'out of memory\u0000\nreally' } })));
    expect((await fails('server_failed')).message).toMatch(/could not go on\. It says: “out of memory really”/);
  });

  test('sizes have an end: an event, an answer, a list, an error', async () => {
    there.play(streams(`data: ${'x'.repeat(1_100_000)}`));
    expect((await fails('server_failed')).message).toMatch(/more than an answer can be/);
    there.play(streams(...Array.from({ length: 30 }, () => word('y'.repeat(10_000))), end()));
    const { reply } = await ask();
    expect(reply).toMatchObject({ finish: 'length' });
    expect(reply.text).toHaveLength(200_000);
    there.play(answers(400, 'z'.repeat(1_000_000)));
    expect((await fails('server_refused')).message.length).toBeLessThan(400);
    there.play(answers(200, { data: Array.from({ length: 2_001 }, () => ({ id: 'm' })) }));
    await expect(servers.models({ address: there.address, key: null, id: null, unencrypted: false })).rejects.toMatchObject({
      code: 'server_failed',
    });
  });

  test('controls are taken out, and halves of characters joined', async () => {
    there.play(streams(event({ choices: [{ delta: { content: 'a\u0000\u001b[31mb\ud83d' } }] }), word('\udc0e\n'), end()));
    expect((await ask()).reply.text).toBe('a[31mb🐎\n');
  });
});

describe('who is asked, and when', () => {
  test('adding, listing and choosing opens no connection', async () => {
    const { id } = await add();
    expect(await servers.list()).toEqual([
      {
        ...{ id, name: 'Office', address: there.address, host: `127.0.0.1:${there.port}`, here: true, encrypted: false },
        ...{ model: 'tiny', sees: true, documents: false, contextLength: null, key: 'session', keyProblem: null },
      },
    ]);
    expect(servers.choices()[0]).toMatchObject({ id: `server:${id}`, name: 'tiny at Office', kind: 'server', server: { here: true } });
    servers.find(serverChoiceId(id));
    expect(servers.find('demo')).toBeNull();
    expect(() => servers.find('server:99')).toThrow(/was removed/);
    expect(there.connections()).toBe(0);
    expect(store.ledger.list()).toEqual([]);
  });

  test('the ledger has each, with what was sent and received, before it is answered', async () => {
    there.play((response) => {
      expect(store.ledger.list()).toMatchObject([{ host: `127.0.0.1:${there.port}`, purpose: 'question to a server' }]);
      return streams(word('Yes.'), end())(response, there.asked[0]!, undefined!);
    });
    await ask({ messages: [{ role: 'user', content: [{ type: 'text', text: 'x'.repeat(5_000) }] }] });
    const [entry] = store.ledger.list();
    expect(entry!.sentBytes).toBeGreaterThan(5_000);
    expect(entry!.sentBytes).toBeLessThan(6_000);
    expect(entry!.receivedBytes).toBeGreaterThan(100);
  });

  test('a key goes to its own address alone', async () => {
    const { id } = await add();
    const other = await startScriptedServer();
    other.play(
      answers(200, {
        data: [
          { id: 'b', max_model_len: 4096 },
          { id: 'a', meta: { n_ctx: 2048 } },
          { id: 'c', context_length: 'many' },
        ],
      }),
    );
    there.play(answers(200, { data: [] }));
    const models = await servers.models({ address: other.address, key: null, id, unencrypted: false });
    expect(models).toEqual([
      { model: 'b', contextLength: 4096 },
      { model: 'a', contextLength: 2048 },
      { model: 'c', contextLength: null },
    ]);
    expect(other.asked[0]!.headers.authorization).toBeUndefined();
    await servers.models({ address: there.address, key: null, id, unencrypted: false });
    expect(there.asked[0]!.headers.authorization).toBe('Bearer sk-secret');
    await other.close();
  });

  test('a server without a list of models says so, and its model is entered by hand', async () => {
    there.play(answers(404, '404: Not Found'));
    const asked = servers.models({ address: there.address, key: null, id: null, unencrypted: false });
    await expect(asked).rejects.toMatchObject({
      message: `127.0.0.1:${there.port} has no list of models at this address (HTTP 404). It says: “404: Not Found”`,
      nextStep: expect.stringContaining('by hand') as string,
    });
  });

  test('a key that was kept for another address under the same number is not sent, as after a backup was restored', async () => {
    const { id } = await add();
    await secrets.set(`server-key-${id}`, 'https://elsewhere.example/v1\nsk-other');
    there.play(streams(word('Yes.'), end()));
    await servers.find(serverChoiceId(id))!.engine.generate({ messages: question, maxTokens: 1 });
    expect(there.asked[0]!.headers.authorization).toBeUndefined();
    expect(await servers.list()).toMatchObject([{ key: null }]);
  });

  test('a proxy is not asked for what is on this computer', async () => {
    environment['HTTP_PROXY'] = 'http://127.0.0.1:1';
    there.play(streams(word('Yes.'), end()));
    expect((await ask()).reply.text).toBe('Yes.');
  });

  test('another computer is refused under "Never connect", and everything under LOUPE_OFFLINE', async () => {
    store.saveSettings({ neverConnect: true });
    there.play(streams(word('Yes.'), end()));
    expect((await ask()).reply.text).toBe('Yes.');
    const { id } = await add({ address: 'https://example.org' });
    const away = servers.find(serverChoiceId(id))!.engine.generate({ messages: question, maxTokens: 1 });
    await expect(away).rejects.toMatchObject({ code: 'offline', message: expect.stringContaining('example.org') as string });
    environment['LOUPE_OFFLINE'] = '1';
    await fails('offline');
    expect(store.ledger.list()).toHaveLength(1);
  });

  test('changes, a test, and removing it with its key', async () => {
    const { id } = await add();
    expect(await servers.change({ id, documents: true, sees: false, name: 'Home' })).toMatchObject({
      name: 'Home',
      documents: true,
      sees: false,
    });
    expect(servers.mayHaveDocuments(`server:${id}`)).toBe(true);
    expect(servers.mayHaveDocuments('demo')).toBe(false);
    there.play(streams(word(' ready\n'), end()));
    expect(await servers.test(id)).toMatchObject({ text: 'ready' });
    expect(await servers.change({ id, key: null })).toMatchObject({ key: null });
    there.play(answers(401));
    await expect(servers.test(id)).rejects.toMatchObject({ message: expect.stringContaining('asks for a key') as string });
    await servers.remove(id);
    expect(await servers.list()).toEqual([]);
    expect(changes.at(-1)).toEqual([]);
    expect(await secrets.get(`server-key-${id}`)).toBeNull();
  });

  test('removed while it answers', async () => {
    const { id } = await add();
    there.play(stalls(word('Half ')));
    const asked = servers
      .find(serverChoiceId(id))!
      .engine.generate({ messages: question, maxTokens: 1 }, { onText: () => void servers.remove(id) });
    await expect(asked).rejects.toMatchObject({ code: 'server_refused', message: expect.stringContaining('was removed') as string });
    await vi.waitFor(() => expect(there.open()).toBe(0));
  });

  test('an answer that is given without streaming events may not be a page of another kind', async () => {
    there.play((response) => {
      response.writeHead(200, { ...streaming, 'content-type': 'text/html' });
      response.end('<html><body>Welcome</body></html>');
    });
    expect((await fails('server_failed')).message).toMatch(/not an answer that Loupe can read/);
  });
});
