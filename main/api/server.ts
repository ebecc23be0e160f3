/**
 * The local API's server: 127.0.0.1 only, on a port of its own, for programs that know the key. It checks who asks and how
 * much, then hands the request to the dialect of its path. By itself it keeps nothing of what is asked or
 * answered.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import { LoupeError, toLoupeError } from '../errors.ts';
import { listenHere } from '../host/listen.ts';
import type { ProgramBytes } from '../services/ports.ts';
import { createApiAccess, type ApiAccess } from './access.ts';
import { createBodies, type Bodies } from './body.ts';
import { statusOf, type Dialect, type Reply } from './dialect.ts';
import { longestArrivalMs, usualLimits, type ApiLimits } from './limits.ts';

export interface ApiServerOptions {
  /** The first also speaks where a path belongs to none. */
  dialects: readonly [Dialect, ...Dialect[]];
  /** 0 = any free one. */
  port: number;
  key: string;
  /** Pages of these may use the API, too. */
  origins?: readonly string[];
  limits?: ApiLimits;
  /** Called after each request that got what it asked for. */
  onAnswered?: (bytes: ProgramBytes) => void;
  /** Called with what is not the program's fault. */
  onFault?: (error: unknown) => void;
}

export interface ApiServer {
  readonly port: number;
  /** Cancels what is being answered. */
  close(): Promise<void>;
}

interface Surroundings {
  dialects: ApiServerOptions['dialects'];
  access: ApiAccess;
  bodies: Bodies;
  limits: ApiLimits;
  onAnswered: (bytes: ProgramBytes) => void;
  onFault: (error: unknown) => void;
}

/** Throws `port_unavailable`. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { dialects, port: wanted, key, origins = [], limits = usualLimits } = options;
  const { onAnswered = () => {}, onFault = () => {} } = options;
  const server = createServer({ requestTimeout: longestArrivalMs }, (request, response) => {
    void serve(request, response, { dialects, access, bodies, limits, onAnswered, onFault });
  });
  server.maxConnections = limits.connections;
  const port = await listenHere(server, wanted);
  const access = createApiAccess({ port, key, origins });
  const bodies = createBodies(limits);
  server.on('error', onFault);
  return {
    port,
    async close() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Never rejects. */
async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { dialects, access, bodies, limits, onAnswered, onFault }: Surroundings,
): Promise<void> {
  const gone = new AbortController();
  response.on('error', () => response.destroy());
  response.on('close', () => {
    if (!response.writableFinished) gone.abort(new LoupeError('cancelled', 'The program closed the connection.'));
  });
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Cache-Control', 'no-store');
  let dialect = dialects.find(({ prefix }) => request.url?.includes(prefix)) ?? dialects[0];
  let release = (): void => {};
  try {
    for (const [name, value] of Object.entries(access.headersFor(request))) response.setHeader(name, value!);
    // Browsers ask without the key whether they may ask with it.
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    const path = access.admit(request);
    if (path === '/') return void response.setHeader('Content-Type', 'text/plain').end('Loupe is running');
    dialect = dialects.find(({ prefix }) => path.startsWith(prefix)) ?? dialects[0];
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
    const handler = dialect.find(method, path);
    if (!handler) throw new LoupeError('not_found', 'The API has nothing at this path.', 'docs/api.md lists what there is.');
    const read = method === 'POST' ? await bodies.read(request) : null;
    if (read) ({ release } = read);
    const reply = createReply(response, dialect, limits.unread);
    await handler({ body: read?.body ?? null, reply, signal: gone.signal });
    if (read && !gone.signal.aborted) onAnswered({ questionBytes: read.bytes, answerBytes: reply.bytes() });
  } catch (thrown) {
    fail(request, response, { dialect, error: toLoupeError(thrown) });
    if (!gone.signal.aborted && statusOf(toLoupeError(thrown)) === 500) onFault(thrown);
  } finally {
    release();
  }
}

function createReply(response: ServerResponse, { streamType }: Dialect, mostUnread: number): Reply & { bytes(): number } {
  let bytes = 0;
  return {
    bytes: () => bytes,
    json(value, status = 200) {
      bytes += sendJson(response, status, value);
    },
    write(text) {
      bytes += Buffer.byteLength(text);
      if (!response.headersSent) response.writeHead(200, { 'Content-Type': streamType });
      response.write(text);
      // Who asks and does not read would fill the memory.
      if (response.writableLength > mostUnread) response.destroy();
    },
    end: () => void response.end(),
  };
}

function fail(request: IncomingMessage, response: ServerResponse, { dialect, error }: { dialect: Dialect; error: LoupeError }): void {
  if (response.headersSent) return void response.end(dialect.failureInStream(error));
  if (error.code === 'queue_full') response.setHeader('Retry-After', '1');
  if (error.code === 'key_wrong') response.setHeader('WWW-Authenticate', 'Bearer');
  const { text } = headJson(response, statusOf(error), dialect.failure(error));
  if (request.complete) return void response.end(text);
  // All of it is sent at once, and ended when the program has sent all of its own, which is thrown away: an end closes the connection
  // of one that asked for that, and a connection that is closed while something still comes loses what was on its way back.
  response.write(text);
  finished(request, { writable: false }, () => void response.end());
  request.resume();
}

/** Returns the bytes of the body. */
function sendJson(response: ServerResponse, status: number, value: unknown): number {
  const { text, bytes } = headJson(response, status, value);
  response.end(text);
  return bytes;
}

function headJson(response: ServerResponse, status: number, value: unknown): { text: string; bytes: number } {
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': bytes });
  return { text, bytes };
}
