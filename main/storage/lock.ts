/**
 * One process per folder. The lock is an exclusive transaction on a small database beside
 * what it guards: the operating system ends it with the process, however that dies, so that no
 * stale lock can be left behind.
 */
import Database from './sqlite.ts';
import { join } from 'node:path';
import { LoupeError } from '../errors.ts';

/** Kept reachable: garbage collection would release the lock. */
const held = new Set<Database.Database>();

/** Returns the function that unlocks it. Throws `store_locked`. */
export function lockDirectory(directory: string): () => void {
  return lock(join(directory, 'loupe.lock'), 250, () => new LoupeError('store_locked', `Another Loupe is using ${directory}.`));
}

/** As `lockDirectory`, for a folder that a model is downloaded into. Throws `download_locked` and `file_unwritable`. */
export function lockDownload(directory: string): () => void {
  try {
    return lock(
      join(directory, '.loupe.lock'),
      0,
      () => new LoupeError('download_locked', `Another Loupe is downloading into ${directory}.`),
    );
  } catch (error) {
    if (error instanceof LoupeError) throw error;
    throw new LoupeError('file_unwritable', `${directory} cannot be taken for a download (${(error as Error).message}).`, undefined, {
      cause: error,
    });
  }
}

/** Waits so long, and nothing else runs meanwhile. */
function lock(path: string, timeout: number, taken: () => LoupeError): () => void {
  const database = new Database(path, { timeout });
  try {
    // Nothing is ever written: with a journal on the disk, a full one could not be locked.
    database.pragma('journal_mode = memory');
    database.exec('begin exclusive');
  } catch (error) {
    database.close();
    const { code } = error as { code?: string };
    if (code?.startsWith('SQLITE_BUSY')) throw taken();
    if (code === 'SQLITE_NOTADB')
      throw new LoupeError(
        'store_failed',
        `${path} is not the lock that Loupe made.`,
        'Delete this file and start again; it holds no data.',
        { cause: error },
      );
    throw error;
  }
  held.add(database);
  return () => {
    held.delete(database);
    database.close();
  };
}
