/** Opens the database of a data folder: examined before anything is changed, then brought to the newest schema. */
import Database from './sqlite.ts';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LoupeError } from '../errors.ts';
import { backUpBeforeMigration, databasePath, listBackups } from './backups.ts';
import { applicationId, openBytes, schemaProblem } from './check.ts';
import { damaged } from './errors.ts';
import { writeHandle, type WriteDatabase } from './handles.ts';
import type { Migration } from './migrations/migration.ts';
import { keysOf, withKey } from './vault/folder-keys.ts';

/** Pages of the log after which SQLite writes them into the database by itself. */
const checkpointPages = 1000;

/**
 * The file is not written to before `allowCheckpoints`: what is new stays in the log beside it.
 * Throws `LoupeError`s and what SQLite throws; the old database is then as it was.
 */
export function openDatabase(directory: string, migrations: readonly Migration[], now: number): WriteDatabase {
  refuseEmpty(directory);
  try {
    return open(directory, migrations, now, 'normal');
  } catch (error) {
    // On a full disk there is no room for the index of the log, which can be in memory where nobody else uses the database.
    if (!isFull(error) || sizeOf(databasePath(directory)) === 0) throw error;
    return open(directory, migrations, now, 'exclusive');
  }
}

/** A new one, whatever else is in the folder. Throws what SQLite throws. */
export function createDatabase(directory: string, migrations: readonly Migration[], now: number): void {
  open(directory, migrations, now, 'normal').close();
}

