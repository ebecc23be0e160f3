import { mkdtempSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect as connectRaw, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { createApp, type App } from '../app.ts';
import { demoModel } from '../host/paths.ts';
import { testPorts } from '../test/test-ports.ts';
import { createAccess, type Session } from './access.ts';
import { mostUnread, startWebHost, type WebHost } from './server.ts';
import { askRaw, askSession, enter, httpGet, ofPage, openSocket, tokenOf, type HttpAnswer, type SocketHeaders } from './test/web-client.ts';

let directory: string;
let app: App;
let host: WebHost;
let session: Session;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-web-'));
  const rendererDirectory = join(directory, 'renderer');
  mkdirSync(join(rendererDirectory, 'assets'), { recursive: true });
  writeFileSync(join(rendererDirectory, 'index.html'), '<!doctype html><title>Loupe</title>');
  writeFileSync(join(rendererDirectory, 'assets', 'app-1234.js'), 'void 0;');
  writeFileSync(join(directory, 'secret.html'), 'secret');
  app = createApp(testPorts(join(directory, 'data')));
  host = await startWebHost({ app, rendererDirectory });
  session = await enter(host.link());
});
afterAll(async () => {
  await host.close();
  await app.close();
  rmSync(directory, { recursive: true });
});

const get = (path: string, headers: Record<string, string>, method = 'GET'): Promise<HttpAnswer> =>
  httpGet(host.port, path, headers, method);
const origin = (): string => `http://127.0.0.1:${host.port}`;
const connect = (headers: SocketHeaders, path?: string): Promise<WebSocket | null> => openSocket(host.port, headers, path);

describe('who may come in', () => {
  test('a link works once, and says so to the second', async () => {
    const link = new URL(host.link(7));
    expect(link.pathname + link.search).toBe('/?conversation=7');
    const first = await askSession(host.port, tokenOf(link.href));
    expect(first.status).toBe(200);
    const { key } = JSON.parse(first.body) as { key: string };
    expect(await askSession(host.port, tokenOf(link.href))).toMatchObject({ status: 409 });
    // The key lets the same window in again, as after it was reloaded.
    expect((await askSession(host.port, key)).body).toBe(first.body);
  });

  test('what is sent to a browser leaves nothing that it would send by itself', async () => {
    for (const answer of [await get('/', {}), await askSession(host.port, tokenOf(host.link()))])
      expect(answer.headers).not.toHaveProperty('set-cookie');
  });

  test('without a token, with a wrong one, under another name, or from another page: nobody', async () => {
    for (const wrong of ['', 'guess', 'x'.repeat(43), `${session.key}x`, session.pictures])
      expect((await askSession(host.port, wrong)).status).toBe(403);
    for (const headers of [
      { host: `evil.example:${host.port}` },
      { origin: 'https://evil.example' },
      { origin: `http://127.0.0.1:${host.port + 1}` },
    ])
      expect((await askSession(host.port, session.key, headers)).status).toBe(403);
    // Programs leave the origin out; our page never does.
    expect((await get('/session', { authorization: `Loupe ${session.key}` }, 'POST')).status).toBe(403);
    expect((await get('/session', { authorization: `Loupe ${session.key}` })).status).toBe(403);
    expect((await get('/', { host: `evil.example:${host.port}` })).status).toBe(403);
    expect((await get('/', {}, 'POST')).status).toBe(405);
    expect((await get('/session', { origin: origin() }, 'OPTIONS')).status).toBe(403);
  });

  test('a socket needs the key, origin, host and path', async () => {
    const page = ofPage(host.port, session.key);
    const socket = await connect(page);
    expect(socket!.protocol).toBe('loupe');
    socket!.terminate();
    expect(await connect({ origin: origin() })).toBeNull();
    expect(await connect({ key: session.key })).toBeNull();
    expect(await connect({ ...page, key: session.pictures })).toBeNull();
    expect(await connect({ ...page, origin: 'https://evil.example' })).toBeNull();
    expect(await connect({ ...page, origin: `http://127.0.0.1:${host.port + 1}` })).toBeNull();
    expect(await connect({ ...page, host: 'evil.example' })).toBeNull();
    expect(await connect(page, '/other')).toBeNull();
  });

  test('sessions end when no window was open for long, and only the newest are kept', () => {
    let now = 0;
    const access = createAccess(80, () => now);
    const of = (secret: string): IncomingMessage =>
      ({
        headers: {
          host: '127.0.0.1:80',
          origin: 'http://127.0.0.1:80',
          authorization: `Loupe ${secret}`,
          'sec-websocket-protocol': `loupe, session.${secret}`,
        },
        url: '/socket',
      }) as unknown as IncomingMessage;
    const begin = (): Session => access.enter(of(access.newToken())) as Session;
    const [open, idle] = [begin(), begin()];
    const leave = access.connect(of(open.key))!;
    const hours = 60 * 60 * 1000;
    now = 13 * hours;
    expect(access.enter(of(idle.key))).toBe('unknown');
    expect(access.mayShowPictures(idle.pictures)).toBe(false);
    expect(access.mayShowPictures(open.pictures)).toBe(true);
    leave();
    now += 11 * hours;
    expect(access.enter(of(open.key))).toMatchObject(open);
    now += 2 * hours;
    expect(access.enter(of(open.key))).toBe('unknown');
    const many = Array.from({ length: 40 }, begin);
    expect(many.filter(({ key }) => access.enter(of(key)) !== 'unknown')).toEqual(many.slice(-32));
  });

  test('connections that send nothing do not pile up', async () => {
    const raw = await Promise.all(
      Array.from(
        { length: 200 },
        () =>
          new Promise<boolean>((resolve) => {
            const socket = connectRaw(host.port, '127.0.0.1');
            opened.push(socket);
            socket.once('close', () => resolve(false)).on('error', () => {});
            setTimeout(() => resolve(true), 500);
          }),
      ),
    );
    expect(raw.filter(Boolean).length).toBeLessThanOrEqual(128);
    for (const socket of opened.splice(0)) socket.destroy();
    await vi.waitFor(async () => expect((await get('/', {})).status).toBe(200));
  });
});

