/**
 * Where the bytes of pictures lie: in files `pictures/ab/<hash>` of the data folder, with `<hash>.thumb` and, where a browser needs
 * one, `<hash>.display` beside them, sealed where the folder is encrypted; or in memory.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolderSync } from '../make-folder.ts';
import { opened, openedLength, sealed } from '../sealed-file.ts';
import { keysOf } from './vault/folder-keys.ts';
import { keysToWrite } from './vault/refuse.ts';
import { flushFolder } from './vault/header.ts';

/** As it came, small, and as a browser can show it. */
export type PictureForm = 'original' | 'thumbnail' | 'display';

export interface PictureShelf {
  /** Null where it is not there. */
  find(hash: string, form: PictureForm): { path: string } | { bytes: Uint8Array } | null;
  put(hash: string, form: PictureForm, bytes: Uint8Array): void;
  /** In all its forms. */
  remove(hash: string): void;
}

/** Files that are not whole yet; the sweep removes what a dying process left. */
export function incomingDirectory(directory: string): string {
  return join(directory, 'pictures', 'incoming');
}

export function pictureFiles(directory: string, hash: string): Record<PictureForm, string> {
  const original = join(directory, 'pictures', hash.slice(0, 2), hash);
  return { original, thumbnail: `${original}.thumb`, display: `${original}.display` };
}

export function shelfOnDisk(directory: string): PictureShelf {
  return {
    find: (hash, form) => {
      const path = pictureFiles(directory, hash)[form];
      if (!existsSync(path)) return null;
      const keys = keysOf(directory);
      if (!keys) return { path };
      // What was changed, or never sealed, is as good as missing: adding the picture again completes it.
      const bytes = opened(keys.files, readFileSync(path));
      return bytes && { bytes };
    },
    put: (hash, form, bytes) => writeWhole(directory, pictureFiles(directory, hash)[form], bytes),
    remove: (hash) => {
      for (const path of Object.values(pictureFiles(directory, hash))) rmSync(path, { force: true });
    },
  };
}

/** Overwritten with zeros when it is cleared. */
export function shelfInMemory(): PictureShelf & { hashes(): string[]; clear(): void } {
  const pictures = new Map<string, Map<PictureForm, Uint8Array>>();

  function remove(hash: string): void {
    for (const bytes of pictures.get(hash)?.values() ?? []) bytes.fill(0);
    pictures.delete(hash);
  }

  return {
    find: (hash, form) => {
      const bytes = pictures.get(hash)?.get(form);
      return bytes ? { bytes } : null;
    },
    put: (hash, form, bytes) => {
      const forms = pictures.get(hash) ?? new Map<PictureForm, Uint8Array>();
      // A copy: what came may be part of something larger, or be used again.
      pictures.set(hash, forms.set(form, Uint8Array.from(bytes)));
    },
    remove,
    hashes: () => [...pictures.keys()],
    clear: () => {
      for (const hash of pictures.keys()) remove(hash);
    },
  };
}

/** Under its name there is the whole file or none. */
function writeWhole(directory: string, path: string, bytes: Uint8Array): void {
  const keys = keysToWrite(directory);
  if (existsSync(path) && isWhole(path, bytes.length, keys?.files)) return;
  const incoming = join(incomingDirectory(directory), randomUUID());
  makeFolderSync(dirname(incoming));
  makeFolderSync(dirname(path));
  try {
    const handle = openSync(incoming, 'wx');
    try {
      const written = keys ? sealed(keys.files, bytes) : bytes;
      for (let done = 0; done < written.length;) done += writeSync(handle, written, done);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(incoming, path);
  } catch (error) {
    rmSync(incoming, { force: true });
    throw error;
  }
  flushFolder(dirname(path));
}

/** It holds so many bytes, and can be read. */
function isWhole(path: string, length: number, key: Buffer | undefined): boolean {
  const { size } = statSync(path);
  if (!key) return size === length;
  return openedLength(size) === length && opened(key, readFileSync(path)) !== null;
}
