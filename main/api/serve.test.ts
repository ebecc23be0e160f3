import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, expect, test } from 'vitest';
import { createFakeEngine } from '../engine/test/fake-engine.ts';
import { openStore } from '../storage/store.ts';
import { serveApi, type ApiServeOptions, type ServedApi } from './serve.ts';
import { ask, pixel } from './test/own-api.ts';

const folder = mkdtempSync(join(tmpdir(), 'loupe-api-'));
afterAll(() => rmSync(folder, { recursive: true }));

const serve = (options: Partial<ApiServeOptions> = {}): Promise<ServedApi> =>
  serveApi({ startEngine: () => createFakeEngine(), version: '1.2.3', dataDirectory: join(folder, 'data'), port: 0, ...options });

test('a key of one’s own, or a new one each time', async () => {
  const first = await serve();
  await first.close();
  const second = await serve();
  await second.close();
  expect(first.key).toMatch(/^[\w-]{43}$/);
  expect(second.key).not.toBe(first.key);
  const own = await serve({ key: 'my-own-key-012345' });
  await own.close();
  expect(own.key).toBe('my-own-key-012345');
  for (const key of ['', 'short', 'with a space in the key', 'with/slash/in/the/key', 'schlüssel-mit-umlaut']) {
    await expect(serve({ key })).rejects.toMatchObject({ code: 'usage' });
  }
});

test('a port that is taken, and a folder that is: each is free again afterwards', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
  await expect(serve({ port: (other.address() as AddressInfo).port })).rejects.toMatchObject({ code: 'port_unavailable' });
  other.close();
  const served = await serve();
  await expect(serve()).rejects.toMatchObject({ code: 'store_locked' });
  await served.close();
  openStore(join(folder, 'data')).close();
});

test('nothing of what is asked or answered is kept', async () => {
  const dataDirectory = join(folder, 'unkept');
  const served = await serve({ dataDirectory });
  const headers = { authorization: `Bearer ${served.key}` };
  const body = { model: 'demo', prompt: 'a question about zebras', images: [pixel], stream: false };
  expect((await ask(served.port, '/api/generate', { headers, body })).json()).toMatchObject({
    response: 'You asked: a question about zebras I was given 1 picture.',
  });
  await ask(served.port, '/api/generate', { headers, body: { ...body, format: 'zebras' } });
  await served.close();
  for (const name of readdirSync(dataDirectory, { recursive: true, withFileTypes: true })) {
    if (name.isFile()) expect(readFileSync(join(name.parentPath, name.name)).includes('zebras')).toBe(false);
  }
  const store = openStore(dataDirectory);
  expect(store.conversations.list()).toEqual([]);
  store.close();
  expect(existsSync(join(dataDirectory, 'pictures'))).toBe(false);
});

test('what a program asks to be kept becomes a conversation, with the picture that was seen', async () => {
  const dataDirectory = join(folder, 'kept');
  const served = await serve({ dataDirectory });
  const png = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'white' } })
    .png()
    .toBuffer();
  const picture = png.toString('base64');
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello there' },
    { role: 'assistant', content: 'Hello.' },
    { role: 'user', content: 'What is this?', images: [pixel, picture] },
  ];
  const headers = { authorization: `Bearer ${served.key}` };
  const chat = async (more: object): Promise<unknown> =>
    (await ask(served.port, '/api/chat', { headers, body: { model: 'demo', messages, stream: false, ...more } })).json();
  expect(await chat({ store: true })).toMatchObject({ loupe: { pictures: { given: 2, seen: [2] }, kept: { conversation: 1 } } });
  // A file that the fake engine takes and nobody can show is not kept; the answer is given all the same.
  const nonsense = [{ role: 'user', content: 'And this?', images: ['aGVsbG8='] }];
  expect(await chat({ store: true, messages: nonsense })).toMatchObject({
    message: { content: 'You asked: And this? I was given 1 picture.' },
    loupe: { kept: { conversation: null, failure: expect.stringContaining('not a picture') as string } },
  });
  const body = { model: 'demo', store: true, messages: [{ role: 'user', content: 'In the other dialect' }] };
  const other = await ask(served.port, '/v1/chat/completions', { headers, body });
  expect(other.json()).toMatchObject({ loupe: { kept: { conversation: 2 } } });
  const long = await ask(served.port, '/v1/chat/completions', { headers, body: { ...body, messages: Array(201).fill(body.messages[0]) } });
  expect(long.json()).toMatchObject({ error: { code: 'request_invalid', message: expect.stringContaining('at most 200') as string } });
  await served.close();

  const store = openStore(dataDirectory);
  expect(store.conversations.list().map(({ title }) => title)).toEqual(['In the other dialect', 'What is this?']);
  const all = store.conversations.open(1).messages;
  expect(all.map(({ role, text, state, pictures, model }) => [role, text, state, pictures.length, model])).toEqual([
    ['user', 'Hello there', 'complete', 0, null],
    ['assistant', 'Hello.', 'complete', 0, null],
    ['user', 'What is this?', 'complete', 1, null],
    ['assistant', 'You asked: What is this? I was given 1 picture.', 'complete', 0, 'Demo model'],
  ]);
  expect(all[2]!.pictures[0]).toMatchObject({ width: 40, height: 30 });
  store.close();
});
