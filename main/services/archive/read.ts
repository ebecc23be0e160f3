/**
 * An archive that somebody may have made to do harm: nothing of it is unpacked to a path that it names, every entry is of a name, a size and
 * a kind that an export has, and what cannot be true is refused before anything is unpacked.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import * as v from 'valibot';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { archiveLimits, archiveManifest, archiveVersion, archiveFormat } from '../../archive-format.ts';
import { LoupeError } from '../../errors.ts';
import { isBounded } from '../../json.ts';
import { openRegularFile } from '../../regular-file.ts';

/** All that an export writes. */
const names = {
  manifest: /^manifest\.json$/,
  settings: /^settings\.json$/,
  conversation: /^conversations\/\d{6,9}\.json$/,
  table: /^tables\/\d{6,9}\.json$/,
  documentFacts: /^documents\/([0-9a-f]{64})\.json$/,
  document: /^documents\/([0-9a-f]{64})\.(?!json$)[a-z0-9]{1,8}$/,
  pictureFacts: /^pictures\/([0-9a-f]{64})\.json$/,
  picture: /^pictures\/([0-9a-f]{64})\.(?!json$)[a-z0-9]{1,8}$/,
} as const;

export type EntryKind = keyof typeof names;

export interface ArchiveEntry {
  name: string;
  kind: EntryKind;
  /** Of pictures and documents. */
  hash: string | null;
  bytes: number;
}

export interface Archive {
  entries: readonly ArchiveEntry[];
  /** Rejects with `archive_unreadable` where it is not JSON of this shape. */
  json<Schema extends v.GenericSchema>(entry: ArchiveEntry, schema: Schema): Promise<v.InferOutput<Schema>>;
  /** Hands on each piece. Rejects with `archive_unreadable` where they are not what the entry's name says. */
  pieces(entry: ArchiveEntry, take: (piece: Buffer) => Promise<void> | void): Promise<void>;
  close(): Promise<void>;
}

const mostEntries = 2_000_000;
/** Text packs well, and a bomb far better. */
const mostRatio = 200;
/** An archive of a few conversations that repeat themselves may be anything. */
const freeBytes = 256_000_000;
const jsonLimits = { deepest: 32, mostValues: 20_000_000 };
const pieceBytes = 256 * 1024;
const linkMode = 0o120000;

