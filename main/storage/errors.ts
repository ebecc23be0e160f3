/** What SQLite and the file system throw, in our words. */
import Database from 'better-sqlite3';
import { LoupeError, type ErrorCode } from '../services/errors.ts';
import { databasePath, listBackups } from './backups.ts';

/** Runs `action`; what it throws comes out as a `LoupeError` that names `directory`. Faults in our own code pass as they are. */
export function inStoreWords<T>(directory: string, action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    throw storeError(directory, thrown);
  }
}

/** The same object with every method run by `inStoreWords`. */
export function withStoreErrors<Port extends object>(directory: string, port: Port): Port {
  const methods = Object.entries(port) as [string, (...input: unknown[]) => unknown][];
  return Object.fromEntries(methods.map(([name, method]) => [name, (...input: unknown[]) => inStoreWords(directory, () => method(...input))])) as Port;
}

export function storeError(directory: string, thrown: unknown): unknown {
  if (thrown instanceof LoupeError || !(thrown instanceof Error)) return thrown;
  const code = storeCode(thrown);
  if (code === null) return thrown;
  const what = `${happened(code, directory)} (${thrown.message})`;
  return code === 'store_damaged' ? damaged(directory, what, thrown) : new LoupeError(code, `${what}.`, undefined, { cause: thrown });
}

/** With the way back. A log left beside a backup that was put in place would be written into it. */
export function damaged(directory: string, what: string, cause?: unknown): LoupeError {
  const [newest] = listBackups(directory);
  const path = databasePath(directory);
  const nextStep = newest
    ? `Close Loupe, move ${path} and, where they exist, loupe.db-wal and loupe.db-shm to another folder, and copy ${newest.path} to ${path}.`
    : `There is no backup yet. Close Loupe and keep a copy of ${directory}; without loupe.db and loupe.db-wal in it, Loupe begins anew.`;
  return new LoupeError('store_damaged', `${what}. Nothing was deleted.`, nextStep, { cause });
}

type StoreCode = Extract<ErrorCode, `store_${string}`>;

function storeCode(error: Error): StoreCode | null {
  const { code } = error as Error & { code?: unknown };
  if (typeof code !== 'string') return null;
  if (code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE' || code === 'ENOSPC' || code === 'EDQUOT') return 'store_full';
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return 'store_damaged';
  if (code.startsWith('SQLITE_BUSY')) return 'store_locked';
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
    case 'store_newer':
    case 'store_failed':
      return `The data in ${directory} cannot be read or written`;
    default:
      return code satisfies never;
  }
}
