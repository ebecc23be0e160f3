/** Who may ask, how much, and what becomes of those who do not behave. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { usualLimits } from './limits.ts';
import { ask, begin, key, pixel, readAnswer, startOwnApi, type Answer, type OwnApi, type OwnApiOptions } from './test/own-api.ts';

let own: OwnApi;
const start = async (options?: OwnApiOptions): Promise<void> => void (own = await startOwnApi(options));
afterEach(async () => {
  await own.api.close();
  await own.engine.close();
});

const body = (content: unknown = 'Why?', more: object = {}): object => ({ model: 'demo', messages: [{ role: 'user', content }], ...more });
const chat = (content?: unknown, more?: object): Promise<Answer> =>
  ask(own.api.port, '/v1/chat/completions', { body: body(content, more) });
/** For more than a minute: nothing cuts it off at the end of a context. */
const endless = { answer: () => 'word '.repeat(100_000), wordMs: 1, contextLength: 1_000_000 };
const longest = { max_tokens: 100_000, stream: true };

/** How many generations run, and how the others ended. */
function watchEngine(): { running: number; ended: string[] } {
  const seen = { running: 0, ended: [] as string[] };
  const generate = own.port.generate;
  own.port.generate = async (request, listeners) => {
    seen.running++;
    try {
      const reply = await generate(request, listeners);
      seen.ended.push(reply.finish);
      return reply;
    } finally {
      seen.running--;
    }
  };
  return seen;
}

/** Bytes that this process holds outside of the script's own heap, where bodies lie. */
const held = (): number => process.memoryUsage().arrayBuffers;

