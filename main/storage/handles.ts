/**
 * Two handles on a database, told apart by type. A module of queries takes a `ReadDatabase`, a module of commands a
 * `WriteDatabase`; neither takes a bare `Database`, and what writes does not compile with a handle that only reads.
 */
import type { Database } from 'better-sqlite3';

declare const reads: unique symbol;
declare const writes: unique symbol;

/** A prepared statement that returns rows and changes nothing. */
export interface Query<Parameters extends unknown[], Row> {
  get(...parameters: Parameters): Row | undefined;
  all(...parameters: Parameters): Row[];
  iterate(...parameters: Parameters): IterableIterator<Row>;
  /** Rows are their first column from now on. */
  pluck(): this;
}

/** For reading. On a disk that cannot be written to there is no other. */
export interface ReadDatabase {
  readonly [reads]: true;
  /** Throws for a statement that would write, before it runs. */
  prepare<Parameters extends unknown[] | object = [], Row = unknown>(
    sql: string,
  ): Query<Parameters extends unknown[] ? Parameters : [Parameters], Row>;
}

/** For everything. */
export type WriteDatabase = Database & { readonly [writes]: true };

export function readHandle(database: Database): ReadDatabase {
  const handle = {
    prepare(sql: string) {
      const statement = database.prepare(sql);
      if (!statement.readonly) throw new Error(`This statement writes, and its handle is for reading: ${sql}`);
      return statement;
    },
  };
  return handle as unknown as ReadDatabase;
}

/** Of a database that has been opened for writing, and brought to the newest schema. */
export function writeHandle(database: Database): WriteDatabase {
  return database as WriteDatabase;
}
