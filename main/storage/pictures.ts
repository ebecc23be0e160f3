/**
 * Pictures: a row for each, and its files `pictures/ab/<hash>`, with `<hash>.thumb` and, where a
 * browser needs one, `<hash>.display` beside it. The row is stored before the files, so that no
 * file is ever without one; a row whose files are missing belongs to an `add` that did not
 * return, and the next one completes it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolderSync } from '../make-folder.ts';
import type { PictureOrigin } from '../contract.ts';
import { fileType } from '../file-type.ts';
import { LoupeError } from '../errors.ts';
import type { Clock, PictureStore, StoredFile } from '../services/ports.ts';
import { transaction } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { pictureTextCommands, pictureTextQueries } from './picture-texts.ts';
import { pictureColumns, toPicture, type PictureRow } from './rows.ts';

type StoredRow = PictureRow & { mediaType: string; hasDisplay: number };

export interface PictureFiles {
  original: string;
  thumbnail: string;
  display: string;
}

/** Files that are not whole yet; the sweep removes what a dying process left. */
export function incomingDirectory(directory: string): string {
  return join(directory, 'pictures', 'incoming');
}

export function pictureFiles(directory: string, hash: string): PictureFiles {
  const original = join(directory, 'pictures', hash.slice(0, 2), hash);
  return { original, thumbnail: `${original}.thumb`, display: `${original}.display` };
}

export type PictureQueries = Pick<PictureStore, 'get' | 'find' | 'nextUnread' | 'original' | 'shown'>;
export type PictureCommands = Omit<PictureStore, keyof PictureQueries>;

const storedRow = `select ${pictureColumns}, media_type as mediaType, has_display as hasDisplay from pictures where hash = ?`;

export function pictureQueries(database: ReadDatabase, directory: string): PictureQueries {
  const stored = database.prepare<[string], StoredRow>(storedRow);

  function get(hash: string): StoredRow {
    const row = stored.get(hash);
    if (!row) throw new LoupeError('not_found', `There is no picture ${hash}.`);
    return row;
  }

  function file(row: StoredRow, path: string, mediaType: string): StoredFile {
    if (!existsSync(path))
      throw new LoupeError('not_found', `The file of the picture ${row.name} is missing (${path}).`, 'Add the picture again.');
    return { path, mediaType };
  }

  return {
    ...pictureTextQueries(database),

    get: (hash) => toPicture(get(hash)),

    find: (hash) => {
      const row = stored.get(hash);
      return row && existsSync(pictureFiles(directory, hash).original) ? toPicture(row) : null;
    },

    original: (hash) => {
      const row = get(hash);
      return file(row, pictureFiles(directory, hash).original, row.mediaType);
    },

    shown: (hash, scale) => {
      const row = get(hash);
      const files = pictureFiles(directory, hash);
      if (scale === 'thumb') return file(row, files.thumbnail, 'image/webp');
      return row.hasDisplay ? file(row, files.display, 'image/png') : file(row, files.original, row.mediaType);
    },
  };
}

export function pictureCommands(database: WriteDatabase, clock: Clock, directory: string): PictureCommands {
  const statements = {
    stored: database.prepare<[string], StoredRow>(storedRow),
    insert: database.prepare<[string, string, number, number, number, string, number, string, number]>(
      'insert into pictures (hash, name, width, height, bytes, media_type, has_display, origin, touched_at) ' +
        'values (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    insertSource: database.prepare<[string, string]>('insert or ignore into picture_sources (picture, source) values (?, ?)'),
    touch: database.prepare<[number, string]>('update pictures set touched_at = ? where hash = ?'),
    remove: database.prepare<[string]>('delete from pictures where hash = ?'),
  };

  function remove(hash: string): void {
    for (const path of Object.values(pictureFiles(directory, hash))) rmSync(path, { force: true });
    statements.remove.run(hash);
  }

  return {
    ...pictureTextCommands(database),

    add: ({ bytes, name, width, height, origin, thumbnail, display }) => {
      const hash = createHash('sha256').update(bytes).digest('hex');
      const isNew = transaction(database, () => {
        const now = clock.now();
        if (statements.touch.run(now, hash).changes === 1) return false;
        const hasDisplay = Number(display !== null);
        statements.insert.run(hash, name, width, height, bytes.length, mediaTypeOf(bytes), hasDisplay, JSON.stringify(origin), now);
        for (const source of sourcesOf(origin)) statements.insertSource.run(hash, source);
        return true;
      });
      const row = statements.stored.get(hash)!;
      const files = pictureFiles(directory, hash);
      try {
        if (row.hasDisplay && display) writeWhole(directory, files.display, display);
        writeWhole(directory, files.thumbnail, thumbnail);
        writeWhole(directory, files.original, bytes);
      } catch (error) {
        if (isNew) remove(hash);
        throw error;
      }
      return toPicture(row);
    },

    touch: (hash) => void statements.touch.run(clock.now(), hash),
  };
}

function sourcesOf(origin: PictureOrigin): string[] {
  return 'of' in origin ? [origin.of].flat() : [];
}

/** Under its name there is the whole file or none. */
function writeWhole(directory: string, path: string, bytes: Uint8Array): void {
  if (existsSync(path) && statSync(path).size === bytes.length) return;
  const incoming = join(incomingDirectory(directory), randomUUID());
  makeFolderSync(dirname(incoming));
  makeFolderSync(dirname(path));
  try {
    const handle = openSync(incoming, 'wx');
    try {
      for (let written = 0; written < bytes.length;) written += writeSync(handle, bytes, written);
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

function flushFolder(path: string): void {
  // Windows neither needs nor allows it.
  if (process.platform === 'win32') return;
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** By the first bytes, of the formats that pictures can have. */
function mediaTypeOf(bytes: Uint8Array): string {
  const type = fileType(bytes);
  return type === null || type === 'pdf' || type === 'gguf' ? 'application/octet-stream' : `image/${type}`;
}
