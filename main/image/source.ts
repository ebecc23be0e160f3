/** The bytes of a picture, from a file or as they were handed over. */
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { LoupeError } from '../errors.ts';
import { readWithoutWaiting } from '../regular-file.ts';
import type { ImageSource } from '../services/ports.ts';
import { checkFileSize } from './limits.ts';

export async function readImageSource(source: ImageSource): Promise<{ bytes: Uint8Array; name: string }> {
  return 'path' in source ? readImageFile(source.path) : source;
}

async function readImageFile(path: string): Promise<{ bytes: Uint8Array; name: string }> {
  const name = basename(path);
  const file = await open(path, readWithoutWaiting).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'does not exist' : `cannot be opened (${error.code ?? error.message})`;
    throw new LoupeError('image_missing', `The picture ${path} ${why}.`);
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new LoupeError('image_missing', `${path} is not a file.`);
    checkFileSize(stat.size, name);
    return { bytes: await file.readFile(), name };
  } finally {
    await file.close();
  }
}
