/** A hub on this machine that can go wrong in every way that real ones do, by chance and by order. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What may happen to one request for a file. */
export const faults = [
  'refuse',
  'drop',
  'break-off',
  'end-early',
  'stall',
  'loris',
  'wrong-range',
  'lying-range',
  'ignore-range',
  'short-range',
  '416',
  '500',
  '503',
  '429',
  'corrupt',
  'longer',
  'compressed',
  'page',
  'new-etag',
  'loop',
  'ftp',
  'no-etag',
  'weak-etag',
] as const;
export type Fault = (typeof faults)[number];

export interface HubDoubleOptions {
  repository: string;
  files: Map<string, Buffer>;
  /** Wanted for every request; absent = open to everybody. */
  token?: string;
  /** The fault of a request for this file, or for "list"; or none. */
  next?: ((what: string) => Fault | null) | undefined;
  /** Files that are sent wrong every time. */
  spoilt?: Set<string>;
  /** Files that are stated with a checksum in the list, else by their git name. */
  isLarge?: (path: string) => boolean;
}

export interface HubDouble {
  endpoint: string;
  readonly requests: number;
  /** Requests that carried the token to where it must not go. */
  readonly leaks: number;
  /** By fault, how often it happened. */
  readonly happened: ReadonlyMap<Fault, number>;
  /** Ranges that were asked for, as they were written. */
  readonly ranges: readonly string[];
  /** Another commit: what was listed before is gone. */
  recommit(): void;
  close(): Promise<void>;
}

export function gitName(bytes: Buffer): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export async function startHubDouble(options: HubDoubleOptions): Promise<HubDouble> {
  const {
    repository,
    files,
    token,
    next = () => null,
    spoilt = new Set<string>(),
    isLarge = (path) => path.endsWith('.safetensors'),
  } = options;
  const happened = new Map<Fault, number>();
  const ranges: string[] = [];
  let commit = 'c0ffee00'.repeat(5);
  let requests = 0;
  let leaks = 0;

  const take = (what: string): Fault | null => {
    const fault = next(what);
    if (fault) happened.set(fault, (happened.get(fault) ?? 0) + 1);
    return fault;
  };

  const serveFile = createFileServer({ files, spoilt, ranges });

  // Where large files are: another origin, as with the Hub's delivery network.
  const store = await listen((request, response) => {
    requests++;
    if (request.headers.authorization !== undefined) leaks++;
    const path = decodeURIComponent(new URL(request.url!, 'http://double').pathname.slice(1));
    serveFile(request, response, path, take(path));
  });

  const hub = await listen((request, response) => {
    requests++;
    const { pathname, searchParams } = new URL(request.url!, 'http://double');
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
      return end(response, 401, 'Access to this model is restricted.');
    if (pathname === `/api/models/${repository}/revision/main`) return serveJson(response, { id: repository, sha: commit }, take('list'));
    if (pathname === `/api/models/${repository}/tree/${commit}`) {
      const all = [...files].map(([path, bytes]) => entry(path, bytes));
      // In two pages, as the real one does with many files.
      const half = Math.ceil(all.length / 2);
      const second = searchParams.get('cursor') === '2';
      if (!second) response.setHeader('link', `<${base(hub)}${pathname}?recursive=true&cursor=2>; rel="next"`);
      return serveJson(
        response,
        second ? all.slice(half) : [{ type: 'directory', path: 'original', oid: 'f'.repeat(40), size: 0 }, ...all.slice(0, half)],
        take('list'),
      );
    }
    const prefix = `/${repository}/resolve/${commit}/`;
    const path = decodeURIComponent(pathname.slice(prefix.length));
    if (!pathname.startsWith(prefix) || !files.has(path)) return end(response, 404, 'Entry not found');
    if (!isLarge(path)) return serveFile(request, response, path, take(path));
    response.writeHead(302, { location: `${base(store)}/${encodeURIComponent(path)}`, 'content-length': 0 }).end();
  });

  function entry(path: string, bytes: Buffer): object {
    const file = { type: 'file', path, size: bytes.length, oid: gitName(bytes) };
    return isLarge(path) ? { ...file, lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } } : file;
  }

  return {
    endpoint: base(hub),
    get requests() {
      return requests;
    },
    get leaks() {
      return leaks;
    },
    happened,
    ranges,
    recommit: () => {
      commit = 'decade00'.repeat(5);
    },
    close: async () => {
      await Promise.all([hub, store].map((server) => new Promise((resolve) => server.close(resolve) && server.closeAllConnections())));
    },
  };
}

