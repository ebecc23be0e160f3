/**
 * The loopback host: the app for a browser on this machine only.
 *
 * It listens on 127.0.0.1 only. A link with a token that works once exchanges it for a session
 * cookie (HttpOnly, SameSite=Strict); every request needs the cookie, the right Host (against
 * DNS rebinding) and, where a browser sends one, the right Origin (against other pages).
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
import { contentSecurityPolicy } from '../host/page-policy.ts';
import { staticFile } from '../host/static-files.ts';
import { createAccess, type Access } from './access.ts';
import { decodeFrame, encodeFrame } from './frames.ts';
import { listenHere } from './listen.ts';

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
  close(): Promise<void>;
}

/** Base64 takes a third more, and a little around it. */
const longestFrame = Math.ceil(limits.pictureBytes * 1.4);
/** For browsers without a session. */
export const withoutSession = 'Open Loupe with the link that it printed in the terminal.';
/** Bytes that a window may leave unread: one that hangs would fill the memory. It reconnects, and asks for what it missed. */
export const mostUnread = 64 * 1024 * 1024;

/** Throws `port_unavailable`. */
export async function startWebHost({ app, rendererDirectory, port: wantedPort = 0, onFault = () => {} }: WebHostOptions): Promise<WebHost> {
  const server = createServer((request, response) => {
    servePage(request, response, { app, rendererDirectory, access }).catch((error: unknown) => {
      onFault(error);
      if (!response.headersSent) say(response, 500, 'Loupe could not answer this. Reload the page.');
      else response.destroy();
    });
  });
  const port = await listenHere(server, wantedPort);
  const access = createAccess(port);
  server.on('error', onFault);
  const closeSockets = serveSockets(server, { app, access, onFault });

  return {
    port,
    link: (conversationId) => {
      const conversation = conversationId === undefined ? '' : `conversation=${conversationId}&`;
      return `http://127.0.0.1:${port}/?${conversation}token=${access.newToken()}`;
    },
    async close() {
      closeSockets();
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
  if (request.method !== 'GET' && request.method !== 'HEAD') return say(response, 405, 'Only GET is supported here.');

  const url = URL.parse(request.url ?? '/', `http://${request.headers.host}`);
  if (!url) return say(response, 404, 'There is nothing here.');
  const token = url.searchParams.get('token');
  if (token !== null) {
    if (!access.hasSession(request) && !access.takeToken(token))
      return say(response, 403, 'This link was already used, or Loupe was restarted. Open the newest link from the terminal.');
    url.searchParams.delete('token');
    response.setHeader('Set-Cookie', access.cookie);
    // Links lead to the page; another path could name another host.
    response.writeHead(303, { Location: `/${url.search}` }).end();
    return;
  }
  if (!access.hasSession(request)) return say(response, 403, withoutSession);

  const picture = /^\/pictures\/([0-9a-f]{64})(\/thumb)?$/.exec(url.pathname);
  if (picture) {
    const file = shownPicture(app, picture[1]!, picture[2] ? 'thumb' : 'full');
    if (!file) return say(response, 404, 'This picture is not stored here.');
    response.setHeader('Cache-Control', 'private, max-age=31536000, immutable');
    return sendFile(response, file.path, file.mediaType);
  }
  const page = pageAddress.exec(url.pathname);
  if (page) return servePagePicture(response, app, page.slice(1).map(Number) as [number, number, number]);
  return serveRenderer(response, rendererDirectory, url.pathname);
}

async function servePagePicture(response: ServerResponse, app: App, [document, page, width]: [number, number, number]): Promise<void> {
  try {
    const { bytes, mediaType } = await app.pagePicture(document, page, width);
    // A document that is removed leaves nothing in a browser's cache; what is drawn again comes from Loupe's own.
    response.writeHead(200, { 'Cache-Control': 'no-store', 'Content-Type': mediaType, 'Content-Length': bytes.length }).end(bytes);
  } catch (error) {
    const { code } = toLoupeError(error);
    if (code !== 'not_found' && !code.startsWith('document_')) throw error;
    say(response, 404, 'This page cannot be shown.');
  }
}

function shownPicture(app: App, hash: string, scale: 'full' | 'thumb'): { path: string; mediaType: string } | null {
  try {
    return app.pictureFile(hash, scale);
  } catch (error) {
    if (toLoupeError(error).code === 'not_found') return null;
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

/** Returns a function that ends them all. */
function serveSockets(server: Server, { app, access, onFault }: SocketOptions): () => void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: longestFrame });
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
    if (!access.mayConnect(request)) return void stream.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
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

  return () => {
    stopEvents();
    for (const socket of sockets.clients) socket.terminate();
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

function say(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${words}\n`);
}
