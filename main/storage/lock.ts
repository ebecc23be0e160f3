/**
 * One process per folder. The lock is an exclusive transaction on a small database beside
 * what it guards: the operating system ends it with the process, however that dies, so that no
 * stale lock can be left behind.
 */
import Database from 'better-sqlite3';
import { join } from 'node:path';
import { LoupeError } from '../services/errors.ts';

/** Answers how to let go. Throws `store_locked`. */
export function lockDirectory(directory: string): () => void {
  return lock(join(directory, 'loupe.lock'), () => new LoupeError('store_locked', `Another Loupe is using ${directory}.`));
}

/** As `lockDirectory`, for a folder that a model is downloaded into. Throws `download_locked`. */
export function lockDownload(directory: string): () => void {
  return lock(join(directory, '.loupe.lock'), () => new LoupeError('download_locked', `Another Loupe is downloading into ${directory}.`));
}

function lock(path: string, taken: () => LoupeError): () => void {
  const database = new Database(path, { timeout: 250 });
  try {
    database.exec('begin exclusive');
  } catch (error) {
    database.close();
    const { code } = error as { code?: string };
    if (code?.startsWith('SQLITE_BUSY')) throw taken();
    if (code === 'SQLITE_NOTADB') throw new LoupeError('store_failed', `${path} is not the lock that Loupe made.`, 'Delete this file and start again; it holds no data.', { cause: error });
    throw error;
  }
  return () => {
    database.close();
  };
}