describe('who may ask', () => {
  test('who has the key: as a bearer, as a password, in the path', async () => {
    await start();
    const status = async (path: string, authorization: string): Promise<number> =>
      (await ask(own.api.port, path, { method: 'GET', headers: { authorization } })).status;
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
    expect(await status('/v1/models', `Bearer ${key}`)).toBe(200);
    expect(await status('/v1/models', basic(`loupe:${key}`))).toBe(200);
    expect(await status(`/${key}/v1/models`, '')).toBe(200);
    // Clients that insist on a key get one that is none.
    expect(await status(`/${key}/v1/models`, 'Bearer none')).toBe(200);
    for (const wrong of ['', 'Bearer', `Bearer ${key}x`, `Bearer ${key.slice(1)}`, basic(`${key}:`), `Digest ${key}`]) {
      expect(await status('/v1/models', wrong)).toBe(401);
    }
    expect(await status(`/${key}x/v1/models`, '')).toBe(401);
    expect(await status(`/v1/models?key=${key}`, '')).toBe(401);
    expect(await status(`//${key}/v1/models`, '')).toBe(401);
  });

  test('a refusal has the shape of the dialect', async () => {
    await start();
    const headers = { authorization: '' };
    expect((await ask(own.api.port, '/v1/models', { method: 'GET', headers })).json()).toMatchObject({
      error: { code: 'invalid_api_key' },
    });
    expect((await ask(own.api.port, '/api/tags', { method: 'GET', headers })).json()).toMatchObject({
      error: expect.stringMatching(/^The key is missing/) as string,
    });
  });

  test('nobody under another name, and no page of another origin', async () => {
    await start({ origins: ['https://notes.example'] });
    const call = (headers: Record<string, string>, method = 'GET'): Promise<Answer> => ask(own.api.port, '/v1/models', { method, headers });
    expect((await call({ host: `evil.example:${own.api.port}` })).status).toBe(403);
    expect((await call({ host: '127.0.0.1' })).status).toBe(403);
    expect((await call({ host: `localhost:${own.api.port}` })).status).toBe(200);
    for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${own.api.port}`, 'https://notes.example.evil.example']) {
      const { status, headers } = await call({ origin });
      expect([status, headers['access-control-allow-origin']]).toEqual([403, undefined]);
      expect((await call({ origin }, 'OPTIONS')).status).toBe(403);
    }
    const named = { origin: 'https://notes.example' };
    expect((await call(named)).headers['access-control-allow-origin']).toBe('https://notes.example');
    expect((await call({ ...named, authorization: '' })).status).toBe(401);
    const preflight = await call({ ...named, authorization: '', 'access-control-request-headers': 'authorization' }, 'OPTIONS');
    expect([preflight.status, preflight.headers['access-control-allow-headers']]).toEqual([204, 'authorization']);
  });

  test('the key is asked for before anything else is read', async () => {
    await start();
    const request = begin(own.api.port, '/v1/chat/completions', { headers: { authorization: '', 'content-length': '1000000000' } });
    request.on('error', () => {});
    request.flushHeaders();
    const [response] = (await once(request, 'response')) as [Parameters<typeof readAnswer>[0]];
    expect(response.statusCode).toBe(401);
    request.destroy();
  });
});

describe('how much', () => {
  const small = { ...usualLimits, body: 10_000, allBodies: 15_000, unread: 50_000 };

  test('a body over the limit, announced or not', async () => {
    await start({ limits: small });
    const announced = await chat('x'.repeat(20_000));
    expect([announced.status, announced.json()]).toMatchObject([413, { error: { message: expect.stringContaining('10.0 kB') as string } }]);
    const request = begin(own.api.port, '/v1/chat/completions');
    for (let sent = 0; sent < 200; sent++) request.write('x'.repeat(1000));
    request.end();
    const [response] = (await once(request, 'response')) as [Parameters<typeof readAnswer>[0]];
    expect((await readAnswer(response)).status).toBe(413);
    expect((await chat('after it')).status).toBe(200);
  });

  test('a gigabyte is refused before it is sent', async () => {
    await start();
    const request = begin(own.api.port, '/v1/chat/completions', { headers: { 'content-length': '1000000000' } });
    request.on('error', () => {});
    request.flushHeaders();
    const [response] = (await once(request, 'response')) as [Parameters<typeof readAnswer>[0]];
    expect(response.statusCode).toBe(413);
    request.destroy();
  });

  test('a gigabyte that nobody announced is thrown away as it comes, and its sender still learns why', async () => {
    await start();
    const before = held();
    const socket = connect(own.api.port, '127.0.0.1');
    let reply = '';
    const closed = once(socket, 'close');
    // As simple clients are: they send all that they have, then read, and want the connection closed.
    const head = ['POST /v1/chat/completions HTTP/1.1', `Host: 127.0.0.1:${own.api.port}`, `Authorization: Bearer ${key}`];
    socket.write([...head, 'Connection: close', 'Transfer-Encoding: chunked', '', ''].join('\r\n'));
    const megabyte = Buffer.concat([Buffer.from(`${(1_000_000).toString(16)}\r\n`), Buffer.alloc(1_000_000, 'x'), Buffer.from('\r\n')]);
    let most = 0;
    for (let sent = 0; sent < 1000; sent++) {
      if (!socket.write(megabyte)) await once(socket, 'drain');
      most = Math.max(most, held());
    }
    socket.write('0\r\n\r\n');
    socket.setEncoding('utf8').on('data', (text: string) => (reply += text));
    await closed;
    expect(reply).toMatch(/^HTTP\/1\.1 413 [^]*larger than 96\.0 MB/);
    // The limit of one request, twice while its pieces are put together, and what two ends of a connection keep.
    expect(most - before).toBeLessThan(2 * usualLimits.body + 100_000_000);
    expect((await chat('after it')).status).toBe(200);
  });

  test('beyond the connections that are kept, one is closed unheard; those that are there go on', async () => {
    await start({ limits: { ...usualLimits, connections: 3 } });
    const idle = [1, 2].map(() => connect(own.api.port, '127.0.0.1'));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    // A head that never ends.
    for (const socket of idle) socket.write('POST /v1/chat/completions HTTP/1.1\r\nX-Slow: ');
    expect((await chat('beside them')).status).toBe(200);
    const third = connect(own.api.port, '127.0.0.1');
    await once(third, 'connect');
    third.write('GET / HTTP/1.1\r\n');
    await vi.waitFor(() => expect(chat('one too many')).rejects.toThrow(/ECONNRESET|socket hang up/));
    for (const socket of [...idle, third]) socket.destroy();
    await vi.waitFor(async () => expect((await chat('after them')).status).toBe(200));
  });

  test('requests share one amount of memory, and give it back', async () => {
    await start({ limits: small, ...endless });
    const first = begin(own.api.port, '/v1/chat/completions');
    first.on('error', () => {});
    first.end(JSON.stringify(body('x'.repeat(9000), longest)));
    await once(first, 'response');
    expect((await chat('x'.repeat(9000), { max_tokens: 1 })).status).toBe(429);
    first.destroy();
    await vi.waitFor(async () => expect((await chat('x'.repeat(9000), { max_tokens: 1 })).status).toBe(200));
  });

  test('what is not one JSON object', async () => {
    await start();
    const send = async (sent: string | Uint8Array): Promise<unknown> => {
      const { status, json } = await ask(own.api.port, '/v1/chat/completions', { body: sent });
      return [status, (json() as { error: { code: string } }).error.code];
    };
    for (const sent of [
      '',
      '{',
      '[]',
      '"x"',
      'null',
      '{"model": NaN}',
      new Uint8Array([0x7b, 0xff, 0x7d]),
      '['.repeat(100_000),
      `[${'1,'.repeat(300_000)}1]`,
    ]) {
      expect(await send(sent)).toEqual([400, 'request_invalid']);
    }
  });

  test('ten thousand pictures', async () => {
    await start();
    const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${pixel}` } };
    const { status, json } = await chat(Array(10_000).fill(picture));
    expect([status, json()]).toMatchObject([400, { error: { message: expect.stringContaining('10000 pictures') as string } }]);
    const ollama = await ask(own.api.port, '/api/generate', { body: { model: 'demo', prompt: 'x', images: Array(10_000).fill(pixel) } });
    expect(ollama.status).toBe(400);
  });

  test('who does not read is let go of', async () => {
    // More than the system keeps for a connection by itself.
    await start({ limits: { ...small, unread: 2_000_000 }, answer: () => `${'x'.repeat(200_000)} `.repeat(500) });
    const engine = watchEngine();
    const request = begin(own.api.port, '/v1/chat/completions');
    request.on('error', () => {});
    request.end(JSON.stringify(body('Why?', longest)));
    await once(request, 'response');
    await vi.waitFor(() => expect(engine.ended).toEqual(['cancelled']));
    expect((await chat('Why?', { max_tokens: 1 })).status).toBe(200);
    request.destroy();
  });
});

