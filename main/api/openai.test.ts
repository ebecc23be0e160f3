import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, piecesOf, pixel, startOwnApi, type Answer, type OwnApi } from './test/own-api.ts';

let own: OwnApi;
const composed: string[][] = [];
beforeAll(async () => {
  own = await startOwnApi({
    compose: async (sources, layout, labels) => {
      composed.push([...sources.map((source) => ('name' in source ? source.name : 'a path')), layout, String(labels)]);
      return new Uint8Array([1]);
    },
  });
});
afterAll(async () => {
  await own.api.close();
  await own.engine.close();
});

const chat = (more: object): Promise<Answer> =>
  ask(own.api.port, '/v1/chat/completions', { body: { model: 'demo', messages: [{ role: 'user', content: 'What is this?' }], ...more } });
const picture = (url = `data:image/png;base64,${pixel}`): object => ({ type: 'image_url', image_url: { url } });

describe('chat', () => {
  test('answers whole, with usage', async () => {
    const { status, json } = await chat({});
    expect(status).toBe(200);
    expect(json()).toMatchObject({
      id: expect.stringMatching(/^chatcmpl-/) as string,
      object: 'chat.completion',
      model: 'demo',
      choices: [
        {
          index: 0,
          finish_reason: 'stop',
          message: { role: 'assistant', content: 'You asked: What is this? I was given 0 pictures.' },
        },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 10, total_tokens: 11 },
    });
  });

  test('streams the same words, with usage where it is asked for', async () => {
    const { text, headers } = await chat({ stream: true, stream_options: { include_usage: true } });
    expect(headers['content-type']).toMatch(/^text\/event-stream/);
    expect(text).toMatch(/\n\ndata: \[DONE\]\n\n$/);
    const chunks = piecesOf(text) as { choices: { delta: { content?: string }; finish_reason: string | null }[]; usage: unknown }[];
    expect(chunks[0]!.choices[0]!.delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('You asked: What is this? I was given 0 pictures.');
    expect(chunks.at(-2)!.choices[0]).toMatchObject({ finish_reason: 'stop', delta: {} });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 10 } });
    expect((await chat({ stream: true })).text).not.toContain('usage');
  });

  test('ends at the greatest length, and before a stop', async () => {
    const finish = async (more: object): Promise<unknown> => {
      const { choices } = (await chat(more)).json() as { choices: { finish_reason: string; message: { content: string } }[] };
      return [choices[0]!.finish_reason, choices[0]!.message.content];
    };
    expect(await finish({ max_tokens: 2 })).toEqual(['length', 'You asked:']);
    expect(await finish({ max_completion_tokens: 2 })).toEqual(['length', 'You asked:']);
    expect(await finish({ stop: ['this', ' is'] })).toEqual(['stop', 'You asked: What']);
    expect(await finish({ stop: 'never written' })).toEqual(['stop', 'You asked: What is this? I was given 0 pictures.']);
    const { text } = await chat({ stream: true, stop: 'I was' });
    expect(text).not.toMatch(/was|given/);
  });

  test('hands on how to sample', async () => {
    const generate = own.port.generate;
    const asked: unknown[] = [];
    own.port.generate = (request, listeners) => {
      asked.push(request.sampling);
      return generate(request, listeners);
    };
    await chat({ temperature: 0.5, top_p: 0.9, seed: 7 });
    await chat({ temperature: null, seed: -1 });
    own.port.generate = generate;
    expect(asked).toEqual([{ temperature: 0.5, topP: 0.9, seed: 7 }, {}]);
  });
});

describe('pictures', () => {
  const pictures = async (content: object[], more = {}): Promise<unknown> => {
    const { json } = await chat({ messages: [{ role: 'user', content: [...content, { type: 'text', text: 'Well?' }] }], ...more });
    return json();
  };

  test('one is seen', async () => {
    expect(await pictures([picture()])).toMatchObject({
      choices: [{ message: { content: 'You asked: Well? I was given 1 picture.' } }],
      loupe: { pictures: { given: 1, seen: [1] } },
    });
    expect((await chat({})).json()).not.toHaveProperty('loupe');
  });

  test('of several the last is seen, and the reply says so', async () => {
    const reply = await pictures([picture(), picture(), picture()]);
    expect(reply).toMatchObject({
      choices: [{ message: { content: 'You asked: Well? I was given 1 picture.' } }],
      loupe: { pictures: { given: 3, seen: [3] } },
    });
    const { text } = await chat({ stream: true, messages: [{ role: 'user', content: [picture(), picture()] }] });
    expect(piecesOf(text).at(-1)).toMatchObject({ loupe: { pictures: { given: 2, seen: [2] } } });
  });

  test('several are composed on request', async () => {
    expect(await pictures([picture(), picture()], { loupe: { compose: 'grid' } })).toMatchObject({
      loupe: { pictures: { given: 2, seen: [1, 2] } },
    });
    expect(composed).toEqual([['picture 1', 'picture 2', 'grid', 'true']]);
    expect(await pictures(Array(7).fill(picture()) as object[], { loupe: { compose: 'grid' } })).toMatchObject({
      error: { code: 'image_several' },
    });
  });

  test('addresses are not fetched, and nonsense is named', async () => {
    for (const url of ['https://example.com/a.png', 'file:///etc/passwd', '/etc/passwd']) {
      expect(await pictures([picture(url)])).toMatchObject({
        error: { code: 'request_invalid', message: expect.stringContaining('opens no connections') as string },
      });
    }
    expect(await pictures([picture('data:image/png;base64,%%%')])).toMatchObject({ error: { code: 'image_unreadable' } });
  });
});

