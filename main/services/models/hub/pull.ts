/** A model's files into a folder, several at a time, by one process. */
import { statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { formatBytes } from '../../../contract.ts';
import { makeFolder } from '../../../make-folder.ts';
import { LoupeError } from '../../../errors.ts';
import type { DownloadRecord, DownloadStore, LockFolder } from '../../ports.ts';
import { bytesHere, fetchFile, removeFile, withFileErrors } from './fetch-file.ts';
import type { Http } from '../../network.ts';
import type { Source } from './repository.ts';
import { withRetries, type Pauses, type Timing } from './timing.ts';

export interface PullOptions {
  http: Http;
  source: Source;
  token: string | null;
  store: DownloadStore;
  lock: LockFolder;
  signal: AbortSignal;
  timing: Timing;
  /** Between tries. */
  pauses: Pauses;
  /** How many bytes of a file are here. */
  onBytes(path: string, bytes: number): void;
  /** Bytes that may be written to a folder; absent = asks the system. */
  freeBytes?: (directory: string) => Promise<number>;
}

const filesAtOnce = 4;
/** Stays free on the disk. */
export const spareBytes = 256 * 1024 * 1024;

/** Resolves when every file is there and right. Rejects as `fetchFile`, or with `download_locked`. */
export async function pull(id: number, options: PullOptions): Promise<void> {
  const { store, lock, signal } = options;
  const { directory } = store.get(id);
  await withFileErrors(directory, () => makeFolder(directory));
  const release = lock(directory);
  try {
    const known = store.get(id).revision !== null;
    if (!known) await plan(id, options);
    signal.throwIfAborted();
    await fetchPlanned(id, options).catch(async (error: unknown) => {
      if (!known || !isOutdated(error)) throw error;
      await plan(id, options);
      await fetchPlanned(id, options);
    });
  } finally {
    release();
  }
}

async function fetchPlanned(id: number, options: PullOptions): Promise<void> {
  const download = options.store.get(id);
  await checkRoom(download, options);
  await fetchAll(download, options);
}

/** The list of an earlier day may name what is no longer there. */
function isOutdated(error: unknown): boolean {
  return error instanceof LoupeError && (error.code === 'hub_missing' || error.code === 'download_damaged');
}

async function plan(id: number, options: PullOptions): Promise<void> {
  const { http, source, token, store, signal, timing, pauses } = options;
  const { repository, directory, files: before } = store.get(id);
  const { revision, files } = await withRetries({ signal, timing, pauses }, () => source.list({ http, repository, token, signal, timing }));
  store.setPlan(id, revision, files);
  const paths = new Set(files.map(({ path }) => path));
  // Files that are named by their contents have other names now.
  for (const { path } of before) if (!paths.has(path)) await removeFile(join(directory, path));
  for (const { path, content } of files) if (content) await writeWhole(join(directory, path), content);
}

async function writeWhole(path: string, content: Buffer): Promise<void> {
  await withFileErrors(path, async () => {
    await makeFolder(dirname(path));
    await writeFile(path, content);
  });
}

async function checkRoom({ directory, files }: DownloadRecord, { freeBytes = freeBytesOf }: PullOptions): Promise<void> {
  let missing = 0;
  for (const file of files) missing += file.bytes - (await bytesHere(join(directory, file.path), file));
  if (missing === 0) return;
  const free = await freeBytes(directory);
  if (free < missing + spareBytes) {
    throw new LoupeError(
      'disk_full',
      `The model still needs ${formatBytes(missing)}, and the disk that holds ${directory} has ` +
        `${formatBytes(Math.max(0, free - spareBytes))} free.`,
    );
  }
}

/** The first that fails stops the others. Small files come first: what is wrong with a model shows early. */
async function fetchAll({ id, repository, revision, directory, files }: DownloadRecord, options: PullOptions): Promise<void> {
  const { http, source, token, store, timing, pauses, onBytes, freeBytes = freeBytesOf } = options;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const waiting = files.toSorted((a, b) => a.bytes - b.bytes);

  async function work(): Promise<void> {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      const { path } = file;
      await fetchFile({
        http,
        url: source.fileUrl(repository, revision!, file),
        token,
        repository,
        file,
        target: join(directory, path),
        signal,
        timing,
        pauses,
        onEtag: (etag) => store.setEtag(id, path, etag),
        onBytes: (bytes) => onBytes(path, bytes),
        checkSpace: async () => {
          if ((await freeBytes(directory)) < spareBytes)
            throw new LoupeError('disk_full', `The disk that holds ${directory} is nearly full.`);
        },
      });
      store.setComplete(id, path);
    }
  }

  let failure: { error: unknown } | null = null;
  await Promise.all(
    Array.from({ length: filesAtOnce }, () =>
      work().catch((error: unknown) => {
        failure ??= { error };
        stop.abort(error);
      }),
    ),
  );
  if (failure !== null) throw (failure as { error: unknown }).error;
}

/** For this user, on the disk of a folder that exists. */
export async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await withFileErrors(directory, () => statfs(directory));
  return bavail * bsize;
}
