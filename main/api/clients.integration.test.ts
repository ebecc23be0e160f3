/** The clients that programs use, as their makers publish them, on the real engine and the demo model. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngineClient } from '../engine/client.ts';
import { endless, forkHaltingHost } from '../engine/test/halting-engine.ts';
import { demoModel } from '../host/paths.ts';
import { serverChoiceId } from '../contract.ts';
import { sessionSecrets } from '../services/models/hub/secrets.ts';
import { barePictures } from '../services/servers/test/bare-pictures.ts';
import { createServers } from '../services/servers/servers.ts';
import { openStore } from '../storage/store.ts';
import { serveApi, type ServedApi } from './serve.ts';

const data = mkdtempSync(join(tmpdir(), 'loupe-api-'));
const samples = JSON.parse(readFileSync(join(demoModel, 'samples.json'), 'utf8')) as { image: string; question: string; answer: string }[];
const pictures = samples.map(({ image }) => readFileSync(join(demoModel, image)).toString('base64'));
const [sample, another] = [samples[5]!, samples[4]!];
const [picture, otherPicture] = [pictures[5]!, pictures[4]!];

let served: ServedApi;
let openai: OpenAI;
let ollama: Ollama;
beforeAll(async () => {
  served = await serveApi({
    startEngine: (worker) => createEngineClient({ pictures: worker, spawn: () => forkHaltingHost() }),
    version: '1.2.3',
    dataDirectory: data,
    port: 0,
  });
  openai = new OpenAI({ baseURL: `http://127.0.0.1:${served.port}/v1`, apiKey: served.key, maxRetries: 0 });
  ollama = new Ollama({ host: `http://127.0.0.1:${served.port}/${served.key}` });
});
afterAll(async () => {
  await served.close();
  rmSync(data, { recursive: true });
});

const asked = (text: string, ...images: string[]): OpenAI.ChatCompletionMessageParam[] => [
  {
    role: 'user',
    content: [
      ...images.map((image) => ({ type: 'image_url' as const, image_url: { url: `data:image/png;base64,${image}` } })),
      { type: 'text', text },
    ],
  },
];

describe('openai', () => {
  test('models', async () => {
    expect((await openai.models.list()).data.map(({ id }) => id)).toEqual(['demo']);
    expect((await openai.models.retrieve('demo')).id).toBe('demo');
  });

  test('a question about a picture, whole and streamed', async () => {
    const whole = await openai.chat.completions.create({ model: 'demo', messages: asked(sample.question, picture), temperature: 0 });
    expect(whole.choices[0]!.message.content).toBe(sample.answer);
    expect(whole.choices[0]!.finish_reason).toBe('stop');
    expect(whole.usage!.total_tokens).toBe(whole.usage!.prompt_tokens + whole.usage!.completion_tokens);
    const stream = await openai.chat.completions.create({
      model: 'demo',
      messages: asked(sample.question, picture),
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let usage: OpenAI.CompletionUsage | null = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe(sample.answer);
    expect(usage).toMatchObject({ completion_tokens: whole.usage!.completion_tokens, prompt_tokens: whole.usage!.prompt_tokens });
    // The prefix cache serves programs, too.
    expect(usage!.prompt_tokens_details!.cached_tokens).toBeGreaterThan(0);
  });

  test('of several pictures the last is seen', async () => {
    const reply = await openai.chat.completions.create({
      model: 'demo',
      messages: asked(sample.question, otherPicture, picture),
      temperature: 0,
    });
    expect(reply.choices[0]!.message.content).toBe(sample.answer);
    expect(reply).toMatchObject({ loupe: { pictures: { given: 2, seen: [2] } } });
  });

  test('several pictures are composed by the picture process', async () => {
    const body = { model: 'demo', messages: asked(sample.question, otherPicture, picture), max_tokens: 3, loupe: { compose: 'grid' } };
    expect(await openai.chat.completions.create(body)).toMatchObject({ loupe: { pictures: { given: 2, seen: [1, 2] } } });
  });

  test('an aborted stream ends, and the next question is answered', async () => {
    const stop = new AbortController();
    const messages = asked('Hello');
    const stream = await openai.chat.completions.create({ model: 'demo', messages, seed: endless, stream: true }, { signal: stop.signal });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) stop.abort();
    const { choices } = await openai.chat.completions.create({
      model: 'demo',
      messages: asked(another.question, otherPicture),
      temperature: 0,
    });
    expect(choices[0]!.message.content).toBe(another.answer);
  });

  test('errors are those that the client knows', async () => {
    const create = (more: object): Promise<unknown> => openai.chat.completions.create({ model: 'demo', messages: asked('Hello'), ...more });
    await expect(create({ model: 'gpt-4o' })).rejects.toThrow(OpenAI.NotFoundError);
    await expect(create({ response_format: { type: 'json_object' } })).rejects.toThrow(OpenAI.BadRequestError);
    await expect(create({ messages: asked('What?', 'aGVsbG8=') })).rejects.toMatchObject({ status: 400, code: 'image_unreadable' });
    await expect(create({ messages: asked('word '.repeat(20_000)) })).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    });
    await expect(openai.completions.create({ model: 'demo', prompt: 'Once' })).rejects.toThrow(OpenAI.BadRequestError);
    const stranger = new OpenAI({ baseURL: `http://127.0.0.1:${served.port}/v1`, apiKey: 'guess', maxRetries: 0 });
    await expect(stranger.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
  });
});

describe('ollama', () => {
  test('list, show and version', async () => {
    expect((await ollama.list()).models.map(({ name }) => name)).toEqual(['demo']);
    expect((await ollama.show({ model: 'demo' })).capabilities).toContain('vision');
    expect((await ollama.version()).version).toBe('1.2.3');
  });

  test('generate and chat, whole and streamed, with a picture as base64, bytes and a path', async () => {
    const common = { model: 'llama3.2-vision', options: { temperature: 0 } };
    const bytes = new Uint8Array(Buffer.from(picture, 'base64'));
    const whole = await ollama.generate({ ...common, prompt: sample.question, images: [bytes] });
    expect(whole).toMatchObject({ response: sample.answer, done: true, done_reason: 'stop' });
    expect(whole.eval_count).toBeGreaterThan(0);
    expect(whole.total_duration).toBeGreaterThanOrEqual(whole.eval_duration);
    let text = '';
    for await (const part of await ollama.generate({ ...common, prompt: sample.question, images: [picture], stream: true }))
      text += part.response;
    expect(text).toBe(sample.answer);
    const messages = [{ role: 'user', content: sample.question, images: [join(demoModel, sample.image)] }];
    expect((await ollama.chat({ ...common, messages })).message.content).toBe(sample.answer);
    text = '';
    for await (const part of await ollama.chat({ ...common, messages, stream: true })) text += part.message.content;
    expect(text).toBe(sample.answer);
  });

  test('abort, and errors', async () => {
    const stream = await ollama.generate({ model: 'demo', prompt: 'Hello', options: { seed: endless }, stream: true });
    await expect(
      (async () => {
        for await (const part of stream) if (part.response !== '') stream.abort();
      })(),
    ).rejects.toThrow(/abort/i);
    await expect(ollama.generate({ model: 'mistral', prompt: 'Hello' })).rejects.toThrow('Loupe has no model "mistral"');
    await expect(ollama.generate({ model: 'demo', prompt: 'Hello', format: 'json' })).rejects.toThrow('does not support "format"');
    const stranger = new Ollama({ host: `http://127.0.0.1:${served.port}` });
    await expect(stranger.list()).rejects.toThrow('The key is missing');
  });
});

test('another Loupe, which has this one among its servers, gets the demo model’s own answer about a picture', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'loupe-other-'));
  const store = openStore(directory);
  const servers = createServers({ store, secrets: sessionSecrets(), pictures: barePictures, onChange: () => {}, environment: {} });
  try {
    const address = `127.0.0.1:${served.port}`;
    const [offered] = await servers.models({ address, key: served.key, id: null, unencrypted: false });
    const about = { name: 'First', address, key: served.key, sees: true, contextLength: null, unencrypted: false };
    const { id } = await servers.add({ ...about, model: offered!.model });
    const image = { type: 'image' as const, image: { bytes: Buffer.from(picture, 'base64'), name: 'sample.png' } };
    const heard: string[] = [];
    const reply = await servers.find(serverChoiceId(id))!.engine.generate(
      {
        messages: [{ role: 'user', content: [image, { type: 'text', text: sample.question }] }],
        maxTokens: 60,
        sampling: { temperature: 0 },
      },
      { onText: (text) => heard.push(text) },
    );
    expect(reply).toMatchObject({ text: sample.answer, finish: 'stop' });
    expect(heard.join('')).toBe(sample.answer);
    expect(reply.statistics.generatedTokens).toBeGreaterThan(0);
  } finally {
    servers.close();
    store.close();
    rmSync(directory, { recursive: true });
  }
});
