import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectToX, findCookie, localDisplay, type XConnection } from './connection.ts';

let sockets: string;
let server: Server | null = null;
beforeEach(() => {
  sockets = mkdtempSync(join(tmpdir(), 'loupe-x-'));
});
afterEach(() => {
  server?.close();
  server = null;
  rmSync(sockets, { recursive: true, force: true });
});

/** An X server that answers as it is told; resolves with what it was sent. */
async function listen(answer: (socket: Socket, sent: Buffer) => void): Promise<void> {
  server = createServer((socket) => {
    socket.on('data', (sent) => answer(socket, sent));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server!.listen(join(sockets, 'X7'), resolve));
}

const connect = (signal = new AbortController().signal): Promise<XConnection> =>
  connectToX('7', { env: { XAUTHORITY: join(sockets, 'authority') }, signal, sockets });

function string(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
}
const authority = (number: string, name: string, cookie: string): Buffer =>
  Buffer.concat([Buffer.of(1, 0), string('host'), string(number), string(name), string(cookie)]);

/** A vendor of five letters, two formats, and a screen with this root. */
function welcome(root: number): Buffer {
  const rest = Buffer.alloc(32 + 8 + 2 * 8 + 4);
  rest.writeUInt16LE(5, 16);
  rest[21] = 2;
  rest.writeUInt32LE(root, 32 + 8 + 2 * 8);
  const head = Buffer.alloc(8);
  head[0] = 1;
  head.writeUInt16LE(rest.length / 4, 6);
  return Buffer.concat([head, rest]);
}

function message(kind: number, more = 0): Buffer {
  const bytes = Buffer.alloc(32 + more * 4, kind === 1 ? 7 : 0);
  bytes[0] = kind;
  bytes.writeUInt32LE(more, 4);
  return bytes;
}

test.each([
  [':0', '0'],
  [':12.3', '12'],
  ['unix:5', '5'],
  ['far.example:0', null],
  ['localhost:10.0', null],
  ['', null],
  [undefined, null],
])('%s is the local display %s', (given, number) => {
  expect(localDisplay(given)).toBe(number);
});

describe('the cookie', () => {
  const file = Buffer.concat([
    authority('3', 'MIT-MAGIC-COOKIE-1', 'third'),
    authority('7', 'XDM-AUTHORIZATION-1', 'other'),
    authority('7', 'MIT-MAGIC-COOKIE-1', 'seventh'),
    authority('', 'MIT-MAGIC-COOKIE-1', 'any'),
  ]);
  test.each([
    ['7', 'seventh'],
    ['3', 'third'],
    ['9', 'any'],
  ])('for display %s is "%s"', (display, cookie) => {
    expect(findCookie(file, display).toString()).toBe(cookie);
  });

  test('of a file that is cut off, or empty, is none, wherever it ends', () => {
    const short = authority('7', 'MIT-MAGIC-COOKIE-1', 'seventh');
    for (let length = 0; length < short.length - 'seventh'.length; length++)
      expect(findCookie(short.subarray(0, length), '7')).toHaveLength(0);
  });
});

test('it greets with the cookie, and answers come to who asked, in whatever pieces, past events and errors', async () => {
  writeFileSync(join(sockets, 'authority'), authority('7', 'MIT-MAGIC-COOKIE-1', 'sixteen of those'));
  const sent: Buffer[] = [];
  await listen((socket, bytes) => {
    sent.push(bytes);
    if (sent.length === 1) return void socket.write(welcome(0x50d));
    const all = Buffer.concat([message(12), message(1, 3), message(35, 2), message(0), message(1)]);
    for (let at = 0; at < all.length; at += 7) socket.write(all.subarray(at, at + 7));
  });
  const connection = await connect();
  expect(connection.root).toBe(0x50d);
  expect(sent[0]!.toString('latin1')).toContain('MIT-MAGIC-COOKIE-1\0\0sixteen of those');
  const [first, second, third] = await Promise.all([1, 2, 3].map((opcode) => connection.ask(Buffer.of(opcode, 0, 1, 0))));
  expect([first?.length, second, third?.length]).toEqual([44, null, 32]);
  connection.close();
});

test.each<[string, (socket: Socket) => void]>([
  [
    'refuses',
    (socket) => {
      const refusal = Buffer.concat([Buffer.of(0, 6, 11, 0, 0, 0, 2, 0), Buffer.from('No way\0\0')]);
      socket.write(refusal);
    },
  ],
  ['goes away', (socket) => socket.destroy()],
])('a server that %s is an error', async (_how, act) => {
  await listen(act);
  await expect(connect()).rejects.toThrow(/refuses: No way|closed the connection/);
});

test('a server that ends, or claims an answer without end, ends what was asked', async () => {
  for (const answer of ['end', 'endless']) {
    let greeted = false;
    await listen((socket) => {
      if (!greeted) socket.write(welcome(1));
      else if (answer === 'end') socket.destroy();
      else socket.write(Buffer.concat([message(1), Buffer.alloc(0)]).fill(255, 4, 8));
      greeted = true;
    });
    const connection = await connect();
    await expect(connection.ask(Buffer.of(15, 0, 1, 0))).rejects.toThrow(/closed the connection|sends \d+ bytes/);
    await expect(connection.ask(Buffer.of(15, 0, 1, 0))).rejects.toThrow('closed');
    await new Promise((resolve) => server!.close(resolve));
  }
});

test('no server, and one that never answers, are errors', async () => {
  await expect(connect()).rejects.toThrow('ENOENT');
  await listen(() => {});
  const leave = new AbortController();
  const late = connect(leave.signal);
  leave.abort();
  await expect(late).rejects.toThrow();
});