describe('errors', () => {
  test('name the field, and what to do', async () => {
    const message = async (more: object): Promise<unknown> => {
      const { status, json } = await chat(more);
      return [status, (json() as { error: { message: string } }).error.message];
    };
    expect(await message({ messages: [] })).toEqual([400, expect.stringMatching(/^messages: /)]);
    expect(await message({ messages: [{ role: 'tool', content: 'x' }] })).toEqual([400, expect.stringMatching(/^messages\.0\.role: /)]);
    expect(await message({ temperature: 9 })).toEqual([400, expect.stringMatching(/^temperature: /)]);
    for (const more of [{ n: 2 }, { tools: [{}] }, { response_format: { type: 'json_object' } }, { logprobs: true }]) {
      const [field] = Object.keys(more);
      expect(await message(more)).toEqual([400, `Loupe does not support "${field}". Leave "${field}" out.`]);
    }
    // What asks for nothing is no error.
    expect((await chat({ n: 1, tools: [], response_format: { type: 'text' }, frequency_penalty: 0, user: 'me' })).status).toBe(200);
  });

  test('do not repeat what was sent', async () => {
    const { text } = await chat({ temperature: 'x'.repeat(100_000) });
    expect(text.length).toBeLessThan(500);
  });

  test('have the shape and the code that clients look for', async () => {
    const missing = await chat({ model: 'gpt-4o' });
    expect(missing.status).toBe(404);
    expect(missing.json()).toEqual({
      error: {
        message: 'Loupe has no model "gpt-4o". Use one of these: "demo".',
        type: 'invalid_request_error',
        param: null,
        code: 'model_not_found',
      },
    });
    const long = await chat({ messages: [{ role: 'user', content: 'x'.repeat(1_000_001) }] });
    expect([long.status, long.json()]).toMatchObject([400, { error: { code: 'context_length_exceeded' } }]);
  });

  test('an engine that is lost goes on from its last word; one that stays lost is an error', async () => {
    own.port.crash();
    expect((await chat({})).json()).toMatchObject({
      choices: [{ message: { content: 'You asked: What is this? I was given 0 pictures.' } }],
    });
  });
});

describe('models', () => {
  test('are listed and found', async () => {
    const { json } = await ask(own.api.port, '/v1/models', { method: 'GET' });
    expect(json()).toMatchObject({ object: 'list', data: [{ id: 'demo', object: 'model', owned_by: 'loupe' }] });
    expect((await ask(own.api.port, '/v1/models/demo', { method: 'GET' })).json()).toMatchObject({ id: 'demo' });
    expect((await ask(own.api.port, '/v1/models/%E0', { method: 'GET' })).status).toBe(404);
  });

  test('a text is continued by base models alone', async () => {
    const complete = (more = {}): Promise<Answer> =>
      ask(own.api.port, '/v1/completions', { body: { model: 'demo', prompt: 'Once', ...more } });
    expect((await complete()).json()).toMatchObject({
      error: { code: 'request_invalid', message: expect.stringContaining('base model') as string },
    });
    const load = own.port.load;
    own.port.load = async (request, listeners) => ({ ...(await load(request, listeners)), promptFormat: 'completion' });
    await own.engine.load();
    expect((await complete()).json()).toMatchObject({
      object: 'text_completion',
      choices: [{ text: 'You asked: Once I was given 0 pictures.' }],
    });
    const { text } = await complete({ stream: true, prompt: ['Once'] });
    expect((piecesOf(text) as { choices: { text: string }[] }[]).map(({ choices }) => choices[0]!.text).join('')).toBe(
      'You asked: Once I was given 0 pictures.',
    );
    own.port.load = load;
    await own.engine.load();
  });
});
