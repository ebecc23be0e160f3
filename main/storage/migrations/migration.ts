import type { Database } from 'better-sqlite3';

/**
 * One step of the schema, never changed once released. Runs inside a transaction with foreign
 * keys unchecked until its end, so that tables can be rebuilt.
 */
export interface Migration {
  /** The database's `user_version` afterwards: 1, 2, 3 ... */
  version: number;
  name: string;
  up(database: Database): void;
}
