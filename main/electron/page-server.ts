/** Serves the page, pictures and frozen frames to our windows, under the one scheme that they know. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { toLoupeError } from '../services/errors.ts';
import { contentSecurityPolicy, ownUrl } from './options.ts';

const mediaTypes: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  webp: 'image/webp',
  woff2: 'font/woff2',
  json: 'application/json',
  txt: 'text/plain; charset=utf-8',
};

export interface PageServerOptions {
  /** Absolute paths of what may be served, by path in the address: nothing else can be asked for. */
  files: ReadonlyMap<string, string>;
  readFile: (path: string) => Promise<Uint8Array>;
  /** Throws `not_found`. */
  pictureFile: (hash: string, scale: 'full' | 'thumb') => { path: string; mediaType: string };
  /** Null when no frame of this display is frozen. */
  frame: (displayId: string) => { bytes: Uint8Array; mediaType: string } | null;
  onFault: (error: unknown) => void;
}

export function createPageServer({ files, readFile, pictureFile, frame, onFault }: PageServerOptions): (request: { url: string; method: string }) => Promise<Response> {
  async function find(pathname: string): Promise<Response> {
    const file = files.get(pathname === '/' ? '/index.html' : pathname);
    if (file) return answer(await readFile(file), mediaTypes[file.slice(file.lastIndexOf('.') + 1)] ?? 'application/octet-stream', 'no-cache');

    const [, hash, thumb] = /^\/pictures\/([0-9a-f]{64})(\/thumb)?$/.exec(pathname) ?? [];
    if (hash) {
      const { path, mediaType } = pictureFile(hash, thumb ? 'thumb' : 'full');
      // Named by its contents: it never changes.
      return answer(await readFile(path), mediaType, 'private, max-age=31536000, immutable');
    }

    const [, display] = /^\/capture\/([\w.:-]{1,64})$/.exec(pathname) ?? [];
    const frozen = display === undefined ? null : frame(display);
    return frozen ? answer(frozen.bytes, frozen.mediaType, 'no-store') : refuse(404);
  }

  return async ({ url, method }) => {
    const own = ownUrl(url);
    if (!own) return refuse(403);
    if (method !== 'GET') return refuse(405);
    try {
      return await find(own.pathname);
    } catch (error) {
      if (toLoupeError(error).code === 'not_found') return refuse(404);
      onFault(error);
      return refuse(500);
    }
  };
}

function answer(bytes: Uint8Array, mediaType: string, cacheControl: string): Response {
  return new Response(bytes as Uint8Array<ArrayBuffer>, { headers: headers({ 'content-type': mediaType, 'cache-control': cacheControl }) });
}

function refuse(status: number): Response {
  return new Response(null, { status, headers: headers({}) });
}

function headers(more: Record<string, string>): Record<string, string> {
  return {
    'content-security-policy': contentSecurityPolicy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    ...more,
  };
}

/** Every file below a folder, by its path in an address. */
export function listPageFiles(directory: string, base = ''): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    const name = `${base}/${encodeURIComponent(entry.name)}`;
    if (entry.isDirectory()) for (const [inner, file] of listPageFiles(path, name)) files.set(inner, file);
    else files.set(name, path);
  }
  return files;
}
