/**
 * As much of the X11 protocol as it takes to ask the display's server where windows are: over its socket in the file system, with the
 * session's cookie. Words are little-endian, as the greeting says.
 * https://www.x.org/releases/X11R7.7/doc/xproto/x11protocol.html (encoding: appendix B)
 */
import { readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { entry } from '../entries.ts';

export interface XConnection {
  /** The root window of the first screen. */
  root: number;
  /** Each request has a reply. Null where the server answers with an error, as for a window that is gone. Rejects once it is closed. */
  ask(request: Buffer): Promise<Buffer | null>;
  close(): void;
}

const cookieName = 'MIT-MAGIC-COOKIE-1';
/** Every reply and event begins with this many bytes; a reply says how many follow. */
const headBytes = 32;
/** No answer to what is asked here is nearly as long. */
const mostReplyBytes = 1 << 20;

/** The number in `:0`, `:0.1` and `unix:0`; null for a display on another machine. */
export function localDisplay(display: string | undefined): string | null {
  return /^(?:unix)?:(\d{1,5})(?:\.\d+)?$/.exec(display ?? '')?.[1] ?? null;
}

export interface XOptions {
  env: NodeJS.ProcessEnv;
  /** Ends the connection. */
  signal: AbortSignal;
  /** Where servers have their sockets. */
  sockets?: string;
}

/** Rejects where there is no such server, or it lets nobody in. */
export async function connectToX(display: string, { env, signal, sockets = '/tmp/.X11-unix' }: XOptions): Promise<XConnection> {
  const cookie = findCookie(await readFile(env['XAUTHORITY'] || join(homedir(), '.Xauthority')).catch(() => Buffer.alloc(0)), display);
  const socket = createConnection({ path: join(sockets, `X${display}`), signal });
  const waiting: { resolve: (reply: Buffer | null) => void; reject: (error: Error) => void }[] = [];
  const greeted = Promise.withResolvers<number>();
  let received = Buffer.alloc(0);
  let isGreeted = false;

  function fail(error: Error): void {
    greeted.reject(error);
    for (const { reject } of waiting.splice(0)) reject(error);
    socket.destroy();
  }

  /** Takes one whole message off the front; false where more has to come. */
  function take(): boolean {
    const length = isGreeted ? messageLength(received) : greetingLength(received);
    if (length === null || received.length < length) return false;
    const message = received.subarray(0, length);
    received = received.subarray(length);
    if (!isGreeted) {
      isGreeted = true;
      greeted.resolve(rootOf(message));
    } else if (message[0]! <= 1) waiting.shift()?.resolve(message[0] === 1 ? message : null);
    // All else are events, which nobody has asked for.
    return true;
  }

  socket.on(
    'data',
    entry((data) => {
      received = Buffer.concat([received, data]);
      try {
        while (take());
      } catch (error) {
        fail(error as Error);
      }
    }),
  );
  socket.on('error', entry(fail));
  socket.on(
    'close',
    entry(() => fail(new Error('the X server has closed the connection'))),
  );
  socket.write(greeting(cookie));

  const root = await greeted.promise;
  return {
    root,
    ask(request) {
      return new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the connection to the X server is closed'));
        waiting.push({ resolve, reject });
        socket.write(request);
      });
    },
    close: () => void socket.destroy(),
  };
}

function greeting(cookie: Buffer): Buffer {
  const name = Buffer.from(cookie.length > 0 ? cookieName : '');
  const head = Buffer.alloc(12);
  head.write('l');
  head.writeUInt16LE(11, 2);
  head.writeUInt16LE(name.length, 6);
  head.writeUInt16LE(cookie.length, 8);
  return Buffer.concat([head, padded(name), padded(cookie)]);
}

function greetingLength(bytes: Buffer): number | null {
  return bytes.length < 8 ? null : 8 + bytes.readUInt16LE(6) * 4;
}

/** Throws where the server refuses. */
function rootOf(message: Buffer): number {
  if (message[0] !== 1) throw new Error(`the X server refuses: ${message.toString('latin1', 8, 8 + message[1]!).trim()}`);
  const vendor = message.readUInt16LE(24);
  const formats = message[29]!;
  return message.readUInt32LE(40 + Math.ceil(vendor / 4) * 4 + formats * 8);
}

function messageLength(bytes: Buffer): number | null {
  if (bytes.length < headBytes) return null;
  // Replies, and events of extensions.
  const isLong = bytes[0] === 1 || (bytes[0]! & 0x7f) === 35;
  const length = headBytes + (isLong ? bytes.readUInt32LE(4) * 4 : 0);
  if (length > mostReplyBytes) throw new Error(`the X server sends ${length} bytes`);
  return length;
}

export function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

/**
 * The cookie for this display in an authority file: entries of an address family, and four strings with their lengths in big-endian
 * (address, display, name, cookie). Empty where there is none; some servers ask for none.
 */
export function findCookie(file: Buffer, display: string): Buffer {
  for (let at = 0; at + 2 <= file.length;) {
    at += 2;
    const fields: Buffer[] = [];
    for (let field = 0; field < 4; field++) {
      if (at + 2 > file.length) return Buffer.alloc(0);
      const length = file.readUInt16BE(at);
      fields.push(file.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    const [, number, name, cookie] = fields as [Buffer, Buffer, Buffer, Buffer];
    const isFor = number.length === 0 || number.toString('latin1') === display;
    if (isFor && name.toString('latin1') === cookieName) return cookie;
  }
  return Buffer.alloc(0);
}
