/**
 * One file, from its address to its place: a growing `.part` beside the target, hashed as it is
 * written, renamed when size and checksum are right. A part is always a beginning of the file, so
 * its length is all that a later run has to know.
 *
 * One connection a file, several files at a time: models come in several files, and a part with
 * holes would need a record of them that survives a power cut.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../../../make-folder.ts';
import { LoupeError } from '../../../errors.ts';
import { openRegularFile } from '../../../regular-file.ts';
import type { DownloadFile, FileChecksum } from '../../ports.ts';
import type { Http, HttpResponse } from '../../network.ts';
import { refusal } from './repository.ts';
import { unwilling } from './network-error.ts';
import { inTime, withRetries, type Pauses, type Timing } from './timing.ts';

export interface FetchOptions {
  http: Http;
  url: string;
  token: string | null;
  /** For messages. */
  repository: string;
  file: Pick<DownloadFile, 'bytes' | 'checksum' | 'etag' | 'complete'>;
  target: string;
  signal: AbortSignal;
  timing: Timing;
  pauses: Pauses;
  /** The part now comes from this state of the source; called before its first byte is written. */
  onEtag(etag: string | null): void;
  /** Bytes of the file that are here. Drops when it has to start over. */
  onBytes(bytes: number): void;
  /** Throws `disk_full`; called every few megabytes. */
  checkSpace(): Promise<void>;
}

/** Times that a whole file may come wrong. */
const mostDamaged = 3;
const spaceStep = 64 * 1024 * 1024;

/**
 * Resolves when the target holds the file. Rejects with `network_failed` after the last try,
 * `download_damaged`, `disk_full`, `file_unwritable`, those of `refusal`, or what aborted `signal`;
 * the part then stays for the next time.
 */
export async function fetchFile(options: FetchOptions): Promise<void> {
  const { file, target, signal, timing, pauses } = options;
  await withFileErrors(target, () => makeFolder(dirname(target)));
  if (await holds(target, file, signal)) {
    options.onBytes(file.bytes);
    return;
  }
  const part = await Part.open(partOf(target), file, signal);
  try {
    options.onBytes(part.position);
    if (part.position > 0) part.etag = file.etag;
    let damaged = 0;
    for (;;) {
      if (part.position < file.bytes) {
        await withRetries({ signal, timing, pauses }, async (progress) => {
          const before = part.position;
          try {
            await receive(part, options);
          } finally {
            if (part.position - before >= timing.progressBytes) progress();
          }
        });
      }
      if (part.isRight()) break;
      damaged++;
      if (damaged === mostDamaged) throw new LoupeError('download_damaged', `${target} came ${mostDamaged} times with a wrong checksum.`);
      await part.restart();
      options.onBytes(0);
    }
    await part.flush();
  } finally {
    await part.close();
  }
  await withFileErrors(target, async () => {
    await rename(partOf(target), target);
    await flushFolder(dirname(target));
  });
}

export function partOf(target: string): string {
  return `${target}.part`;
}

/** Bytes that are here of a file, right or wrong: all, those of its part, or none. */
export async function bytesHere(target: string, file: Pick<DownloadFile, 'bytes'>): Promise<number> {
  if ((await sizeOf(target)) === file.bytes) return file.bytes;
  return Math.min(file.bytes, (await sizeOf(partOf(target))) ?? 0);
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    (found) => (found.isFile() ? found.size : null),
    () => null,
  );
}

