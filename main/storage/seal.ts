/**
 * What `loupe.db` was when it was closed last. SQLite notices a broken page, but not a broken word:
 * the seal notices both. It holds until the file is written to again, which only a checkpoint does.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { databasePath, listBackups } from './backups.ts';
import { fileHash } from './check.ts';

function sealPath(directory: string): string {
  return join(directory, 'loupe.db.sha256');
}

/** Null where there is none: after a crash, or with a database of an older version. */
export function readSeal(directory: string): string | null {
  try {
    return /^[0-9a-f]{64}$/.exec(readFileSync(sealPath(directory), 'latin1').trim())?.[0] ?? null;
  } catch {
    return null;
  }
}

export function removeSeal(directory: string): void {
  rmSync(sealPath(directory), { force: true });
}

/** Of a closed database. Without one the next start only knows less. */
export function writeSeal(directory: string): void {
  try {
    if ((statSync(`${databasePath(directory)}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return removeSeal(directory);
    writeFileSync(sealPath(directory), fileHash(databasePath(directory)));
  } catch {
    if (existsSync(sealPath(directory))) removeSeal(directory);
  }
}

/** Not while this process has the database open: closing the file would end SQLite's locks on it. */
export function isSealed(directory: string, seal: string): boolean {
  try {
    const digest = fileHash(databasePath(directory));
    return digest === seal || isBackup(directory, digest);
  } catch {
    return false;
  }
}

/** As every database that Loupe has had open, and none of its backups. */
export function hasLogMode(directory: string): boolean {
  const header = Buffer.alloc(20);
  try {
    const file = openSync(databasePath(directory), 'r');
    try {
      readSync(file, header);
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
  return header[18] === 2 && header[19] === 2;
}

/** One that somebody put in place by hand is no damage. */
export function isBackup(directory: string, sha256: string): boolean {
  return listBackups(directory).some(({ digest }) => digest !== null && sha256.startsWith(digest));
}
