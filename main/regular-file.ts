/**
 * The one way to open a file that somebody else put there: of a model, a picture, a document. Opening a FIFO waits for a writer that
 * never comes, and each one that waits holds a thread of the four that read all files; opening a device may do something.
 */
import { constants } from 'node:fs';
import { open, realpath, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { LoupeError } from './errors.ts';

/** For `open`: does not wait for the other end of a FIFO. Means nothing for a regular file, nor on Windows. */
export const readWithoutWaiting = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

export interface RegularFileOptions {
  /** The folder that a link may not lead out of; a blob of a Hugging Face cache is allowed, to which its tools link. */
  within?: string;
}

/** For reading. Rejects with `file_missing` for what cannot be read, is not a regular file, or lies outside of `within`. */
export async function openRegularFile(path: string, { within }: RegularFileOptions = {}): Promise<FileHandle> {
  try {
    // Asked before it is opened, for devices, and afterwards, because another program may have exchanged it.
    if (!(await stat(path)).isFile()) throw notRegular(path);
    if (within !== undefined && !(await liesIn(within, path)))
      throw new LoupeError('file_missing', `${path} is a link out of its folder.`, 'Put the file itself there in its place.');
    const handle = await open(path, readWithoutWaiting);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (error) {
    if (error instanceof LoupeError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const nextStep = code === 'ENOENT' ? undefined : 'Check the permissions of the file.';
    throw new LoupeError('file_missing', `${path} cannot be read (${code ?? message}).`, nextStep, { cause: error });
  }
  throw notRegular(path);
}

/** The whole file. Rejects as `openRegularFile`, and with `file_missing` for more than `mostBytes`. */
export async function readRegularFile(
  path: string,
  { mostBytes, ...options }: RegularFileOptions & { mostBytes: number },
): Promise<Buffer> {
  const handle = await openRegularFile(path, options);
  try {
    const { size } = await handle.stat();
    if (size > mostBytes) throw new LoupeError('file_missing', `${path} is too large to be what its name says (${size} bytes).`);
    // Not to its end: it may grow for as long as it is read.
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Null where it cannot be read. */
export async function textOf(path: string, options: RegularFileOptions & { mostBytes: number }): Promise<string | null> {
  return readRegularFile(path, options).then(
    (bytes) => bytes.toString('utf8'),
    () => null,
  );
}

async function liesIn(folder: string, path: string): Promise<boolean> {
  const [base, real] = await Promise.all([realpath(folder), realpath(path)]);
  if (real.startsWith(base.endsWith(sep) ? base : join(base, sep))) return true;
  const blobs = dirname(real);
  return basename(blobs) === 'blobs' && /^[0-9a-f]{40,64}$/.test(basename(real)) && /^models--.+--/.test(basename(dirname(blobs)));
}

function notRegular(path: string): LoupeError {
  return new LoupeError('file_missing', `${path} is not a regular file.`, 'Remove it from its folder, or choose another file.');
}
