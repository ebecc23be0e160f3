/** What SQLite and the file system throw, in our words. */
import Database from './sqlite.ts';
import { LoupeError, type ErrorCode } from '../errors.ts';
import { databasePath, listBackups } from './backups.ts';

/** Runs `action`; what it throws comes out as a `LoupeError` that names `directory`. Faults in our own code pass as they are. */
export function withStoreErrors<T>(directory: string, action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    throw storeError(directory, thrown);
  }
}

export function storeError(directory: string, thrown: unknown): unknown {
  if (thrown instanceof LoupeError || !(thrown instanceof Error)) return thrown;
  const code = storeCode(thrown);
  if (code === null) return thrown;
  // How the system calls it says nothing more.
  if (code === 'store_full')
    return new LoupeError(code, `${happened(code, directory)}, so nothing new can be kept.`, undefined, { cause: thrown });
  const what = `${happened(code, directory)} (${thrown.message})`;
  return code === 'store_damaged' ? damaged(directory, what, thrown) : new LoupeError(code, `${what}.`, undefined, { cause: thrown });
}

/** With the way back, which the window shows as well. A log left beside a backup that was put in place would be written into it. */
export function damaged(directory: string, what: string, cause?: unknown): LoupeError {
  const [newest] = listBackups(directory);
  const path = databasePath(directory);
  const nextStep = newest
    ? `Restore a backup: Loupe’s window lists them. By hand: close Loupe, move ${path} and, where it exists, loupe.db-wal ` +
      `to another folder, and copy ${newest.path} to ${path}.`
    : `There is no backup yet. Keep a copy of ${directory}; in Loupe’s window you can start over; the damaged file is kept.`;
  return new LoupeError('store_damaged', `${what}. Nothing was deleted.`, nextStep, { cause });
}

type StoreCode = Extract<ErrorCode, `store_${string}`>;

function storeCode(error: Error): StoreCode | null {
  const { code } = error as Error & { code?: unknown };
  if (typeof code !== 'string') return null;
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE' || code === 'ENOSPC' || code === 'EDQUOT') return 'store_full';
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return 'store_damaged';
  if (code.startsWith('SQLITE_BUSY')) return 'store_locked';
  if (code.startsWith('SQLITE_READONLY') || code === 'EROFS') return 'store_read_only';
  return error instanceof Database.SqliteError || 'syscall' in error ? 'store_failed' : null;
}

function happened(code: StoreCode, directory: string): string {
  switch (code) {
    case 'store_full':
      return `The disk that holds ${directory} is full`;
    case 'store_damaged':
      return `The database in ${directory} is damaged`;
    case 'store_locked':
      return `Another program is using the database in ${directory}`;
    case 'store_read_only':
      return `The folder ${directory} cannot be written to`;
    case 'store_newer':
    case 'store_failed':
      return `The data in ${directory} cannot be read or written`;
    default:
      return code satisfies never;
  }
}
