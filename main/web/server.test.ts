import { mkdtempSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectRaw } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { createApp, type App } from '../app.ts';
import { createFakeEngine } from '../engine/test/fake-engine.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { createDocumentReader } from '../documents/document-client.ts';
import { createTextRecogniser } from '../ocr/ocr-client.ts';
import { demoModel } from '../host/paths.ts';
import { openStore } from '../storage/store.ts';
import { browserCapture } from './browser-capture.ts';
import { mostUnread, startWebHost, type WebHost } from './server.ts';
import { askRaw, enter, httpGet, openSocket, type HttpAnswer } from './test/web-client.ts';

let directory: string;
let app: App;
let host: WebHost;
let cookie: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-web-'));
  const rendererDirectory = join(directory, 'renderer');
  mkdirSync(join(rendererDirectory, 'assets'), { recursive: true });
  writeFileSync(join(rendererDirectory, 'index.html'), '<!doctype html><title>Loupe</title>');
  writeFileSync(join(rendererDirectory, 'assets', 'app-1234.js'), 'void 0;');
  writeFileSync(join(directory, 'secret.html'), 'secret');
  app = createApp({
    store: openStore(join(directory, 'data')),
    engine: createFakeEngine(),
    pictures: createPictureWorker(),
    documents: createDocumentReader(),
    ocr: createTextRecogniser(),
    capture: browserCapture,
    host: {
      kind: 'web',
      version: '1',
      dataDirectory: directory,
      logsDirectory: directory,
      demoModel,
      licences: async () => [],
      openFolder: async () => false,
      openMain: () => {},
    },
  });
  host = await startWebHost({ app, rendererDirectory });
  ({ cookie } = await enter(host.link()));
});
afterAll(async () => {
  await host.close();
  await app.close();
  rmSync(directory, { recursive: true });
});

const get = (path: string, headers: Record<string, string>, method = 'GET'): Promise<HttpAnswer> =>
  httpGet(host.port, path, headers, method);
const origin = (): string => `http://127.0.0.1:${host.port}`;
const connect = (headers: Record<string, string>, path?: string): Promise<WebSocket | null> => openSocket(host.port, headers, path);

describe('who may come in', () => {
  test('a link works once and leaves a cookie that scripts cannot read', async () => {
    const path = host.link(7).slice(origin().length);
    const first = await get(path, {});
    expect(first).toMatchObject({ status: 303, headers: { location: '/?conversation=7' } });
    expect(String(first.headers['set-cookie'])).toMatch(/HttpOnly; SameSite=Strict/);
    expect(await get(path, {})).toMatchObject({ status: 403, body: expect.stringContaining('already used') as string });
    // Who is in already is not turned away by an old link.
    expect(await get(path, { cookie })).toMatchObject({ status: 303 });
    // And no link leads elsewhere.
    expect((await get('//a//evil.example/?token=x', { cookie })).headers['location']).toBe('/');
  });

  test('without the cookie, with a wrong one, under another name, or from another page: nobody', async () => {
    expect((await get('/', { cookie })).status).toBe(200);
    expect((await get('/', {})).status).toBe(403);
    expect((await get('/', { cookie: `${cookie}x` })).status).toBe(403);
    expect((await get('/?token=guess', {})).status).toBe(403);
    expect((await get('/', { cookie, host: `evil.example:${host.port}` })).status).toBe(403);
    expect((await get('/', { cookie, origin: 'https://evil.example' })).status).toBe(403);
    expect((await get('/', { cookie }, 'POST')).status).toBe(405);
  });

  test('a socket needs cookie, origin, host and path', async () => {
    const socket = await connect({ cookie, origin: origin() });
    expect(socket).not.toBeNull();
    socket!.terminate();
    expect(await connect({ origin: origin() })).toBeNull();
    expect(await connect({ cookie })).toBeNull();
    expect(await connect({ cookie, origin: 'https://evil.example' })).toBeNull();
    expect(await connect({ cookie, origin: origin(), host: 'evil.example' })).toBeNull();
    expect(await connect({ cookie, origin: origin() }, '/other')).toBeNull();
  });
});

