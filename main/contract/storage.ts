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

export const archiveCounts = v.strictObject({ conversations: count, pictures: count, documents: count, tables: count });

export const archiveState = v.strictObject({
  /** What is being done; null: nothing. */
  work: v.nullable(v.picklist(['export', 'import'])),
  /** Of its steps. */
  progress: v.strictObject({ done: count, all: count }),
  /** What the last one came to, since Loupe started. */
  result: v.nullable(
    v.strictObject({
      work: v.picklist(['export', 'import']),
      path: v.string(),
      /** Written, or added. */
      counts: archiveCounts,
      /** Of an import: conversations that were there, and got messages or came back from the bin. */
      merged: count,
      /** Of an import: what was there already, all kinds together. */
      known: count,
      /** Of an export: pictures and documents whose files are gone, or cannot be read. */
      missing: count,
    }),
  ),
  /** Why the last one ended before it was done. */
  failure: v.nullable(failure),
});

/** What an export or an import came to, in sentences. */
export function archiveInWords({ work, path, counts, merged, known, missing }: NonNullable<ArchiveState['result']>): string {
  const of = (count: number, what: string): string => `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
  const { conversations, pictures, documents, tables } = counts;
  const all = `${of(conversations, 'conversation')}, ${of(pictures, 'picture')}, ${of(documents, 'document')} and ${of(tables, 'table')}`;
  const left = `${of(missing, 'file')} could not be read and ${missing === 1 ? 'was' : 'were'} left out.`;
  if (work === 'export') return `Exported ${all} to ${path}.${missing > 0 ? ` ${left}` : ''}`;
  const added = conversations + pictures + documents + tables;
  if (added + merged === 0) return 'Nothing was added: everything in the file was here already.';
  const sentences = [
    added > 0 ? `Added ${all}.` : '',
    merged > 0 ? `${of(merged, 'conversation')} that ${merged === 1 ? 'was' : 'were'} here got what was missing.` : '',
    known > 0 ? `${of(known, 'item')} ${known === 1 ? 'was' : 'were'} here already.` : '',
  ];
  return sentences.filter(Boolean).join(' ');
}

export type ArchiveCounts = v.InferOutput<typeof archiveCounts>;
export type ArchiveState = v.InferOutput<typeof archiveState>;
export type StorageState = v.InferOutput<typeof storageState>;
export type VaultState = v.InferOutput<typeof vaultState>;
export type BackupChoice = v.InferOutput<typeof backup>;
