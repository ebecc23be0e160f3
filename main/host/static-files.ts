/** Address of a built file of the window -> the file. For every host that serves the window. */
import { extname, join, normalize, sep } from 'node:path';

export interface StaticFile {
  path: string;
  mediaType: string;
  /** Its name carries a hash of what is in it. */
  immutable: boolean;
}

const mediaTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};

/** Null for what is not an address of a file inside `directory`. It may still not exist. */
export function staticFile(directory: string, pathname: string): StaticFile | null {
  const name = decode(pathname === '/' ? '/index.html' : pathname);
  if (name === null || name.includes('\0')) return null;
  const path = normalize(join(directory, name));
  const mediaType = mediaTypes[extname(path)];
  if (!mediaType || !path.startsWith(normalize(directory + sep))) return null;
  return { path, mediaType, immutable: pathname.startsWith('/assets/') };
}

function decode(pathname: string): string | null {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return null;
  }
}