function serveJson(response: ServerResponse, value: object, fault: Fault | null): void {
  const text = JSON.stringify(value);
  const half = (): void => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
    response.write(text.slice(0, text.length / 2));
  };
  if (fault === 'refuse' || fault === 'drop') return void response.socket?.destroy();
  if (fault === '500' || fault === '503' || fault === '429') return end(response, Number(fault), 'busy');
  if (fault === 'page') return end(response, 200, '<html>Welcome to the hotel</html>', 'text/html');
  if (fault === 'stall') return half();
  if (fault === 'break-off') {
    half();
    return hangUp(response);
  }
  end(response, 200, text, 'application/json');
}

interface FileServerOptions {
  files: ReadonlyMap<string, Buffer>;
  spoilt: ReadonlySet<string>;
  /** Gets every range that was asked for. */
  ranges: string[];
}

export type ServeFile = (request: IncomingMessage, response: ServerResponse, path: string, fault: Fault | null) => void;

/** Serves files, each in the way that its fault asks for. */
export function createFileServer({ files, spoilt, ranges }: FileServerOptions): ServeFile {
  let etagGeneration = 0;

  return (request, response, path, fault) => {
    const whole = files.get(path);
    if (!whole) return end(response, 404, 'Entry not found');
    if (fault === 'new-etag') etagGeneration++;
    const etag = `"${sha256(Buffer.from(path)).slice(0, 16)}-${etagGeneration}"`;
    const { range, 'if-range': ifRange } = request.headers;
    if (range) ranges.push(range);
    const from = range && (ifRange === undefined || ifRange === etag) ? Number(/^bytes=(\d+)-$/.exec(range)?.[1]) : 0;
    const ranged = range !== undefined && (ifRange === undefined || ifRange === etag) && fault !== 'ignore-range';
    let start = ranged ? from : 0;
    if (ranged && from >= whole.length)
      return void response.writeHead(416, { 'content-range': `bytes */${whole.length}`, 'content-length': 0 }).end();

    if (fault === 'refuse' || fault === 'drop') return void response.socket?.destroy();
    if (fault === '416') return void response.writeHead(416, { 'content-range': `bytes */${whole.length}`, 'content-length': 0 }).end();
    if (fault === '500' || fault === '503' || fault === '429')
      return void response.writeHead(Number(fault), { 'content-length': 0, ...(fault === '503' ? { 'retry-after': '0' } : {}) }).end();
    if (fault === 'page') return end(response, 200, '<html>Log in to the network</html>', 'text/html');
    if (fault === 'loop') return void response.writeHead(307, { location: request.url, 'content-length': 0 }).end();
    if (fault === 'ftp') return void response.writeHead(302, { location: 'ftp://127.0.0.1/file', 'content-length': 0 }).end();

    if (fault === 'wrong-range' || fault === 'lying-range') start = Math.max(0, start - 1 - (start >> 1));
    let body = whole.subarray(start);
    if (fault === 'corrupt' || spoilt.has(path)) body = spoil(body);
    if (fault === 'longer') body = Buffer.concat([body, Buffer.from('and more')]);
    const stated = fault === 'lying-range' ? from : start;
    const partial = ranged || fault === 'wrong-range';
    if (fault === 'lying-range' && ranged) body = Buffer.concat([body]).subarray(0, whole.length - from);
    const last = fault === 'short-range' ? whole.length - 2 : whole.length - 1;
    if (fault === 'short-range' && ranged) body = body.subarray(0, Math.max(0, body.length - 1));
    const headers: Record<string, string | number> = {
      'content-type': 'application/octet-stream',
      ...(fault === 'no-etag' ? {} : { etag: fault === 'weak-etag' ? `W/${etag}` : etag }),
      ...(partial ? { 'content-range': `bytes ${stated}-${last}/${whole.length}` } : {}),
      ...(fault === 'compressed' ? { 'content-encoding': 'gzip' } : {}),
      // Without a length the end of the body cannot be told from its breaking off.
      ...(fault === 'end-early' || fault === 'longer' ? {} : { 'content-length': body.length }),
    };
    response.writeHead(partial ? 206 : 200, headers);
    const half = body.subarray(0, body.length >> 1);
    if (fault === 'stall') return void response.write(half);
    if (fault === 'break-off') {
      response.write(half);
      return hangUp(response);
    }
    if (fault === 'end-early') return void response.end(half);
    if (fault === 'loris') return drip(response, body);
    response.end(body);
  };
}

/** Once what was written has been read: it would be thrown away with the connection. */
function hangUp(response: ServerResponse): void {
  setTimeout(() => response.socket?.destroy(), 20);
}

/** A byte now and then, until nobody listens. */
function drip(response: ServerResponse, body: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (response.destroyed || at >= body.length) {
      clearInterval(timer);
      response.end();
      return;
    }
    response.write(body.subarray(at, at + 1));
    at++;
  }, 10);
}

/** One bit, in the middle. */
function spoil(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  if (copy.length > 0) copy[copy.length >> 1]! ^= 1;
  return copy;
}

export function end(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text);
}

export async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handle);
  server.keepAliveTimeout = 1000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

export function base(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
