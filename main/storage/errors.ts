/** What SQLite and the file system throw, in our words. */
import Database from 'better-sqlite3';
import { LoupeError, type ErrorCode } from '../services/errors.ts';

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
  return code ? new LoupeError(code, `${happened(code, directory)} (${thrown.message}).`, undefined, { cause: thrown }) : thrown;
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
      return `The history in ${directory} cannot be read or written`;
    default:
      return code satisfies never;
  }
}
