/** What is kept, and in what state it is. */
import * as v from 'valibot';
import { count, time, failure } from './common.ts';

export const storageState = v.strictObject({
  /**
   * `writable`: as it should be. `full` and `readOnly`: what is kept can be read, searched and exported, and on a full
   * disk deleted. `closed`: it could not be opened; requests that need it fail with `problem`.
   */
  access: v.picklist(['writable', 'full', 'readOnly', 'closed']),
  /** Why it is not writable; null where it is. */
  problem: v.nullable(failure),
  /** What was found wrong in a database that is open; null where nothing is known. */
  damage: v.nullable(v.strictObject({ ...failure.entries, /** It can be read whole, and be used as it is. */ usable: v.boolean() })),
  /** Counts up when another database takes the place of the one that windows have seen. */
  generation: count,
});

export const vaultState = v.strictObject({
  /** Of encryption. `working`: files are being changed; `locked`: all requests fail with `vault_locked` until it is unlocked. */
  state: v.picklist(['off', 'locked', 'open', 'working']),
  /** What opens it; null while it is off. `keychain`: Loupe opens it by itself, so it cannot be locked. */
  by: v.nullable(v.picklist(['passphrase', 'keychain'])),
  /** Why turning it on or off did not end as it should, the last time since Loupe started. */
  problem: v.nullable(failure),
  /** Steps, while it is `working`. */
  progress: v.nullable(v.strictObject({ done: count, all: count })),
  /** The system has a keychain that can hold the key. */
  hasKeychain: v.boolean(),
  /** False where SQLite was built without ciphers. */
  possible: v.boolean(),
});

export const backup = v.strictObject({
  /** Of its file. */
  name: v.string(),
  /** By the clock of that time. */
  at: time,
  /** `update`: made before a new version of Loupe changed the database. */
  reason: v.picklist(['daily', 'update']),
  bytes: count,
  /** Null where they cannot be counted. */
  conversations: v.nullable(count),
  /** Only `sound` ones can be restored. `newer`: of a Loupe that knows more. */
  state: v.picklist(['sound', 'damaged', 'newer']),
});

export type StorageState = v.InferOutput<typeof storageState>;
export type VaultState = v.InferOutput<typeof vaultState>;
export type BackupChoice = v.InferOutput<typeof backup>;
