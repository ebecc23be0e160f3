/**
 * The loopback host: the app for a browser on this machine only.
 *
 * It listens on 127.0.0.1 only. The window itself is no secret and anybody gets it; what it shows comes through a connection that needs
 * the key of a session, the right Host (against DNS rebinding) and the right Origin (against other pages). A link brings a token in
 * its fragment, which no request carries, and the page exchanges it, once, for a session.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { WebSocketServer, type WebSocket } from 'ws';
import type { App } from '../app.ts';
import { limits, pageAddress } from '../contract.ts';
import { dispatch } from '../dispatch.ts';
import { toLoupeError } from '../errors.ts';
import { listenHere } from '../host/listen.ts';
import { contentSecurityPolicy } from '../host/page-policy.ts';
import { staticFile } from '../host/static-files.ts';
import type { StoredFile } from '../services/ports.ts';
import { createAccess, protocol, type Access } from './access.ts';
import { decodeFrame, encodeFrame } from './frames.ts';

export interface WebHostOptions {
  app: App;
  /** The built window. */
  rendererDirectory: string;
  /** 0 = any free one. */
  port?: number;
  onFault?: (error: unknown) => void;
}

export interface WebHost {
  readonly port: number;
  /** A link that opens the app once. Each call makes another one. */
  link(conversationId?: number): string;
  /** That are connected now. */
  windows(): number;
  close(): Promise<void>;
}

/** Base64 takes a third more, and a little around it. */
const longestFrame = Math.ceil(limits.pictureBytes * 1.4);
/** For browsers without a session, and how another Loupe recognises this one. */
export const withoutSession = 'Open Loupe with the link that it printed in the terminal.';
/** Browsers open six connections to a host, and a window one more; the rest is for several browsers. */
const mostConnections = 128;
/** For a request's head, and for all of it, ms. A connection that sends nothing costs a file handle for no longer. */
const patience = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2_000 };
/** Bytes that a window may leave unread: one that hangs would fill the memory. It reconnects, and asks for what it missed. */
export const mostUnread = 64 * 1024 * 1024;

/** Throws `port_unavailable`. */
export async function startWebHost({ app, rendererDirectory, port: wantedPort = 0, onFault = () => {} }: WebHostOptions): Promise<WebHost> {
  const server = createServer(patience, (request, response) => {
    servePage(request, response, { app, rendererDirectory, access }).catch((error: unknown) => {
      onFault(error);
      if (!response.headersSent) say(response, 500, 'Loupe could not answer this. Reload the page.');
      else response.destroy();
    });
  });
  server.maxConnections = mostConnections;
  const port = await listenHere(server, wantedPort);
  const access = createAccess(port);
  server.on('error', onFault);
  const sockets = serveSockets(server, { app, access, onFault });

  return {
    port,
    link: (conversationId) => {
      const conversation = conversationId === undefined ? '' : `?conversation=${conversationId}`;
      return `http://127.0.0.1:${port}/${conversation}#token=${access.newToken()}`;
    },
    windows: sockets.count,
    async close() {
      sockets.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

// --- pages and files

interface PageOptions extends Pick<WebHostOptions, 'app' | 'rendererDirectory'> {
  access: Access;
}

async function servePage(
  request: IncomingMessage,
  response: ServerResponse,
  { app, rendererDirectory, access }: PageOptions,
): Promise<void> {
  response.setHeader('Content-Security-Policy', contentSecurityPolicy);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  if (!access.isOurHost(request) || !access.isOurOrigin(request)) return say(response, 403, 'Other pages may not use this address.');
  const url = URL.parse(request.url ?? '/', `http://${request.headers.host}`);
  if (!url) return say(response, 404, 'There is nothing here.');
  if (url.pathname === '/session') return giveSession(request, response, access);
  if (request.method !== 'GET' && request.method !== 'HEAD') return say(response, 405, 'Only GET is supported here.');

  const picture = /^\/pictures\/([0-9a-f]{64})(\/thumb)?$/.exec(url.pathname);
  const page = pageAddress.exec(url.pathname);
  if (!picture && !page) return serveRenderer(response, rendererDirectory, url.pathname);
  if (!access.mayShowPictures(url.searchParams.get('key'))) return say(response, 403, withoutSession);
  // What is deleted leaves nothing in a browser's cache; what is shown again comes from the disk of the same machine.
  response.setHeader('Cache-Control', 'no-store');
  if (picture) {
    const file = shownPicture(app, picture[1]!, picture[2] ? 'thumb' : 'full');
    if (!file) return say(response, 404, 'This picture is not stored here.');
    return 'path' in file ? sendFile(response, file.path, file.mediaType) : sendBytes(response, file.bytes, file.mediaType);
  }
  return servePagePicture(response, app, page!.slice(1).map(Number) as [number, number, number]);
}

/** To our page, for the token or the key in its Authorization: a header that no page elsewhere may send without asking. */
function giveSession(request: IncomingMessage, response: ServerResponse, access: Access): void {
  response.setHeader('Cache-Control', 'no-store');
  const session = request.method === 'POST' ? access.enter(request) : 'unknown';
  if (session === 'used') return say(response, 409, 'This link was used before.');
  if (session === 'unknown') return say(response, 403, withoutSession);
  const { key, pictures } = session;
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ key, pictures }));
}

