/** `loupe mcp` as assistants start it: the client that the protocol's makers publish, a process of its own, the app, the real engine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, type CallToolResult } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createEngineClient } from '../engine/client.ts';
import { endless, forkHaltingHost } from '../engine/test/halting-engine.ts';
import { toLoupeError } from '../errors.ts';
import { demoModel } from '../host/paths.ts';
import { startOwnApp, type OwnApp } from './test/own-app.ts';

const entry = fileURLToPath(new URL('../cli/loupe.ts', import.meta.url));
const samples = JSON.parse(readFileSync(join(demoModel, 'samples.json'), 'utf8')) as { image: string; question: string; answer: string }[];
const sample = samples[5]!;
const about = { path: join(demoModel, sample.image), question: sample.question };

let own: OwnApp;
let port: number;
let key: string;
/** Called with each word of the next answer, which then ends only when it is cancelled. */
let onEndless: (() => void) | null = null;
/** How answers ended. */
const ended: string[] = [];

beforeAll(async () => {
  own = startOwnApp({
    startEngine(pictures) {
      const engine = createEngineClient({ pictures, spawn: () => forkHaltingHost() });
      return {
        ...engine,
        async generate(request, listeners = {}) {
          const onText = onEndless;
          onEndless = null;
          const answering = onText
            ? engine.generate({ ...request, sampling: { ...request.sampling, seed: endless } }, { ...listeners, onText })
            : engine.generate(request, listeners);
          answering.then(
            ({ finish }) => ended.push(finish),
            // Before its first word there is no reply.
            (error: unknown) => ended.push(toLoupeError(error).code),
          );
          return answering;
        },
      };
    },
  });
  // The demo model's own answers, which nothing is left to chance in.
  await own.app.handlers['settings.set']({ temperature: 0, programs: true });
  ({ key } = await own.app.handlers['programs.newKey']({}));
  port = await own.reached('ready');
});
afterAll(() => own.close());

const clients: Client[] = [];
afterEach(async () => void (await Promise.all(clients.splice(0).map((client) => client.close()))));

async function connect(name: string, { more = {}, env = { LOUPE_API_KEY: key } }: { more?: object; env?: Record<string, string> } = {}) {
  const client = new Client({ name, version: '1.0.0' }, more);
  clients.push(client);
  const args = [entry, 'mcp', '--port', String(port)];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, env: { ...env, PATH: process.env['PATH'] ?? '' } }));
  return client;
}

async function say(allowed: boolean, remembered = false): Promise<void> {
  const [question] = await vi.waitFor(async () => {
    const shown = await own.app.handlers['programs.questions']({});
    expect(shown).toHaveLength(1);
    return shown;
  });
  await own.app.handlers['programs.answer']({ id: question!.id, allowed, remembered });
}

const textsOf = ({ content }: CallToolResult): string[] => content.map((part) => (part.type === 'text' ? part.text : part.type));

test('finds its tools, whichever revision of the protocol the client begins with', async () => {
  for (const more of [{}, { versionNegotiation: { mode: 'auto' } }]) {
    const client = await connect('notes', { more });
    expect(client.getServerVersion()).toMatchObject({ name: 'loupe', title: 'Loupe' });
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['capture_and_ask', 'ask_about_file', 'search_history']);
    await client.ping();
  }
});

test('asks about a picture: refused, allowed, and then without being asked', async () => {
  const client = await connect('notes');
  const ask = (): Promise<CallToolResult> => client.callTool({ name: 'ask_about_file', arguments: about }) as Promise<CallToolResult>;
  const [refused] = await Promise.all([ask(), say(false)]);
  expect(refused.isError).toBe(true);
  expect(textsOf(refused)).toEqual([expect.stringContaining('does not allow this to “notes”')]);
  const [allowed] = await Promise.all([ask(), say(true, true)]);
  expect(allowed.isError).toBeUndefined();
  expect(textsOf(allowed)).toEqual([sample.answer]);
  expect(textsOf(await ask())).toEqual([sample.answer]);
  // Another program has to ask for itself.
  const other = await connect('other');
  const [asked] = await Promise.all([other.callTool({ name: 'ask_about_file', arguments: about }), say(false)]);
  expect(asked.isError).toBe(true);
});

test('what cannot be done says why, and what to do', async () => {
  const client = await connect('notes');
  const failing = async (name: string, given: object): Promise<string> => {
    const result = (await client.callTool({ name, arguments: { ...given } })) as CallToolResult;
    expect(result.isError).toBe(true);
    return textsOf(result).join('\n');
  };
  expect(await failing('ask_about_file', { ...about, path: 'letter.png' })).toMatch(/letter\.png is not an absolute path\. .*whole path/);
  expect(await failing('ask_about_file', { path: about.path })).toContain('question');
  expect(await failing('capture_and_ask', { question: 'What is open?' })).toContain('ask_about_file');
  await expect(client.callTool({ name: 'delete_everything', arguments: {} })).rejects.toThrow('no tool');
});

test('who cancels ends the answer, and the next is answered', async () => {
  const client = await connect('notes');
  const stop = new AbortController();
  const asked = client.callTool({ name: 'ask_about_file', arguments: about }, { signal: stop.signal });
  const settled = expect(asked).rejects.toThrow();
  await new Promise<void>((resolve) => (onEndless = resolve));
  stop.abort();
  await settled;
  await vi.waitFor(() => expect(ended.at(-1)).toBe('cancelled'));
  expect(textsOf((await client.callTool({ name: 'ask_about_file', arguments: about })) as CallToolResult)).toEqual([sample.answer]);
});

test('the wrong key, no key, and no Loupe: the assistant is told what to do', async () => {
  const told = async (env: Record<string, string>): Promise<string> => {
    const client = await connect('notes', { env });
    return textsOf((await client.callTool({ name: 'search_history', arguments: { query: 'x' } })) as CallToolResult).join('\n');
  };
  expect(await told({ LOUPE_API_KEY: `${key}x` })).toContain('LOUPE_API_KEY');
  expect(await told({})).toContain('started without a key');
  await own.app.handlers['settings.set']({ programs: false });
  await own.reached('off');
  expect(await told({ LOUPE_API_KEY: key })).toMatch(/No Loupe answers programs on port \d+ .*Settings > For programs/);
});
