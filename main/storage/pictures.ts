/**
 * Pictures: a row for each, and its bytes on a shelf (`picture-shelf.ts`). The row is stored before the bytes, so that nothing is
 * ever on a shelf without one; a row whose bytes are missing belongs to an `add` that did not return, and the next one completes it.
 */
import { createHash } from 'node:crypto';
import type { PictureOrigin } from '../contract.ts';
import { fileType } from '../file-type.ts';
import { LoupeError } from '../errors.ts';
import type { Clock, PictureStore, StoredFile } from '../services/ports.ts';
import { transaction } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import type { PictureForm, PictureShelf } from './picture-shelf.ts';
import { pictureTextCommands, pictureTextQueries } from './picture-texts.ts';
import { pictureColumns, toPicture, type PictureRow } from './rows.ts';

type StoredRow = PictureRow & { mediaType: string; hasDisplay: number };

export type PictureQueries = Pick<PictureStore, 'get' | 'find' | 'nextUnread' | 'original' | 'shown'>;
export type PictureCommands = Omit<PictureStore, keyof PictureQueries>;

const storedRow = `select ${pictureColumns}, media_type as mediaType, has_display as hasDisplay from pictures where hash = ?`;

export function pictureQueries(database: ReadDatabase, shelf: PictureShelf): PictureQueries {
  const stored = database.prepare<[string], StoredRow>(storedRow);

  function get(hash: string): StoredRow {
    const row = stored.get(hash);
    if (!row) throw new LoupeError('not_found', `There is no picture ${hash}.`);
    return row;
  }

  function file(row: StoredRow, form: PictureForm, mediaType: string): StoredFile {
    const found = shelf.find(row.hash, form);
    if (!found) throw new LoupeError('not_found', `The file of the picture ${row.name} is missing.`, 'Add the picture again.');
    return { ...found, mediaType };
  }

  return {
    ...pictureTextQueries(database),

    get: (hash) => toPicture(get(hash)),

    find: (hash) => {
      const row = stored.get(hash);
      return row && shelf.find(hash, 'original') ? toPicture(row) : null;
    },

    original: (hash) => {
      const row = get(hash);
      return file(row, 'original', row.mediaType);
    },

    shown: (hash, scale) => {
      const row = get(hash);
      if (scale === 'thumb') return file(row, 'thumbnail', 'image/webp');
      return row.hasDisplay ? file(row, 'display', 'image/png') : file(row, 'original', row.mediaType);
    },
  };
}

export function pictureCommands(database: WriteDatabase, clock: Clock, shelf: PictureShelf): PictureCommands {
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
    shelf.remove(hash);
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
      try {
        if (row.hasDisplay && display) shelf.put(hash, 'display', display);
        shelf.put(hash, 'thumbnail', thumbnail);
        shelf.put(hash, 'original', bytes);
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

/** By the first bytes, of the formats that pictures can have. */
function mediaTypeOf(bytes: Uint8Array): string {
  const type = fileType(bytes);
  return type === null || type === 'pdf' || type === 'gguf' ? 'application/octet-stream' : `image/${type}`;
}