async function servePagePicture(response: ServerResponse, app: App, [document, page, width]: [number, number, number]): Promise<void> {
  try {
    const { bytes, mediaType } = await app.pagePicture(document, page, width);
    sendBytes(response, bytes, mediaType);
  } catch (error) {
    const { code } = toLoupeError(error);
    if (!['not_found', 'cancelled', 'vault_locked'].includes(code) && !code.startsWith('document_')) throw error;
    say(response, 404, 'This page cannot be shown.');
  }
}

function shownPicture(app: App, hash: string, scale: 'full' | 'thumb'): StoredFile | null {
  try {
    return app.pictureFile(hash, scale);
  } catch (error) {
    if (['not_found', 'vault_locked'].includes(toLoupeError(error).code)) return null;
    throw error;
  }
}

async function serveRenderer(response: ServerResponse, directory: string, pathname: string): Promise<void> {
  const file = staticFile(directory, pathname);
  if (!file) return say(response, 404, 'There is nothing here.');
  response.setHeader('Cache-Control', file.immutable ? 'private, max-age=31536000, immutable' : 'no-store');
  return sendFile(response, file.path, file.mediaType);
}

// --- requests and events

interface SocketOptions extends Pick<WebHostOptions, 'app'> {
  access: Access;
  onFault: (error: unknown) => void;
}

interface Sockets {
  count(): number;
  /** Ends them all. */
  close(): void;
}

function serveSockets(server: Server, { app, access, onFault }: SocketOptions): Sockets {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: longestFrame,
    handleProtocols: () => protocol,
  });
  const stopEvents = app.on((event) => {
    const frame = encodeFrame(event);
    for (const socket of sockets.clients) {
      if (socket.bufferedAmount > mostUnread) socket.terminate();
      else socket.send(frame);
    }
  });

  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // Until the stream is handed over only we listen: a reset without a listener would end the process.
    stream.on('error', () => stream.destroy());
    const leave = access.connect(request);
    if (!leave) return void stream.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
    stream.once('close', leave);
    sockets.handleUpgrade(request, stream, head, listen);
  });

  function listen(socket: WebSocket): void {
    socket.on('error', () => socket.terminate());
    socket.on('message', (data, isBinary) => void answer(socket, isBinary ? null : String(data as Buffer)));
  }

  async function answer(socket: WebSocket, frame: string | null): Promise<void> {
    const request = frame === null ? null : readRequest(frame);
    if (!request) return socket.close(1002, 'not a request');
    const reply = await dispatch(app.handlers, request.name, request.input, onFault);
    socket.send(encodeFrame({ id: request.id, ...reply }), () => {});
  }

  return {
    count: () => sockets.clients.size,
    close() {
      stopEvents();
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

function readRequest(frame: string): { id: number; name: unknown; input: unknown } | null {
  try {
    const { id, name, input } = decodeFrame(frame) as { id?: unknown; name?: unknown; input?: unknown };
    return typeof id === 'number' ? { id, name, input } : null;
  } catch {
    return null;
  }
}

async function sendFile(response: ServerResponse, path: string, mediaType: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) return say(response, 404, 'There is nothing here.');
  response.writeHead(200, { 'Content-Type': mediaType, 'Content-Length': found.size });
  // Closes the file when the reader leaves early, too.
  await pipeline(createReadStream(path), response).catch(() => response.destroy());
}

function sendBytes(response: ServerResponse, bytes: Uint8Array, mediaType: string): void {
  response.writeHead(200, { 'Content-Type': mediaType, 'Content-Length': bytes.length }).end(bytes);
}

function say(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${words}\n`);
}
