/** Copies of the database in the folder "backups". */
import type { Database } from 'better-sqlite3';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Of each kind. */
const kept = 3;
const day = 24 * 60 * 60 * 1000;

interface Backup {
  path: string;
  at: number;
  /** The schema's version that a migration would have replaced; null for the daily ones. */
  before: number | null;
}

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
    const match = /^loupe-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)(\d{3})(?:-version-(\d+))?\.db$/.exec(name);
    if (!match) return [];
    const [year, month, date, hours, minutes, seconds, milliseconds] = match.slice(1, 8).map(Number) as [number, number, number, number, number, number, number];
    return [{ path: join(folder, name), at: Date.UTC(year, month - 1, date, hours, minutes, seconds, milliseconds), before: match[8] ? Number(match[8]) : null }];
  });
  return found.sort((a, b) => b.at - a.at);
}

/** Done when it returns. */
export function backUpBeforeMigration(database: Database, directory: string, version: number, now: number): void {
  const path = newPath(directory, now, `-version-${version}`);
  try {
    database.prepare('vacuum into ?').run(part(path));
    putInPlace(path);
  } catch (error) {
    rmSync(part(path), { force: true });
    throw error;
  }
  prune(directory, ({ before }) => before !== null);
}

/** Copies the database in pieces, between other work, unless that was done within a day. */
export async function backUpDaily(database: Database, directory: string, now: number): Promise<void> {
  const newest = listBackups(directory).find(({ before }) => before === null);
  if (newest && newest.at <= now && now - newest.at < day) return;
  const path = newPath(directory, now, '');
  try {
    await database.backup(part(path));
    putInPlace(path);
  } catch (error) {
    rmSync(part(path), { force: true });
    throw error;
  }
  prune(directory, ({ before }) => before === null);
}

/** What is deleted must not live on in a copy that no newer one replaces. */
export function removeBackupsBefore(directory: string, time: number): void {
  for (const { path, at, before } of listBackups(directory)) if (before !== null && at < time) rmSync(path, { force: true });
}

function newPath(directory: string, now: number, suffix: string): string {
  mkdirSync(backupDirectory(directory), { recursive: true });
  const stamp = new Date(now).toISOString().replace(/[-:.Z]/g, '').replace('T', '-');
  const path = join(backupDirectory(directory), `loupe-${stamp}${suffix}.db`);
  rmSync(part(path), { force: true });
  return path;
}

function part(path: string): string {
  return `${path}.part`;
}

function putInPlace(path: string): void {
  const file = openSync(part(path), 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(part(path), path);
}

function prune(directory: string, kind: (backup: Backup) => boolean): void {
  for (const { path } of listBackups(directory).filter(kind).slice(kept)) rmSync(path, { force: true });
}
