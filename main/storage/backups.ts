/**
 * Copies of the database in the folder "backups". Their order is a number in their names, which a
 * clock that jumps cannot disturb; names of older versions have none and come before all that do.
 */
import type { Database } from 'better-sqlite3';
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeFolderSync } from '../make-folder.ts';
import { LoupeError } from '../errors.ts';
import { examineFile, type Finding } from './check.ts';
import type { Migration } from './migrations/migration.ts';
import { forgetTextsOfCopy } from './session-texts.ts';
import { keysOf } from './vault/folder-keys.ts';

/** The newest are kept, and of the older ones every seventh: days and weeks of use. */
const dailyKept = 3;
const weeklyKept = 4;
const everySeventh = 7;
const beforeMigrationKept = 3;
const day = 24 * 60 * 60 * 1000;
/** loupe-SEQUENCE-DATE-TIME-version-SCHEMA-DIGEST.db */
const namePattern = /^loupe-(?:(\d{6,})-)?(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)(\d{3})(?:-version-(\d+))?(?:-([0-9a-f]{16}))?\.db$/;
/** The last that has a year of four digits. */
const lastTime = Date.UTC(9999, 11, 31);

export interface Backup {
  path: string;
  name: string;
  /** Null where an older version named it. */
  sequence: number | null;
  /** By the clock of that time, right or wrong: for people, not for the order. */
  at: number;
  /** The schema's version that a migration would have replaced; null for the daily ones. */
  before: number | null;
  /** The first digits of its SHA-256; null where an older version named it. */
  digest: string | null;
}

/** Checks the copy; resolves once it is flushed to the disk. */
export type CheckCopy = (path: string) => Promise<Finding>;

export function databasePath(directory: string): string {
  return join(directory, 'loupe.db');
}

export function backupDirectory(directory: string): string {
  return join(directory, 'backups');
}

/** Newest first. */
export function listBackups(directory: string): Backup[] {
  const folder = backupDirectory(directory);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  const found = names.flatMap((name): Backup[] => {
    const match = namePattern.exec(name);
    if (!match) return [];
    type Numbers = [number, number, number, number, number, number, number];
    const [year, month, date, ...clock] = match.slice(2, 9).map(Number) as Numbers;
    return [
      {
        path: join(folder, name),
        name,
        sequence: match[1] ? Number(match[1]) : null,
        at: Date.UTC(year, month - 1, date, ...clock),
        before: match[9] ? Number(match[9]) : null,
        digest: match[10] ?? null,
      },
    ];
  });
  return found.sort((a, b) => (b.sequence ?? 0) - (a.sequence ?? 0) || b.at - a.at);
}

/** The last daily one is a day old or, by a clock that was set back, not made yet. */
export function isBackupDue(directory: string, now: number): boolean {
  const newest = listBackups(directory).find(({ before }) => before === null);
  return !newest || newest.at > now || now - newest.at >= day;
}

/** Done when it returns. Throws `store_failed` when the copy is not as sound as what was copied. */
export function backUpBeforeMigration(
  database: Database,
  directory: string,
  version: number,
  now: number,
  migrations: readonly Migration[],
): void {
  const part = newPart(directory);
  try {
    database.prepare('vacuum into ?').run(part);
    const key = keysOf(directory)?.database ?? null;
    forgetTextsOfCopy(part, key);
    flush(part);
    const finding = examineFile(part, { migrations, key });
    if (finding.state !== 'sound') {
      throw new LoupeError('store_failed', `The copy that is made before the database is changed cannot be used: ${finding.problem}.`);
    }
    putInPlace(part, directory, now, finding, version);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
  prune(directory);
}

/**
 * Copies the database in pieces, between other work (an encrypted one at once). Only a sound copy gets a name, and only then
 * older ones go. Returns what was found; rejects when it is aborted or the disk has no room.
 */
export async function backUp(database: Database, directory: string, now: number, check: CheckCopy, signal: AbortSignal): Promise<Finding> {
  const part = newPart(directory);
  try {
    const key = keysOf(directory)?.database ?? null;
    // SQLite's own way to copy in pieces makes no encrypted copies.
    if (key) database.prepare('vacuum into ?').run(part);
    else
      await database.backup(part, {
        progress: () => {
          signal.throwIfAborted();
          return pagesAtOnce;
        },
      });
    signal.throwIfAborted();
    forgetTextsOfCopy(part, key);
    const finding = await check(part);
    signal.throwIfAborted();
    if (finding.state === 'sound') {
      putInPlace(part, directory, now, finding, null);
      prune(directory);
    }
    return finding;
  } finally {
    rmSync(part, { force: true });
  }
}

/** Takes a fraction of a millisecond. */
const pagesAtOnce = 64;

/** What is deleted must not live on in a copy that no newer one replaces. */
export function removeBackupsBefore(directory: string, time: number): void {
  for (const { path, at, before } of listBackups(directory)) if (before !== null && at < time) rmSync(path, { force: true });
}

/** What a process left that died while copying is removed first. */
function newPart(directory: string): string {
  const folder = backupDirectory(directory);
  makeFolderSync(folder);
  for (const name of readdirSync(folder)) if (/\.part(-journal)?$/.test(name)) rmSync(join(folder, name), { force: true });
  return join(folder, 'loupe-new.db.part');
}

function putInPlace(part: string, directory: string, now: number, { sha256 }: Finding, version: number | null): void {
  const sequence = Math.max(0, ...listBackups(directory).map((backup) => backup.sequence ?? 0)) + 1;
  renameSync(part, join(backupDirectory(directory), nameOf({ sequence, at: now, before: version }, sha256)));
}

function nameOf({ sequence, at, before }: Pick<Backup, 'sequence' | 'at' | 'before'>, sha256: string): string {
  const number = sequence === null ? '' : `${String(sequence).padStart(6, '0')}-`;
  return `loupe-${number}${stamp(at)}${before === null ? '' : `-version-${before}`}-${sha256.slice(0, 16)}.db`;
}

/** The same backup in another form: `part` takes its place. Where the process dies in between, both are there. */
export function exchangeBackup(backup: Backup, part: string, sha256: string): void {
  const path = join(dirname(backup.path), nameOf(backup, sha256));
  renameSync(part, path);
  if (path !== backup.path) rmSync(backup.path, { force: true });
}

/** "20250102-030405006", in UTC. */
export function stamp(now: number): string {
  return new Date(Math.min(Math.max(0, now), lastTime))
    .toISOString()
    .replace(/[-:.Z]/g, '')
    .replace('T', '-');
}

export function flush(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function prune(directory: string): void {
  const all = listBackups(directory);
  const daily = all.filter(({ before }) => before === null);
  const weekly = daily.slice(dailyKept).filter(({ sequence }) => sequence !== null && sequence % everySeventh === 1);
  const kept = new Set([
    ...daily.slice(0, dailyKept),
    ...weekly.slice(0, weeklyKept),
    ...all.filter(({ before }) => before !== null).slice(0, beforeMigrationKept),
  ]);
  for (const backup of all) if (!kept.has(backup)) rmSync(backup.path, { force: true });
}

/** Null where there is none of this name. */
export function findBackup(directory: string, name: string): Backup | null {
  return listBackups(directory).find((backup) => backup.name === basename(name)) ?? null;
}
