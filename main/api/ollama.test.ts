import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, demo, key, piecesOf, pixel, startOwnApi, type Answer, type OwnApi } from './test/own-api.ts';

let own: OwnApi;
const base = { id: '/models/base', name: 'llama3.2-vision:11b', kind: 'vision' as const, bytes: 7_800_000_000, present: true };
beforeAll(async () => {
  own = await startOwnApi({ choices: [demo, base, { ...base, id: '/models/gone', name: 'gone', present: false }] });
});
afterAll(async () => {
  await own.api.close();
  await own.engine.close();
});

const post = (path: string, body: object): Promise<Answer> => ask(own.api.port, path, { body: { model: 'demo', ...body } });
const whole = 'You asked: Why? I was given 0 pictures.';

test('what was written for Ollama runs with another address', async () => {
  // No header, the key in the address, the model by the name that it has there.
  const { status, json } = await ask(own.api.port, `/${key}/api/generate`, {
    headers: { authorization: '', 'content-type': 'application/x-www-form-urlencoded' },
    body: { model: 'llama3.2-vision', prompt: 'Why?', images: [pixel], stream: false },
  });
  expect(status).toBe(200);
  const reply = json() as Record<string, unknown>;
  expect(reply).toMatchObject({
    model: 'llama3.2-vision',
    response: 'You asked: Why? I was given 1 picture.',
    done: true,
    done_reason: 'stop',
    prompt_eval_count: 1,
    eval_count: 8,
    loupe: { model: 'demo', pictures: { given: 1, seen: [1] } },
  });
  for (const field of ['total_duration', 'load_duration', 'prompt_eval_duration', 'eval_duration']) {
    expect(Number.isInteger(reply[field])).toBe(true);
  }
  expect(new Date(String(reply['created_at'])).toISOString()).toBe(reply['created_at']);
});

describe('generate and chat', () => {
  test('stream lines until one is done', async () => {
    const { text, headers } = await post('/api/generate', { prompt: 'Why?' });
    expect(headers['content-type']).toBe('application/x-ndjson');
    const lines = piecesOf(text) as { response: string; done: boolean }[];
    expect(lines.map(({ response }) => response).join('')).toBe(whole);
    expect(lines.map(({ done }) => done)).toEqual([...lines.slice(1).map(() => false), true]);
    const chat = piecesOf((await post('/api/chat', { messages: [{ role: 'user', content: 'Why?' }] })).text) as {
      message: { role: string; content: string };
    }[];
    expect(chat.map(({ message }) => message.content).join('')).toBe(whole);
    expect(chat.every(({ message }) => message.role === 'assistant')).toBe(true);
  });

  test('of the pictures of a conversation the last is seen', async () => {
    const messages = [
      { role: 'user', content: 'A', images: [pixel, pixel] },
      { role: 'assistant', content: 'B' },
      { role: 'user', content: 'Why?', images: [`data:image/png;base64,${pixel}`] },
    ];
    expect((await post('/api/chat', { messages, stream: false })).json()).toMatchObject({
      message: { content: 'You asked: Why? I was given 1 picture.' },
      loupe: { pictures: { given: 3, seen: [3] } },
    });
  });

  test('options reach the engine', async () => {
    const generate = own.port.generate;
    const asked: unknown[] = [];
    own.port.generate = (request, listeners) => {
      asked.push({ ...request.sampling, most: request.maxTokens, roles: request.messages.map(({ role }) => role).join() });
      return generate(request, listeners);
    };
    const options = { temperature: 1, top_k: 40, top_p: 0.9, min_p: 0.1, repeat_penalty: 1.1, seed: 3, num_predict: 5, num_ctx: 4096 };
    await post('/api/generate', { prompt: 'Why?', system: 'Be brief.', options, stream: false });
    await post('/api/generate', { prompt: 'Why?', options: { num_predict: -1 }, stream: false });
    own.port.generate = generate;
    const sampling = { temperature: 1, topK: 40, topP: 0.9, minP: 0.1, repetitionPenalty: 1.1, seed: 3 };
    expect(asked).toEqual([
      { ...sampling, most: 5, roles: 'system,user' },
      { most: own.engine.state().contextLength, roles: 'user' },
    ]);
  });

  test('without a question the model is loaded', async () => {
    expect((await post('/api/generate', { stream: false })).json()).toMatchObject({ response: '', done: true, done_reason: 'load' });
    expect(piecesOf((await post('/api/chat', { messages: [] })).text)).toMatchObject([{ done: true, done_reason: 'load' }]);
  });

  test('errors are sentences', async () => {
    const error = async (body: object): Promise<unknown> => {
      const { status, json } = await post('/api/generate', { prompt: 'Why?', ...body });
      return [status, json()];
    };
    expect(await error({ model: 'mistral' })).toEqual([
      404,
      { error: 'Loupe has no model "mistral". Use one of these: "demo", "llama3.2-vision:11b".' },
    ]);
    expect(await error({ format: 'json' })).toEqual([400, { error: 'Loupe does not support "format". Leave "format" out.' }]);
    expect(await error({ images: ['?'] })).toEqual([400, { error: expect.stringContaining('picture 1 is not a picture') as string }]);
    expect(await error({ options: { temperature: 'hot' } })).toEqual([
      400,
      { error: expect.stringMatching(/^options\.temperature: /) as string },
    ]);
  });
});

test('tags, show and version', async () => {
  const get = async (path: string): Promise<unknown> => (await ask(own.api.port, path, { method: 'GET' })).json();
  expect(await get('/api/version')).toEqual({ version: '1.2.3' });
  expect(await get('/api/tags')).toMatchObject({
    models: [
      { name: 'demo', model: 'demo', size: 24, digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      { name: 'llama3.2-vision:11b', size: 7_800_000_000, details: { family: 'mllama' } },
    ],
  });
  expect((await post('/api/show', {})).json()).toMatchObject({ capabilities: ['completion', 'vision'] });
  expect((await ask(own.api.port, '/api/show', { body: { name: 'llama3.2-vision:11b' } })).status).toBe(200);
  expect((await ask(own.api.port, '/api/pull', { body: {} })).status).toBe(404);
});