function open(directory: string, migrations: readonly Migration[], now: number, lockingMode: 'normal' | 'exclusive'): WriteDatabase {
  const database = opened(directory, databasePath(directory), { timeout: 5000 });
  try {
    database.pragma(`locking_mode = ${lockingMode}`);
    examine(database, directory, migrations);
    configure(database);
    migrate(database, directory, migrations, now, backUpBeforeMigration);
    return writeHandle(database);
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * The database as it is, in memory: for a disk that cannot be written to. Brought to the newest schema,
 * with unfinished answers marked as interrupted; after that, writing fails.
 */
export function openSnapshot(directory: string, migrations: readonly Migration[], now: number): Database.Database {
  refuseEmpty(directory);
  const database = openBytes(wholeBytes(directory));
  try {
    examine(database, directory, migrations);
    migrate(database, directory, migrations, now, () => {});
    database.exec("update messages set state = 'interrupted' where state = 'streaming'");
    database.pragma('query_only = on');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * The database that another Loupe has open, read while that one writes: what it has committed is seen at once.
 * Throws `store_newer`, and `store_locked` where it is of an older version, which only its owner may change.
 */
export function openBeside(directory: string, migrations: readonly Migration[]): Database.Database {
  const database = opened(directory, databasePath(directory), { readonly: true, fileMustExist: true, timeout: 5000 });
  try {
    examine(database, directory, migrations);
    if (version(database) !== migrations.at(-1)?.version)
      throw new LoupeError('store_locked', `Another Loupe, of an older version, is using ${directory}.`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * The database with the contents of its log. To read a log, SQLite has to write: for a moment into a private
 * folder, or on a full disk into the place itself.
 */
export function wholeBytes(directory: string): Buffer {
  const path = databasePath(directory);
  if (logBytes(directory) === 0 && !keysOf(directory)) return readFileSync(path);
  const folder = mkdtempSync(join(tmpdir(), 'loupe-'));
  try {
    const copy = databasePath(folder);
    copyFileSync(path, copy);
    if (logBytes(directory) > 0) copyFileSync(`${path}-wal`, `${copy}-wal`);
    return serialized(directory, copy, 'normal');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOSPC') throw error;
    return serialized(directory, path, 'exclusive');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function serialized(directory: string, path: string, lockingMode: 'normal' | 'exclusive'): Buffer {
  const database = opened(directory, path);
  try {
    database.pragma(`locking_mode = ${lockingMode}`);
    return database.serialize();
  } finally {
    database.close();
  }
}

/** With the key of its folder, where that is encrypted. */
function opened(directory: string, path: string, options?: Database.Options): Database.Database {
  return withKey(new Database(path, options), keysOf(directory)?.database ?? null);
}

/** From now on the log is written into the database as it grows. */
export function allowCheckpoints(database: WriteDatabase): void {
  database.pragma(`wal_autocheckpoint = ${checkpointPages}`);
}

export function forbidCheckpoints(database: Database.Database): void {
  database.pragma('wal_autocheckpoint = 0');
}

function isFull(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE' || code === 'SQLITE_IOERR_SHMMAP' || code === 'SQLITE_CANTOPEN';
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

export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

export function logBytes(directory: string): number {
  return sizeOf(`${databasePath(directory)}-wal`);
}

/**
 * SQLite takes an empty or missing file for a new database, and removes the log beside it. Where there
 * is something to lose, it is not a new one: a new folder has neither log nor backups nor pictures nor documents.
 */
function refuseEmpty(directory: string): void {
  const path = databasePath(directory);
  if (sizeOf(path) > 0) return;
  const what = `${path} is ${existsSync(path) ? 'empty' : 'gone'}`;
  if (logBytes(directory) > 0) throw damaged(directory, `${what}, and ${path}-wal is still there`);
  if (listBackups(directory).length > 0) throw damaged(directory, `${what}, and its backups are still there`);
  if (hasFiles(join(directory, 'pictures'))) throw damaged(directory, `${what}, and the pictures of its conversations are still there`);
  if (hasFiles(join(directory, 'documents'))) throw damaged(directory, `${what}, and the documents of the library are still there`);
}

/** Files lie in folders that are named for the first byte of their hashes. */
function hasFiles(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => /^[0-9a-f]{2}$/.test(name) && readdirSync(join(folder, name)).length > 0);
  } catch {
    return false;
  }
}

/** Quick, and before anything is changed. */
function examine(database: Database.Database, directory: string, migrations: readonly Migration[]): void {
  const known = migrations.at(-1)?.version ?? 0;
  const found = version(database);
  const tables = database.prepare('select count(*) from sqlite_schema').pluck().get() as number;
  if (tables === 0 && found === 0) return;
  const path = databasePath(directory);
  if (database.pragma('application_id', { simple: true }) !== applicationId) {
    throw damaged(directory, `${path} is a database, but not one of Loupe`);
  }
  if (found > known) {
    const versions = `version ${found} of the database; this one knows ${known}`;
    throw new LoupeError('store_newer', `${path} was written by a newer Loupe (${versions}).`);
  }
  const problem = schemaProblem(database, migrations);
  if (problem) throw damaged(directory, `${path} is damaged (${problem})`);
}

function configure(database: Database.Database): void {
  if (version(database) === 0) database.pragma('auto_vacuum = incremental');
  database.pragma('journal_mode = wal');
  forbidCheckpoints(database);
  database.pragma('synchronous = full');
  database.pragma('foreign_keys = on');
  // Freed parts of pages are overwritten, and the sweep gives freed pages back: deleted is deleted.
  database.pragma('secure_delete = fast');
}

type BackUp = typeof backUpBeforeMigration;

/** All that is due, or nothing. */
function migrate(database: Database.Database, directory: string, migrations: readonly Migration[], now: number, backUp: BackUp): void {
  const from = version(database);
  const due = migrations.filter((migration) => migration.version > from);
  if (due.length === 0) return;
  if (from > 0) {
    const [{ quick_check: finding }] = database.pragma('quick_check(1)') as [{ quick_check: string }];
    if (finding !== 'ok') throw damaged(directory, `${databasePath(directory)} is damaged (${finding})`);
    backUp(database, directory, from, now, migrations);
  }
  // Cannot be changed inside the transaction.
  database.pragma('foreign_keys = off');
  transaction(database, () => {
    database.pragma(`application_id = ${applicationId}`);
    for (const migration of due) apply(database, migration);
    const [orphan] = database.pragma('foreign_key_check') as { table: string }[];
    if (orphan)
      throw new LoupeError(
        'store_failed',
        `${database.name} could not be brought to version ${due.at(-1)?.version}: ` +
          `a row of "${orphan.table}" refers to nothing. It is as it was before.`,
      );
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
      'Keep using the version of Loupe that you had, and report this message.',
      { cause: error },
    );
  }
  database.pragma(`user_version = ${migration.version}`);
}
