/** Puts one database in the place of another. What was there gets another name and is never deleted. */
import { copyFileSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { databasePath, flush, stamp, type Backup } from './backups.ts';
import { removeSeal } from './seal.ts';

/** Renames a closed database. Returns its new name; null where there was none. */
export function archiveDatabase(directory: string, now: number): string | null {
  const path = databasePath(directory);
  const hasLog = (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  const name = freeName(directory, `loupe-replaced-${stamp(now).slice(0, -3)}`);
  // The log first: a database without its log would seem complete.
  if (hasLog) renameSync(`${path}-wal`, join(directory, `${name}-wal`));
  const exists = existsSync(path);
  if (exists) renameSync(path, join(directory, name));
  rmSync(`${path}-wal`, { force: true });
  rmSync(`${path}-shm`, { force: true });
  removeSeal(directory);
  return exists || hasLog ? name : null;
}

/** Copies a backup whole, beside the database, for `moveIn`. Returns the path of the copy. */
export function copyBackup({ path }: Backup, directory: string): string {
  const part = `${databasePath(directory)}.part`;
  try {
    copyFileSync(path, part);
    flush(part);
    return part;
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

export function moveIn(part: string, directory: string): void {
  renameSync(part, databasePath(directory));
}

/**
 * Copies a log that SQLite will not read to its end, and will overwrite. Returns the name of the copy;
 * null where there is no room for one.
 */
export function archiveLog(directory: string, now: number): string | null {
  const path = databasePath(directory);
  const name = freeName(directory, `loupe-damaged-log-${stamp(now).slice(0, -3)}`);
  try {
    copyFileSync(path, join(directory, name));
    copyFileSync(`${path}-wal`, join(directory, `${name}-wal`));
    return name;
  } catch {
    for (const copy of [name, `${name}-wal`]) rmSync(join(directory, copy), { force: true });
    return null;
  }
}

/** Names of the files that `archiveDatabase` and `archiveLog` left, and that nobody has removed. */
export function databasesAside(directory: string): string[] {
  return readdirSync(directory).filter((name) => /^loupe-(replaced|damaged-log)-.*\.db(-wal)?(\.sealed)?$/.test(name));
}

function freeName(directory: string, wanted: string): string {
  for (let count = 1; ; count++) {
    const name = `${wanted}${count === 1 ? '' : `-${count}`}.db`;
    if (!existsSync(join(directory, name)) && !existsSync(join(directory, `${name}-wal`))) return basename(name);
  }
}