describe('the line', () => {
  test('beyond the number that may wait: 429, in either dialect', async () => {
    await start({ limits: { ...usualLimits, waiting: 2 }, ...endless });
    const engine = watchEngine();
    const open = (): ReturnType<typeof begin> => {
      const request = begin(own.api.port, '/v1/chat/completions');
      request.on('error', () => {});
      request.end(JSON.stringify(body('Why?', longest)));
      return request;
    };
    const running = open();
    await vi.waitFor(() => expect(engine.running).toBe(1));
    const waiting = [open(), open()];
    await vi.waitFor(async () => {
      const { status, headers, json } = await ask(own.api.port, '/api/generate', {
        body: { model: 'demo', prompt: 'x', options: { num_predict: 1 } },
      });
      expect([status, headers['retry-after'], json()]).toEqual([
        429,
        '1',
        { error: expect.stringContaining('2 requests are waiting') as string },
      ]);
    });
    expect((await chat()).json()).toMatchObject({ error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' } });
    for (const request of [...waiting, running]) request.destroy();
    await vi.waitFor(async () => expect((await chat('Why?', { max_tokens: 1 })).status).toBe(200));
  });

  test('who leaves is cancelled, and who waits and leaves is never asked', async () => {
    await start(endless);
    const engine = watchEngine();
    const request = begin(own.api.port, '/v1/chat/completions');
    request.on('error', () => {});
    request.end(JSON.stringify(body('Why?', longest)));
    await once(request, 'response');
    const waiting = begin(own.api.port, '/v1/chat/completions');
    waiting.on('error', () => {});
    waiting.end(JSON.stringify(body('Why?', longest)));
    await once(waiting, 'finish');
    waiting.destroy();
    // Answered after the server has seen that it left.
    for (let round = 0; round < 2; round++) await ask(own.api.port, '/', { method: 'GET' });
    request.destroy();
    await vi.waitFor(() => expect(engine).toEqual({ running: 0, ended: ['cancelled'] }));
  });

  test('the person goes first, whatever programs asked before', async () => {
    await start();
    const order: string[] = [];
    const generate = own.port.generate;
    const asked = Promise.withResolvers<void>();
    own.port.generate = async (request, listeners) => {
      const [part] = request.messages.at(-1)!.content;
      order.push(part?.type === 'text' ? part.text : '');
      await asked.promise;
      return generate(request, listeners);
    };
    const programs = ['p1', 'p2', 'p3'].map((text) => chat(text));
    await vi.waitFor(() => expect(order).toEqual(['p1']));
    const person = (text: string): Promise<unknown> =>
      own.engine.use(new AbortController().signal, (port) =>
        port.generate({ messages: [{ role: 'user', content: [{ type: 'text', text }] }], maxTokens: 5 }),
      );
    const all = [person('mine'), person('mine too'), ...programs];
    asked.resolve();
    await Promise.all(all);
    expect(order).toEqual(['p1', 'mine', 'mine too', 'p2', 'p3']);
  });

  test('many at once: every answer goes to who asked', async () => {
    await start();
    const texts = Array.from({ length: 64 }, (_, index) => `Question ${index}?`);
    const answers = await Promise.all(texts.map((text, index) => chat(text, { stream: index % 2 === 0 })));
    expect(answers.map(({ status }) => status)).toEqual(texts.map(() => 200));
    answers.forEach(({ text }, index) => expect(text).toContain(`${index % 2 === 0 ? ` ${index}?` : texts[index]!}`));
  });
});

test('what is no HTTP ends a connection, not the server', async () => {
  await start();
  const socket = connect(own.api.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.end('\0\0nonsense\r\n\r\n');
  await once(socket.resume(), 'close');
  expect((await ask(own.api.port, '/', { method: 'GET' })).text).toBe('Loupe is running');
});
