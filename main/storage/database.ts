/** Opens the database of a data folder: examined before anything is changed, then brought to the newest schema. */
import Database from 'better-sqlite3';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LoupeError } from '../services/errors.ts';
import { backUpBeforeMigration, listBackups } from './backups.ts';
import type { Migration } from './migrations/migration.ts';

/** "Loup", in SQLite's header. */
const applicationId = 0x4c6f7570;

export function databasePath(directory: string): string {
  return join(directory, 'loupe.db');
}

/** Throws `store_damaged`, `store_newer`, `store_failed` and what SQLite throws; the old database is then as it was. */
export function openDatabase(directory: string, migrations: readonly Migration[], now: number): Database.Database {
  const path = databasePath(directory);
  // SQLite takes an empty file for a new database. Ours is never empty, except when its creation was cut short.
  if (existsSync(path) && statSync(path).size === 0 && listBackups(directory).length > 0) throw damaged(directory, `${path} is empty`);
  const database = new Database(path, { timeout: 5000 });
  try {
    examine(database, directory, migrations);
    configure(database);
    migrate(database, directory, migrations, now);
    return database;
  } catch (error) {
    database.close();
    const { code } = error as { code?: unknown };
    if (typeof code === 'string' && (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB')) throw damaged(directory, `${path} is damaged`, error);
    throw error;
  }
}

/** Runs `write` as one transaction. */
export function transaction<T>(database: Database.Database, write: () => T): T {
  return database.transaction(write).immediate();
}

/**
 * For writes that follow each other closely: they survive the end of the process at once, and a
 * power cut with the next flush, which is not worth waiting for each time.
 */
export function unflushed(database: Database.Database, write: () => void): void {
  database.pragma('synchronous = normal');
  try {
    write();
  } finally {
    database.pragma('synchronous = full');
  }
}

export function version(database: Database.Database): number {
  return database.pragma('user_version', { simple: true }) as number;
}

function examine(database: Database.Database, directory: string, migrations: readonly Migration[]): void {
  const known = migrations.at(-1)?.version ?? 0;
  const found = version(database);
  const tables = database.prepare('select count(*) from sqlite_schema').pluck().get() as number;
  if (tables > 0 && database.pragma('application_id', { simple: true }) !== applicationId) {
    throw damaged(directory, `${database.name} is a database, but not one of Loupe`);
  }
  if (found > known) throw new LoupeError('store_newer', `${database.name} was written by a newer Loupe (version ${found} of the database; this one knows ${known}).`);
}

function configure(database: Database.Database): void {
  // Of a new database; where there are tables it does nothing.
  database.pragma('auto_vacuum = incremental');
  database.pragma('journal_mode = wal');
  database.pragma('synchronous = full');
  database.pragma('foreign_keys = on');
  // Freed parts of pages are overwritten, and the sweep gives freed pages back: deleted is deleted.
  database.pragma('secure_delete = fast');
}

/** All that is due, or nothing. */
function migrate(database: Database.Database, directory: string, migrations: readonly Migration[], now: number): void {
  const from = version(database);
  const due = migrations.filter((migration) => migration.version > from);
  if (due.length === 0) return;
  if (from > 0) {
    const [{ quick_check: finding }] = database.pragma('quick_check(1)') as [{ quick_check: string }];
    if (finding !== 'ok') throw damaged(directory, `${database.name} is damaged (${finding})`);
    backUpBeforeMigration(database, directory, from, now);
  }
  // Cannot be changed inside the transaction.
  database.pragma('foreign_keys = off');
  transaction(database, () => {
    database.pragma(`application_id = ${applicationId}`);
    for (const migration of due) apply(database, migration);
    const [orphan] = database.pragma('foreign_key_check') as { table: string }[];
    if (orphan) throw new LoupeError('store_failed', `${database.name} could not be brought to version ${due.at(-1)?.version}: a row of "${orphan.table}" refers to nothing. It is as it was before.`);
  });
  database.pragma('foreign_keys = on');
}

function apply(database: Database.Database, migration: Migration): void {
  try {
    migration.up(database);
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    if (code === 'SQLITE_FULL' || (typeof code === 'string' && code.startsWith('SQLITE_CORRUPT'))) throw error;
    throw new LoupeError(
      'store_failed',
      `${database.name} could not be brought to version ${migration.version} (${migration.name}): ${message}. It is as it was before.`,
      'Go on with the Loupe that you had, and report this with these words.',
      { cause: error },
    );
  }
  database.pragma(`user_version = ${migration.version}`);
}

function damaged(directory: string, what: string, cause?: unknown): LoupeError {
  const [newest] = listBackups(directory);
  const path = databasePath(directory);
  const nextStep = newest
    ? `Close Loupe, move ${path} and, where they exist, loupe.db-wal and loupe.db-shm to another folder, and copy ${newest.path} to ${path}.`
    : `There is no backup yet. Close Loupe and keep a copy of ${directory}; without loupe.db in it, Loupe begins anew.`;
  return new LoupeError('store_damaged', `${what}. Nothing was deleted.`, nextStep, { cause });
}
