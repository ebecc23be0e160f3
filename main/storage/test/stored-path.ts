import type { StoredFile } from '../../services/ports.ts';

/** Of what is kept. */
export function storedPath(file: StoredFile): string {
  if (!('path' in file)) throw new Error('It lies in memory.');
  return file.path;
}
