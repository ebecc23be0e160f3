/** Serves the page and pictures to our windows, under the one scheme that they know. */
import type { App } from '../app-ports.ts';
import { pageAddress, pictureAddress } from '../contract.ts';
import { toLoupeError } from '../errors.ts';
import { staticFile } from '../host/static-files.ts';
import { contentSecurityPolicy } from '../host/page-policy.ts';
import { ownUrl } from './options.ts';

export interface PageServerOptions {
  /** The built window. */
  rendererDirectory: string;
  readFile: (path: string) => Promise<Uint8Array>;
  /** Throws `not_found`. */
  pictureFile: App['pictureFile'];
  /** Rejects with `not_found` and the `document_*` codes. */
  pagePicture: App['pagePicture'];
  onFault: (error: unknown) => void;
}

export function createPageServer({
  rendererDirectory,
  readFile,
  pictureFile,
  pagePicture,
  onFault,
}: PageServerOptions): (request: { url: string; method: string }) => Promise<Response> {
  async function find(pathname: string): Promise<Response> {
    const [, hash, thumb] = pictureAddress.exec(pathname) ?? [];
    if (hash) {
      const file = pictureFile(hash, thumb ? 'thumb' : 'full');
      // What is deleted, or private, leaves nothing in a cache.
      return answer('path' in file ? await readFile(file.path) : file.bytes, file.mediaType, 'no-store');
    }

    const [, document, page, width] = pageAddress.exec(pathname) ?? [];
    if (document) {
      const { bytes, mediaType } = await pagePicture(Number(document), Number(page), Number(width));
      return answer(bytes, mediaType, 'no-store');
    }

    const file = staticFile(rendererDirectory, pathname);
    return file ? answer(await readFile(file.path), file.mediaType, 'no-cache') : refuse(404);
  }

  return async ({ url, method }) => {
    const own = ownUrl(url);
    if (!own) return refuse(403);
    if (method !== 'GET') return refuse(405);
    try {
      return await find(own.pathname);
    } catch (error) {
      const { code } = toLoupeError(error);
      if (['not_found', 'cancelled', 'vault_locked'].includes(code) || code.startsWith('document_') || isMissing(error, own))
        return refuse(404);
      onFault(error);
      return refuse(500);
    }
  };
}

/** A page asks for a file that was never built; a picture that is gone from the disk is another matter. */
function isMissing(error: unknown, { pathname }: URL): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT' && !pathname.startsWith('/pictures/');
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
