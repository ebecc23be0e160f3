/** Pages as pictures for windows: drawn when they are asked for, and kept on the disk for the next time. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pageWidths } from '../../contract.ts';
import { LoupeError, toLoupeError, type Failure } from '../../errors.ts';
import { makeFolder } from '../../make-folder.ts';
import { libraryFile } from './library-file.ts';
import type { DocumentReader, PagePicture, Store } from '../ports.ts';

export interface PagePicturesOptions {
  store: Pick<Store, 'documents' | 'documentFiles'>;
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
  /** `width` is one of `pageWidths`. Rejects with `not_found`, and as the reader does. */
  show(id: number, page: number, width: number): Promise<PagePicture>;
  /** Forgets every picture of a document. */
  remove(hash: string): Promise<void>;
  /** Forgets those of documents that are gone, as after a removal that was cut off. */
  prune(): Promise<void>;
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

  const folderOf = (hash: string): string => join(directory, hash);

  async function keep(folder: string, name: string, bytes: Uint8Array): Promise<void> {
    await makeFolder(folder, 0o700);
    const incoming = join(folder, randomUUID());
    await writeFile(incoming, bytes, { mode: 0o600 });
    await rename(incoming, join(folder, name));
    written += bytes.length;
    // Looked through now and then: a folder of ten thousand files takes a moment.
    if (written > mostBytes / 16) await evict();
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
      const { hash, name } = documents.get(id);
      documents.page(id, page);
      const folder = folderOf(hash);
      const file = `${page}-${width}.png`;
      const before = await readFile(join(folder, file)).catch(() => null);
      if (before) {
        const now = new Date();
        await utimes(join(folder, file), now, now).catch(() => {});
        return { bytes: before, mediaType: 'image/png' };
      }
      const from = libraryFile(documentFiles, { hash, name }, passwordOf(id));
      const picture = await reader.showPage(from, page, { width }).catch((thrown: unknown) => {
        const error = toLoupeError(thrown);
        if (error.code === 'document_locked') onLocked(id, error.toFailure());
        throw thrown;
      });
      // A full disk, or one that may not be written to, only costs the next drawing.
      if (documents.find(hash)) await keep(folder, file, picture.bytes).catch(() => {});
      // It may have been removed while its picture was being written.
      if (!documents.find(hash)) await forget(hash);
      return picture;
    },

    remove: forget,

    async prune() {
      const wanted = new Set(documents.list().map(({ hash }) => folderOf(hash)));
      for (const name of await readdir(directory).catch(() => []))
        if (!wanted.has(join(directory, name))) await rm(join(directory, name), { recursive: true, force: true });
    },
  };
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