/** One request: appends what comes, from where the part ends, or from the beginning where the source gives that. */
async function receive(part: Part, options: FetchOptions): Promise<void> {
  const { http, url, token, file, signal, timing } = options;
  return inTime(signal, timing, async (signal, alive) => {
    const from = part.position;
    // A weak etag cannot say that bytes are the same.
    const strong = part.etag?.startsWith('"') ? part.etag : null;
    const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-`, ...(strong ? { 'if-range': strong } : {}) } : {};
    const response = await http.get(url, { headers, token, signal });
    alive(1);
    try {
      await accept(response, part, options);
      let unchecked = 0;
      for await (const chunk of response.body) {
        alive(chunk.byteLength);
        if (part.position + chunk.byteLength > file.bytes) {
          await part.restart();
          options.onBytes(0);
          throw new LoupeError('network_failed', `${hostOf(response)} sent more than the ${file.bytes} bytes of ${options.target}.`);
        }
        await part.append(chunk);
        options.onBytes(part.position);
        unchecked += chunk.byteLength;
        if (unchecked >= spaceStep) {
          unchecked = 0;
          await options.checkSpace();
        }
        // Do not wait for a server that keeps the connection open after the last byte.
        if (part.position === file.bytes) break;
      }
      if (part.position < file.bytes)
        throw new LoupeError('network_failed', `${hostOf(response)} broke the connection after ${part.position} of ${file.bytes} bytes.`);
    } finally {
      response.discard();
    }
  });
}

/** Reads status and headers; leaves the part where the body continues. */
async function accept(
  response: HttpResponse,
  part: Part,
  { file, target, token, repository, onEtag, onBytes }: FetchOptions,
): Promise<void> {
  const { status, headers } = response;
  const host = hostOf(response);
  const etag = headers['etag'] ?? null;
  const begin = async (): Promise<void> => {
    await part.restart();
    part.etag = etag;
    onEtag(etag);
    onBytes(0);
  };
  const refused = refusal(response, repository, token !== null);
  if (refused) throw refused;
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw new LoupeError('network_failed', `${host} sent ${target} compressed, which was not asked for.`);
  }
  switch (status) {
    case 200: {
      const length = headers['content-length'];
      if (length !== undefined && Number(length) !== file.bytes)
        throw new LoupeError('network_failed', `${host} has ${length} bytes for ${target}, and its list says ${file.bytes}.`);
      // A network's log-in page must not cost what has arrived.
      if (headers['content-type']?.startsWith('text/html'))
        throw new LoupeError(
          'network_failed',
          `${host} answered with a page instead of ${target}.`,
          'Check whether the network wants you to log in, then resume.',
        );
      await begin();
      return;
    }
    case 206: {
      const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
      const changed = part.etag !== null && etag !== null && part.etag !== etag;
      const wrong = !range || Number(range[1]) !== part.position || (range[3] !== '*' && Number(range[3]) !== file.bytes);
      if (part.position > 0 && !changed && !wrong) return;
      // The next try asks for the whole file.
      await begin();
      throw new LoupeError(
        'network_failed',
        changed ? `${target} changed at ${host}.` : `${host} answered with another part of ${target} than was asked for.`,
      );
    }
    case 416:
      await begin();
      throw new LoupeError('network_failed', `${host} says that ${target} is shorter than what is here.`);
    default:
      throw unwilling(response);
  }
}

function hostOf({ url }: HttpResponse): string {
  return new URL(url).host;
}

/** A file that grows at its end, and the checksum of what is in it. */
class Part {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #file: Pick<DownloadFile, 'bytes' | 'checksum'>;
  #hash: Hash;
  #position = 0;
  /** Of the source that the bytes came from; null where that is not known. */
  etag: string | null = null;

  private constructor(handle: FileHandle, path: string, file: Pick<DownloadFile, 'bytes' | 'checksum'>) {
    this.#handle = handle;
    this.#path = path;
    this.#file = file;
    this.#hash = newHash(file.checksum, file.bytes);
  }

  /** Hashes what is there. More than the whole file is none of it. */
  static async open(path: string, file: Pick<DownloadFile, 'bytes' | 'checksum'>, signal: AbortSignal): Promise<Part> {
    const handle = await withFileErrors(path, () => open(path, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o644));
    const part = new Part(handle, path, file);
    try {
      const { size } = await handle.stat();
      if (size > file.bytes) await part.restart();
      else part.#position = await hashInto(part.#hash, handle, signal);
      return part;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get position(): number {
    return this.#position;
  }

  async append(chunk: Uint8Array): Promise<void> {
    await withFileErrors(this.#path, async () => {
      for (let done = 0; done < chunk.byteLength;) {
        const { bytesWritten } = await this.#handle.write(chunk, done, chunk.byteLength - done, this.#position + done);
        done += bytesWritten;
      }
    });
    this.#hash.update(chunk);
    this.#position += chunk.byteLength;
  }

  async restart(): Promise<void> {
    await withFileErrors(this.#path, () => this.#handle.truncate(0));
    this.#hash = newHash(this.#file.checksum, this.#file.bytes);
    this.#position = 0;
    this.etag = null;
  }

  /** The whole file is here, and it is the right one. */
  isRight(): boolean {
    return this.#position === this.#file.bytes && this.#hash.copy().digest('hex') === this.#file.checksum.value;
  }

  async flush(): Promise<void> {
    await withFileErrors(this.#path, () => this.#handle.sync());
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

export function newHash({ algorithm }: FileChecksum, bytes: number): Hash {
  return algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${bytes}\0`);
}

/** Returns how many bytes were hashed. */
export async function hashInto(
  hash: { update(data: Uint8Array): unknown },
  handle: FileHandle,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => {},
): Promise<number> {
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (let position = 0; ;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return position;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
    onBytes(position);
  }
}

/** A file that was found right once is not read again: models are large, and `verify` is there for it. */
async function holds(
  target: string,
  { bytes, checksum, complete }: Pick<DownloadFile, 'bytes' | 'checksum' | 'complete'>,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await sizeOf(target)) !== bytes) return false;
  if (complete) return true;
  const handle = await openRegularFile(target);
  try {
    const hash = newHash(checksum, bytes);
    await hashInto(hash, handle, signal);
    return hash.digest('hex') === checksum.value;
  } finally {
    await handle.close();
  }
}

/** So that the new name survives a power cut. Not every system opens folders. */
async function flushFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => null);
  try {
    await handle?.sync();
  } catch {
    // The file itself is flushed; at worst the old name comes back, with all its bytes.
  } finally {
    await handle?.close();
  }
}

export async function removeFile(target: string): Promise<void> {
  await rm(target, { force: true });
  await rm(partOf(target), { force: true });
}

/** What the file system throws, in our words. */
export async function withFileErrors<Result>(path: string, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code !== 'string') throw error;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new LoupeError('disk_full', `The disk that holds ${path} is full.`, undefined, { cause: error });
    if (code === 'EFBIG')
      throw new LoupeError(
        'file_unwritable',
        `The file system that holds ${path} takes no files of this size.`,
        'Format the drive as exFAT or NTFS, or choose another folder.',
        { cause: error },
      );
    throw new LoupeError('file_unwritable', `${path} cannot be written (${code}).`, undefined, { cause: error });
  }
}
