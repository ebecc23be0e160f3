/**
 * The keys of data folders that are unlocked in this process. Like the lock of a folder they belong to the folder and the process: whatever
 * opens a database or a file of the folder asks here, so that no place can forget to pass the key on and write something in plain form.
 */
import type { Database } from 'better-sqlite3';
import Sqlite from '../sqlite.ts';
import { hkdfSync } from 'node:crypto';
import { resolve } from 'node:path';

export interface FolderKeys {
  /** All others follow from it. */
  readonly main: Buffer;
  readonly database: Buffer;
  readonly files: Buffer;
  readonly header: Buffer;
}

const unlocked = new Map<string, FolderKeys>();

/** `main`: 32 random bytes. */
export function keysFrom(main: Buffer): FolderKeys {
  const derived = (purpose: string): Buffer => Buffer.from(hkdfSync('sha256', main, Buffer.alloc(0), `loupe ${purpose}`, 32));
  return { main, database: derived('database'), files: derived('files'), header: derived('header') };
}

/** Null where it is not encrypted, or locked. */
export function keysOf(directory: string): FolderKeys | null {
  return unlocked.get(resolve(directory)) ?? null;
}

export function holdKeys(directory: string, keys: FolderKeys): void {
  unlocked.set(resolve(directory), keys);
}

/** Overwrites them. What SQLite and the cipher have made of them goes when the database is closed. */
export function dropKeys(directory: string): void {
  const keys = keysOf(directory);
  unlocked.delete(resolve(directory));
  if (keys) wipe(keys);
}

export function wipe({ main, database, files, header }: FolderKeys): void {
  for (const key of [main, database, files, header]) key.fill(0);
}

/** SQLite3 Multiple Ciphers takes a key as it is behind this word, and derives one from anything else. */
export function rawKey(key: Buffer): Buffer {
  return Buffer.concat([Buffer.from('raw:', 'latin1'), key]);
}

/** For a database that was just opened. `key` null: it is not encrypted. */
export function withKey(database: Database, key: Buffer | null): Database {
  if (!key) return database;
  const raw = rawKey(key);
  ciphered(database).key(raw);
  raw.fill(0);
  // What a large query sorts would else go into a file of the system's folder for such, in plain form.
  database.pragma('temp_store = memory');
  return database;
}

/** What better-sqlite3-multiple-ciphers adds; its own types are not found where a package names its `exports`. */
interface Ciphered extends Database {
  key(key: Buffer): number;
  /** Empty: what is written is plain from now on. */
  rekey(key: Buffer): number;
}

/** ChaCha20-Poly1305 by the page, with a nonce of its own each time a page is written. */
export function ciphered(database: Database): Ciphered {
  database.pragma("cipher = 'chacha20'");
  return database as Ciphered;
}

/** False for a SQLite without ciphers, as one that somebody else built. */
export function hasCipher(): boolean {
  return typeof (Sqlite.prototype as Partial<Ciphered>).key === 'function';
}
