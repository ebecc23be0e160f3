/** Pages as pictures for windows: drawn when they are asked for, and kept on the disk for the next time. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pageWidths } from '../../contract.ts';
import { LoupeError, toLoupeError, type Failure } from '../../errors.ts';
import { makeFolder } from '../../make-folder.ts';
import { libraryFile } from './library-file.ts';
import type { DocumentReader, PagePicture, Store } from '../ports.ts';

export interface PagePicturesOptions {
  store: Pick<Store, 'documents' | 'documentFiles' | 'cover'>;
  reader: Pick<DocumentReader, 'showPage'>;
  /** Where they are kept. */
  directory: string;
  /** What a person entered for this document since the app was started. */
  passwordOf: (id: number) => string | undefined;
  /** Called where a page cannot be drawn without a password, or with the one that was entered. */
  onLocked?: (id: number, failure: Failure) => void;
  mostBytes?: number;
}

export interface PagePictures {
  /** `width` is one of `pageWidths`. Rejects with `not_found`, `cancelled`, and as the reader does. */
  show(id: number, page: number, width: number): Promise<PagePicture>;
  /** Forgets every picture of a document, those that are being drawn or wait for it too: they are rejected as `cancelled`. */
  remove(hash: string): Promise<void>;
  /** Forgets those of documents that are gone, as after a removal that was cut off. */
  prune(): Promise<void>;
  /** Rejects what is being drawn or waits for it, and what comes later. Once this resolves, nothing is written any more. */
  close(): Promise<void>;
}

interface Drawing {
  hash: string;
  abort: AbortController;
  picture: Promise<PagePicture>;
}

interface Kept {
  path: string;
  bytes: number;
  usedAt: number;
}

const usualMostBytes = 512_000_000;

export function createPagePictures({
  store,
  reader,
  directory,
  passwordOf,
  onLocked = () => {},
  mostBytes = usualMostBytes,
}: PagePicturesOptions): PagePictures {
  const { documents, documentFiles } = store;
  /** Since the last look at what is there. */
  let written = Infinity;
  /** By the path that the picture gets: one that several ask for at once is drawn once. */
  const drawings = new Map<string, Drawing>();
  let isClosed = false;

  const folderOf = (hash: string): string => join(directory, hash);

  async function keep(folder: string, name: string, bytes: Uint8Array): Promise<void> {
    await makeFolder(folder, 0o700);
    const incoming = join(folder, randomUUID());
    await writeFile(incoming, store.cover.seal(bytes), { mode: 0o600 });
    await rename(incoming, join(folder, name));
    written += bytes.length;
    // Looked through now and then: a folder of ten thousand files takes a moment.
    if (written > mostBytes / 16) await evict();
  }

  async function keptOrDrawn(id: number, page: number, width: number, path: string, signal: AbortSignal): Promise<PagePicture> {
    const { hash, name, keepsText } = documents.get(id);
    const kept = await readFile(path).catch(() => null);
    const before = kept && store.cover.open(kept);
    if (before) {
      const now = new Date();
      await utimes(path, now, now).catch(() => {});
      return { bytes: before, mediaType: 'image/png' };
    }
    const from = libraryFile(documentFiles, { hash, name }, passwordOf(id));
    const picture = await reader.showPage(from, page, { width, signal }).catch((thrown: unknown) => {
      const error = toLoupeError(thrown);
      if (error.code === 'document_locked') onLocked(id, error.toFailure());
      throw thrown;
    });
    if (signal.aborted) throw stopped();
    // A full disk, or one that may not be written to, only costs the next drawing.
    if (keepsText && documents.find(hash)) await keep(dirname(path), basename(path), picture.bytes).catch(() => {});
    // It may have been removed while its picture was being written.
    if (!documents.find(hash)) await forget(hash);
    return picture;
  }

  async function end(those: readonly Drawing[]): Promise<void> {
    for (const { abort } of those) abort.abort();
    await Promise.allSettled(those.map(({ picture }) => picture));
  }

  async function forget(hash: string): Promise<void> {
    await rm(folderOf(hash), { recursive: true, force: true });
  }

  async function evict(): Promise<void> {
    written = 0;
    const kept = (await keptIn(directory)).sort((one, other) => other.usedAt - one.usedAt);
    let sum = 0;
    for (const { path, bytes } of kept) {
      sum += bytes;
      if (sum > mostBytes) await rm(path, { force: true });
    }
  }

  return {
    async show(id, page, width) {
      if (!pageWidths.some((drawn) => drawn === width)) throw new LoupeError('not_found', `Pages are not drawn ${width} pixels wide.`);
      if (isClosed) throw stopped();
      const { hash } = documents.get(id);
      documents.page(id, page);
      const path = join(folderOf(hash), `${page}-${width}.png`);
      const before = drawings.get(path);
      if (before) return before.picture;
      const abort = new AbortController();
      const picture = keptOrDrawn(id, page, width, path, abort.signal).finally(() => drawings.delete(path));
      drawings.set(path, { hash, abort, picture });
      return picture;
    },

    async remove(hash) {
      await end([...drawings.values()].filter((drawing) => drawing.hash === hash));
      await forget(hash);
    },

    async prune() {
      const wanted = new Set(documents.list().map(({ hash }) => folderOf(hash)));
      for (const name of await readdir(directory).catch(() => []))
        if (!wanted.has(join(directory, name))) await rm(join(directory, name), { recursive: true, force: true });
    },

    async close() {
      isClosed = true;
      await end([...drawings.values()]);
    },
  };
}

function stopped(): LoupeError {
  return new LoupeError('cancelled', 'Drawing the page was stopped.');
}

async function keptIn(directory: string): Promise<Kept[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const kept: Kept[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const facts = await stat(path).catch(() => null);
    if (facts) kept.push({ path, bytes: facts.size, usedAt: facts.mtimeMs });
  }
  return kept;
}