describe('those who leave early', () => {
  function leave(head: string, when: 'sent' | 'first bytes'): Promise<void> {
    return new Promise((resolve) => {
      const raw = connectRaw(host.port, '127.0.0.1', () => {
        raw.write(`${head}\r\nHost: 127.0.0.1:${host.port}\r\nCookie: ${cookie}\r\n\r\n`);
        if (when === 'sent') setImmediate(() => raw.resetAndDestroy());
      });
      raw.on('error', () => {}).once('close', () => resolve());
      if (when === 'first bytes') raw.once('data', () => raw.destroy());
    });
  }

  test('a refused socket that is reset ends nothing', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtException', note);
    try {
      for (let time = 0; time < 50; time++) await leave('GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket', 'sent');
      await sleep(100);
    } finally {
      process.off('uncaughtException', note);
    }
    expect(uncaught).toEqual([]);
    expect((await get('/', { cookie })).status).toBe(200);
  });

  test('a window that stopped reading is let go before it fills the memory', async () => {
    const socket = (await connect({ cookie, origin: origin() }))!;
    (socket as unknown as { _socket: { pause: () => void } })._socket.pause();
    const closed = new Promise((resolve) => socket.once('close', resolve).once('error', () => {}));
    const text = 'x'.repeat(8 * 1024 * 1024);
    for (let sent = 0; sent < 3 * mostUnread; sent += text.length) {
      app.emit({ event: 'answer.text', payload: { messageId: 1, conversationId: 1, offset: 0, text } });
      await sleep(1);
    }
    (socket as unknown as { _socket: { resume: () => void } })._socket.resume();
    await closed;
  });

  test.runIf(process.platform === 'linux')('a file that was not read to its end is closed', async () => {
    const large = join(directory, 'renderer', 'large.js');
    writeFileSync(large, Buffer.alloc(50_000_000));
    await leave('GET /large.js HTTP/1.1', 'first bytes');
    await vi.waitFor(() => expect(openFiles()).not.toContain(large));
    rmSync(large);
  });
});

/** Of this process; Linux only. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
}

describe('files', () => {
  test('the page under a strict policy; built files for ever', async () => {
    const page = await get('/', { cookie });
    expect(page.body).toContain('<title>Loupe</title>');
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain('unsafe-eval');
    expect(page.headers['cache-control']).toBe('no-store');
    expect((await get('/assets/app-1234.js', { cookie })).headers['cache-control']).toContain('immutable');
  });

  test.each([
    '/../secret.html',
    '/..%2fsecret.html',
    '/assets/..%2f..%2fsecret.html',
    '/%2e%2e/secret.html',
    '//etc/passwd',
    '/index.html%00.js',
    '/missing.js',
    '/assets',
    '//',
    '///',
  ])('%s is not there', async (path) => {
    const answer = await get(path, { cookie });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body).not.toContain('secret\n');
  });

  test('a broken address is no fault of ours', async () => {
    expect((await get('/%E0%A4%A', { cookie })).status).toBe(404);
  });
});

describe('requests', () => {
  let socket: WebSocket;
  beforeAll(async () => {
    socket = (await connect({ cookie, origin: origin() }))!;
  });

  test('are answered, with bytes going in and pictures coming out', async () => {
    const bytes = readFileSync(join(demoModel, 'samples', 'train-font-05.png'));
    const added = (await askRaw(socket, 'pictures.add', { bytes: new Uint8Array(bytes), name: 'a.png', kind: 'paste' })) as {
      ok: boolean;
      output: { hash: string };
    };
    expect(added.ok).toBe(true);
    const full = await get(`/pictures/${added.output.hash}`, { cookie });
    expect(full).toMatchObject({ status: 200, headers: { 'content-type': 'image/png', 'content-length': String(bytes.length) } });
    expect(await get(`/pictures/${added.output.hash}/thumb`, { cookie })).toMatchObject({
      status: 200,
      headers: { 'content-type': 'image/webp' },
    });
    expect((await get(`/pictures/${added.output.hash}`, {})).status).toBe(403);
    expect((await get(`/pictures/${'0'.repeat(64)}`, { cookie })).status).toBe(404);
    expect((await get('/documents/1/1/640', {})).status).toBe(403);
    expect((await get('/documents/1/1/640', { cookie })).status).toBe(404);
  });

  test('fail in words', async () => {
    expect(await askRaw(socket, 'conversations.open', { id: 999 })).toMatchObject({ ok: false, code: 'not_found' });
    expect(await askRaw(socket, 'conversations.open', { id: 'x' })).toMatchObject({
      ok: false,
      code: 'protocol',
      message: expect.stringContaining('id') as string,
    });
    expect(await askRaw(socket, 'app.quit', {})).toMatchObject({ ok: false, code: 'protocol' });
    expect(await askRaw(socket, 'toString', {})).toMatchObject({ ok: false, code: 'protocol' });
  });

  test('events reach every window', async () => {
    const second = (await connect({ cookie, origin: origin() }))!;
    const heard = new Promise((resolve) => second.once('message', (data: Buffer) => resolve(JSON.parse(data.toString()))));
    await askRaw(socket, 'settings.set', { theme: 'dark' });
    expect(await heard).toMatchObject({ event: 'settings.changed', payload: { theme: 'dark' } });
    second.terminate();
  });

  test.each(['nonsense', '{"name":"app.info"}', '[]', 'null', '7'])(
    'a frame that is not a request (%s) ends the connection',
    async (frame) => {
      const other = (await connect({ cookie, origin: origin() }))!;
      const closed = new Promise((resolve) => other.once('close', resolve));
      other.send(frame);
      expect(await closed).toBe(1002);
    },
  );
});