const opened: Socket[] = [];

describe('those who leave early', () => {
  function leave(head: string, when: 'sent' | 'first bytes'): Promise<void> {
    return new Promise((resolve) => {
      const raw = connectRaw(host.port, '127.0.0.1', () => {
        raw.write(`${head}\r\nHost: 127.0.0.1:${host.port}\r\n\r\n`);
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
    expect((await get('/', {})).status).toBe(200);
  });

  test('a window that stopped reading is let go before it fills the memory', async () => {
    const socket = (await connect(ofPage(host.port, session.key)))!;
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
    const page = await get('/', {});
    expect(page.body).toContain('<title>Loupe</title>');
    const policy = String(page.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain('unsafe-eval');
    expect(page.headers['cache-control']).toBe('no-store');
    expect((await get('/assets/app-1234.js', {})).headers['cache-control']).toContain('immutable');
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
    const answer = await get(path, {});
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body).not.toContain('secret\n');
  });

  test('a broken address is no fault of ours', async () => {
    expect((await get('/%E0%A4%A', {})).status).toBe(404);
  });
});

describe('requests', () => {
  let socket: WebSocket;
  beforeAll(async () => {
    socket = (await connect(ofPage(host.port, session.key)))!;
  });

  test('are answered, with bytes going in and pictures coming out', async () => {
    const bytes = readFileSync(join(demoModel, 'samples', 'train-font-05.png'));
    const added = (await askRaw(socket, 'pictures.add', { bytes: new Uint8Array(bytes), name: 'a.png', kind: 'paste' })) as {
      ok: boolean;
      output: { hash: string };
    };
    expect(added.ok).toBe(true);
    const key = `?key=${session.pictures}`;
    const full = await get(`/pictures/${added.output.hash}${key}`, {});
    expect(full).toMatchObject({ status: 200, headers: { 'content-type': 'image/png', 'content-length': String(bytes.length) } });
    // What is deleted stays in no cache of a browser.
    expect(full.headers['cache-control']).toBe('no-store');
    expect(await get(`/pictures/${added.output.hash}/thumb${key}`, {})).toMatchObject({
      status: 200,
      headers: { 'content-type': 'image/webp', 'cache-control': 'no-store' },
    });
    for (const wrong of ['', '?key=', '?key=guess', `?key=${session.key}`])
      for (const path of [`/pictures/${added.output.hash}`, '/documents/1/1/640'])
        expect((await get(`${path}${wrong}`, {})).status).toBe(403);
    expect((await get(`/pictures/${'0'.repeat(64)}${key}`, {})).status).toBe(404);
    expect((await get(`/documents/1/1/640${key}`, {})).status).toBe(404);
  });

  test('fail in words', async () => {
    expect(await askRaw(socket, 'conversations.open', { id: 999 })).toMatchObject({ ok: false, code: 'not_found' });
    expect(await askRaw(socket, 'conversations.open', { id: 'x' })).toMatchObject({
      ok: false,
      code: 'protocol',
      message: expect.stringContaining('id') as string,
    });
    expect(await askRaw(socket, 'app.explode', {})).toMatchObject({ ok: false, code: 'protocol' });
    expect(await askRaw(socket, 'app.quit', {})).toMatchObject({
      ok: false,
      code: 'usage',
      message: 'Loupe in a browser ends in the terminal that started it.',
    });
    expect(await askRaw(socket, 'toString', {})).toMatchObject({ ok: false, code: 'protocol' });
  });

  test('events reach every window', async () => {
    const second = (await connect(ofPage(host.port, session.key)))!;
    const heard = new Promise((resolve) => second.once('message', (data: Buffer) => resolve(JSON.parse(data.toString()))));
    await askRaw(socket, 'settings.set', { theme: 'dark' });
    expect(await heard).toMatchObject({ event: 'settings.changed', payload: { theme: 'dark' } });
    second.terminate();
  });

  test.each(['nonsense', '{"name":"app.info"}', '[]', 'null', '7', '['.repeat(20_000_000)])(
    'a frame that is not a request (%.30s) ends the connection',
    async (frame) => {
      const other = (await connect(ofPage(host.port, session.key)))!;
      const closed = new Promise((resolve) => other.once('close', resolve));
      other.send(frame);
      expect(await closed).toBe(1002);
    },
  );
});
