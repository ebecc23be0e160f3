/**
 * Everything that is kept -> one ZIP file. Each entry is made when its turn comes and written before the next is begun: what is in memory
 * at a time is one conversation, or a piece of a picture or document. The file gets its name when all of it is on the disk.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { ZipFile } from 'yazl';
import { archiveFormat, archiveLimits, archiveVersion } from '../../archive-format.ts';
import { formatBytes, type ArchiveCounts } from '../../contract.ts';
import { LoupeError, toLoupeError } from '../../errors.ts';
import { fileType } from '../../file-type.ts';
import type { Abortable, Store } from '../ports.ts';
import { piecesOf } from './pieces.ts';

export interface ExportOptions extends Abortable {
  store: Pick<Store, 'archive' | 'documentFiles' | 'pictures'>;
  path: string;
  /** Of Loupe. */
  version: string;
  /** A file that is there may be replaced, once the new one is whole. */
  replaces?: boolean;
  now?: number;
  /** Called before each step; `done` of `all`. */
  onStep?: (done: number, all: number) => void;
}

export interface Exported {
  counts: ArchiveCounts;
  /** Pictures and documents whose files are gone, or cannot be read: what refers to them is exported without them. */
  missing: number;
}

/** Rejects with `file_unwritable`, `disk_full`, `cancelled` and the `store_*` codes. There is then no new file, and an old one is as it was. */
export async function exportArchive(options: ExportOptions): Promise<Exported> {
  const { path, replaces = false } = options;
  if (!replaces) refuseExisting(path);
  const part = `${path}.${randomBytes(4).toString('hex')}${partSuffix}`;
  try {
    await removeParts(path);
    // Never through a link that somebody put there.
    const file = await open(part, 'wx', 0o600);
    const exported = await writeAll(file, options).finally(() => file.close());
    if (!replaces) refuseExisting(path);
    await rename(part, path);
    await flushFolder(dirname(path));
    return exported;
  } catch (error) {
    rmSync(part, { force: true });
    throw inWords(error, path, options.signal);
  }
}

const partSuffix = '.loupe-part';

/** Of exports to the same name that were killed. */
async function removeParts(path: string): Promise<void> {
  const [folder, beginning] = [dirname(path), `${basename(path)}.`];
  for (const name of await readdir(folder))
    if (name.startsWith(beginning) && /^[0-9a-f]{8}\.loupe-part$/.test(name.slice(beginning.length))) await rm(join(folder, name));
}

