/** Opens the database of a data folder: examined before anything is changed, then brought to the newest schema. */
import Database from 'better-sqlite3';
import { existsSync, statSync } from 'node:fs';
import { LoupeError } from '../services/errors.ts';
import { backUpBeforeMigration, databasePath, listBackups } from './backups.ts';
import { damaged } from './errors.ts';
import type { Migration } from './migrations/migration.ts';

/** "Loup", in SQLite's header. */
const applicationId = 0x4c6f7570;

/** Throws `LoupeError`s and what SQLite throws; the old database is then as it was. */
export function openDatabase(directory: string, migrations: readonly Migration[], now: number): Database.Database {
  const path = databasePath(directory);
  refuseEmpty(directory);
  const database = new Database(path, { timeout: 5000 });
  try {
    examine(database, directory, migrations);
    configure(database);
    migrate(database, directory, migrations, now);
    return database;
  } catch (error) {
    database.close();
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

function version(database: Database.Database): number {
  return database.pragma('user_version', { simple: true }) as number;
}

/**
 * SQLite takes an empty or missing file for a new database and removes the log beside it. Ours
 * has neither log nor backups before its first page is written.
 */
function refuseEmpty(directory: string): void {
  const path = databasePath(directory);
  const size = (name: string) => statSync(name, { throwIfNoEntry: false })?.size ?? 0;
  if (size(path) > 0) return;
  if (size(`${path}-wal`) > 0) throw damaged(directory, `${path} is empty or gone, and ${path}-wal is still there`);
  if (existsSync(path) && listBackups(directory).length > 0) throw damaged(directory, `${path} is empty`);
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
  if (version(database) === 0) database.pragma('auto_vacuum = incremental');
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