/** Rejects with `file_missing`, `archive_unreadable` and `archive_newer`. */
export async function openArchive(path: string): Promise<Archive> {
  const handle = await openRegularFile(path);
  const name = basename(path);
  const unreadable = (what: string, cause?: unknown): LoupeError =>
    new LoupeError('archive_unreadable', `${name} cannot be imported: ${what}.`, undefined, { cause });
  try {
    const { size } = await handle.stat();
    const zip = await opened(handle, size, unreadable);
    const entries = new Map<string, { entry: Entry; about: ArchiveEntry }>();
    let [packed, unpacked] = [0, 0];
    try {
      for await (const entry of zip.eachEntry()) {
        if (/^[a-z]+\/$/.test(entry.fileName) && entry.uncompressedSize === 0) continue;
        const about = aboutEntry(entry, unreadable);
        if (entries.has(about.name)) throw unreadable(`it holds “${about.name}” twice`);
        packed += entry.compressedSize;
        unpacked += entry.uncompressedSize;
        // Entries that share their bytes are how a small file becomes an endless one.
        if (packed > size || unpacked > freeBytes + mostRatio * size || entries.size >= mostEntries)
          throw unreadable('it would unpack to far more than any export of its size');
        entries.set(about.name, { entry, about });
      }
    } catch (error) {
      throw error instanceof LoupeError ? error : unreadable(`its list of files is damaged (${(error as Error).message})`, error);
    }

    async function stream({ name: entryName }: ArchiveEntry, take: (piece: Buffer) => Promise<void> | void): Promise<void> {
      const { entry } = entries.get(entryName)!;
      let sum = 0;
      let taking = false;
      try {
        const source: Readable = await zip.openReadStreamPromise(entry);
        for await (const piece of source as AsyncIterable<Buffer>) {
          sum = crc32(piece, sum);
          taking = true;
          await take(piece);
          taking = false;
        }
      } catch (error) {
        // What goes wrong where it is taken to is not the archive's.
        if (taking || error instanceof LoupeError) throw error;
        throw unreadable(`“${entryName}” in it is damaged or cut off (${(error as Error).message})`, error);
      }
      if (sum !== entry.crc32) throw unreadable(`“${entryName}” in it is damaged: its checksum is another`);
    }

    const archive: Archive = {
      entries: [...entries.values()].map(({ about }) => about),
      async json(entry, schema) {
        const pieces: Buffer[] = [];
        await stream(entry, (piece) => void pieces.push(piece));
        const value = parsed(Buffer.concat(pieces));
        if (value === undefined) throw unreadable(`“${entry.name}” in it is not JSON that Loupe reads`);
        const result = v.safeParse(schema, value);
        if (result.success) return result.output;
        const [issue] = result.issues;
        const at = v.getDotPath(issue);
        throw unreadable(`“${entry.name}” in it is not as Loupe writes it (${at ? `${at}: ` : ''}${issue.message})`);
      },
      async pieces(entry, take) {
        const digest = createHash('sha256');
        await stream(entry, (piece) => {
          digest.update(piece);
          return take(piece);
        });
        if (digest.digest('hex') !== entry.hash) throw unreadable(`“${entry.name}” in it holds other bytes than its name says`);
      },
      close: () => handle.close(),
    };
    await refuseOther(archive, name, unreadable);
    return archive;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function opened(handle: FileHandle, size: number, unreadable: (what: string, cause?: unknown) => LoupeError): Promise<ZipFile> {
  try {
    return await yauzl.fromRandomAccessReaderPromise(new HandleReader(handle), size, {
      lazyEntries: true,
      autoClose: false,
      strictFileNames: true,
      validateEntrySizes: true,
    });
  } catch (error) {
    throw unreadable(`it is not a ZIP file, or is cut off (${(error as Error).message})`, error);
  }
}

/** The handle stays open, and its owner's. */
class HandleReader extends yauzl.RandomAccessReader {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    super();
    this.#handle = handle;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(rangeOf(this.#handle, start, end), { objectMode: false });
  }
}

/** A stream of the handle's own would keep it from being closed. */
async function* rangeOf(handle: FileHandle, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end;) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(pieceBytes, end - at)), 0, null, at);
    if (bytesRead === 0) throw new Error('it ends too early');
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

function aboutEntry(entry: Entry, unreadable: (what: string) => LoupeError): ArchiveEntry {
  const { fileName: name, uncompressedSize: bytes, externalFileAttributes } = entry;
  const [kind] = Object.entries(names).find(([, pattern]) => pattern.test(name)) ?? [null];
  if (kind === null) throw unreadable(`it holds “${name.slice(0, 200)}”, which no export of Loupe does`);
  if (((externalFileAttributes >>> 16) & 0o170000) === linkMode) throw unreadable(`“${name}” in it is a link`);
  if (entry.isEncrypted()) throw unreadable(`“${name}” in it is encrypted`);
  if (!entry.canDecodeFileData()) throw unreadable(`“${name}” in it is packed in a way that Loupe does not know`);
  const most = kind === 'picture' || kind === 'document' ? archiveLimits[kind] : archiveLimits.json;
  if (bytes > most) throw unreadable(`“${name}” in it is larger than anything that Loupe keeps (${bytes} bytes)`);
  return { name, kind: kind as EntryKind, hash: names[kind as EntryKind].exec(name)?.[1] ?? null, bytes };
}

async function refuseOther(archive: Archive, name: string, unreadable: (what: string) => LoupeError): Promise<void> {
  const manifest = archive.entries.find(({ kind }) => kind === 'manifest');
  if (!manifest) throw unreadable(`it is not an export of Loupe: it has no manifest.json`);
  const found = await archive.json(manifest, v.looseObject({ format: v.literal(archiveFormat), version: v.number() }));
  if (found.version > archiveVersion)
    throw new LoupeError(
      'archive_newer',
      `${name} was exported by a newer Loupe (version ${found.version} of the format; this one knows ${archiveVersion}).`,
    );
  await archive.json(manifest, archiveManifest);
}

/** Undefined for what is no JSON, or would take too much memory. */
function parsed(bytes: Buffer): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return isBounded(text, jsonLimits) ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