async function writeAll(
  file: FileHandle,
  { store, version, signal, now = Date.now(), onStep = () => {} }: ExportOptions,
): Promise<Exported> {
  const { archive } = store;
  const zip = new ZipFile();
  const writing = new AbortController();
  const stop = (): void => writing.abort();
  signal?.addEventListener('abort', stop);
  // The types of the package know no more than a stream.
  const written = pipeline(zip.outputStream as Readable, (pieces: AsyncIterable<Uint8Array>) => writeTo(file, pieces), {
    signal: writing.signal,
  });
  const failed = written.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});

  /** Resolves when all of it is on its way to the disk. */
  async function add(name: string, pieces: Iterable<Uint8Array>, compress: boolean): Promise<void> {
    signal?.throwIfAborted();
    const source = Readable.from(pieces, { objectMode: false });
    const ended = finished(source, { signal: writing.signal });
    ended.catch(() => {});
    zip.addReadStream(source, name, { compress, mode: 0o100600, mtime: new Date(now) });
    await Promise.race([ended, failed]);
  }
  const addJson = (name: string, value: object): Promise<void> => {
    const bytes = Buffer.from(JSON.stringify(value));
    if (bytes.length > archiveLimits.json)
      throw new LoupeError(
        'store_failed',
        `${name} would hold ${formatBytes(bytes.length)} of text, which is more than can be imported again.`,
      );
    return add(name, [bytes], true);
  };

  try {
    const conversations = archive.conversationIds();
    const documents = archive.documentHashes();
    const tables = archive.tableIds();
    const counts: ArchiveCounts = { conversations: 0, pictures: 0, documents: 0, tables: 0 };
    const pictures = new Set<string>();
    const missing = new Set<string>();
    let done = 0;
    const step = (): void => onStep(done++, conversations.length + documents.length + tables.length + pictures.size);

    await addJson('manifest.json', { format: archiveFormat, version: archiveVersion, madeBy: version, madeAt: now });
    await addJson('settings.json', archive.settings());
    for (const id of conversations) {
      step();
      const conversation = archive.conversation(id);
      if (!conversation) continue;
      const { messages, picture, pinnedPicture } = conversation;
      for (const hash of [...messages.flatMap((message) => message.pictures), picture, pinnedPicture])
        if (hash !== null) await collect(hash);
      const has = (hash: string | null): hash is string => hash !== null && pictures.has(hash);
      await addJson(`conversations/${numbered(++counts.conversations)}.json`, {
        ...conversation,
        messages: messages.map((message) => ({ ...message, pictures: message.pictures.filter(has) })),
        picture: has(picture) ? picture : null,
        pinnedPicture: has(pinnedPicture) ? pinnedPicture : null,
      });
    }
    for (const id of tables) {
      step();
      const table = archive.table(id);
      if (table) await addJson(`tables/${numbered(++counts.tables)}.json`, table);
    }
    for (const hash of documents) {
      step();
      const document = archive.document(hash);
      const source = { path: store.documentFiles.path(hash), key: store.documentFiles.key(hash) };
      if (!document) continue;
      if (!(await isSound(() => piecesOf(source), hash))) {
        missing.add(hash);
        continue;
      }
      await addJson(`documents/${hash}.json`, document);
      await add(`documents/${hash}.${extension(piecesOf(source))}`, piecesOf(source), false);
      counts.documents++;
    }
    // Those that were attached meanwhile are among them.
    for (const hash of pictures) {
      step();
      const pieces = piecesOfPicture(hash);
      await addJson(`pictures/${hash}.json`, archive.picture(hash));
      await add(`pictures/${hash}.${extension(pieces())}`, pieces(), false);
      counts.pictures++;
    }
    zip.end();
    await written;
    await file.sync();
    return { counts, missing: missing.size };

    /** With those that it was made of. */
    async function collect(hash: string): Promise<void> {
      if (pictures.has(hash) || missing.has(hash)) return;
      if (!store.pictures.find(hash) || !(await isSound(piecesOfPicture(hash), hash))) {
        missing.add(hash);
        return;
      }
      pictures.add(hash);
      const { origin } = store.pictures.get(hash);
      if ('of' in origin) for (const source of [origin.of].flat()) await collect(source);
    }

    function piecesOfPicture(hash: string): () => Iterable<Uint8Array> {
      const file = store.pictures.original(hash);
      return () => ('path' in file ? piecesOf(file) : [file.bytes]);
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    writing.abort();
    await written.catch(() => {});
  }
}

/** A stream of the handle's own would keep it from being closed. */
async function writeTo(file: FileHandle, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of pieces)
    for (let done = 0; done < piece.length;) done += (await file.write(piece, done, piece.length - done)).bytesWritten;
}

/** A file that was changed or cut off would be refused when it is imported. */
async function isSound(pieces: () => Iterable<Uint8Array>, hash: string): Promise<boolean> {
  const digest = createHash('sha256');
  try {
    for (const piece of pieces()) {
      digest.update(piece);
      // Others have their turn between two pieces.
      await setImmediate();
    }
    return digest.digest('hex') === hash;
  } catch {
    return false;
  }
}

/** For the person who unpacks it; an import does not go by it. */
function extension(pieces: Iterable<Uint8Array>): string {
  for (const piece of pieces) return fileType(piece) ?? 'bin';
  return 'bin';
}

function numbered(count: number): string {
  return String(count).padStart(6, '0');
}

function refuseExisting(path: string): void {
  if (existsSync(path)) throw new LoupeError('file_unwritable', `${path} exists already.`, 'Choose another name; nothing was overwritten.');
}

async function flushFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

function inWords(error: unknown, path: string, signal: AbortSignal | undefined): LoupeError {
  if (signal?.aborted) return new LoupeError('cancelled', 'The export was stopped, and no file was written.', 'You need not do anything.');
  if (error instanceof LoupeError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new LoupeError('disk_full', `The disk that holds ${dirname(path)} is full, so ${basename(path)} was not written.`, fullStep);
  if (code !== undefined && /^E[A-Z]+$/.test(code))
    return new LoupeError('file_unwritable', `${path} cannot be written (${message}).`, undefined, { cause: error });
  return toLoupeError(error);
}

const fullStep = 'Free some space or choose another disk, then export again. What Loupe keeps is as it was.';
