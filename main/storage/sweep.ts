/** Removes for good what was deleted. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LoupeError } from '../errors.ts';
import type { WriteDatabase } from './handles.ts';
import { incomingDocuments, removeFilesOfRemoved } from './document-files.ts';
import { mergePictureWords } from './picture-texts.ts';
import { incomingDirectory, pictureFiles } from './picture-shelf.ts';
import { removeBackupsBefore } from './backups.ts';

const hour = 60 * 60 * 1000;
const day = 24 * hour;
const undoDays = 30;

/** `mayCheckpoint` false: the log keeps what was purged for a moment longer. */
export function sweep(database: WriteDatabase, directory: string, now: number, mayCheckpoint: boolean): void {
  const purged = purge(database, now - undoDays * day);
  const removed = removeOrphans(database, directory, now - day) + removeFilesOfRemoved(database, directory);
  removeIncoming(directory, now - day);
  removeBackupsBefore(directory, now - undoDays * day);
  if (purged > 0 || removed > 0) giveBack(database, mayCheckpoint);
}

/** What was deleted goes at once, with its pictures: for a full disk, when somebody asks for it. */
export function emptyBin(database: WriteDatabase, directory: string, now: number, mayCheckpoint: boolean): void {
  purge(database, now);
  // Except pictures that are just being attached.
  removeOrphans(database, directory, now - hour);
  removeFilesOfRemoved(database, directory);
  removeIncoming(directory, now - hour);
  giveBack(database, mayCheckpoint);
}

/**
 * Of a conversation nothing is left: its rows, its words in the indexes and in the log, its draft, and the pictures that nothing else
 * shows, however new they are. Throws `not_found`.
 */
export function erase(database: WriteDatabase, directory: string, id: number, mayCheckpoint: boolean): void {
  const pictures = picturesOf(database, id);
  // `fast` leaves what costs a page of its own to overwrite.
  database.pragma('secure_delete = on');
  try {
    const { changes } = database.prepare<[number]>('delete from conversations where id = ?').run(id);
    if (changes === 0) throw new LoupeError('not_found', `There is no conversation ${id}.`);
    mergeWords(database);
    removePictures(
      database,
      directory,
      orphans(database, Number.MAX_SAFE_INTEGER).filter((hash) => pictures.has(hash)),
    );
    mergePictureWords(database);
    giveBack(database, mayCheckpoint);
  } finally {
    database.pragma('secure_delete = fast');
  }
}

/** The hashes of those that it shows, and of what they were made of. */
export function picturesOf(database: WriteDatabase, id: number): ReadonlySet<string> {
  const hashes = database
    .prepare<[number, number, number], string>(
      `with recursive shown (hash) as (
         select picture from message_pictures join messages on messages.id = message_id where conversation_id = ?
         union select pinned_picture from conversations where id = ? and pinned_picture is not null
         union select item.value from drafts join json_each(drafts.pictures) as item where drafts.conversation_id = ?
         union select source from picture_sources join shown on picture_sources.picture = shown.hash
       )
       select hash from shown`,
    )
    .pluck()
    .all(id, id, id);
  return new Set(hashes);
}

function giveBack(database: WriteDatabase, mayCheckpoint: boolean): void {
  database.pragma('incremental_vacuum');
  // The log still holds what was purged.
  if (mayCheckpoint) database.pragma('wal_checkpoint(truncate)');
}

function purge(database: WriteDatabase, before: number): number {
  const purged = database.prepare<[number]>('delete from conversations where deleted_at <= ?').run(before).changes;
  if (purged > 0) mergeWords(database);
  return purged;
}

/** Until the index is merged it holds the words, marked as deleted. Its own 'secure-delete' takes seconds for a conversation. */
function mergeWords(database: WriteDatabase): void {
  for (const index of ['title_words', 'message_words']) database.exec(`insert into ${index} (${index}) values ('optimize')`);
}

function removeOrphans(database: WriteDatabase, directory: string, before: number): number {
  const found = orphans(database, before);
  removePictures(database, directory, found);
  if (found.length > 0) mergePictureWords(database);
  return found.length;
}

/** Pictures that no message, draft or pin shows, that none of those was made of, and that were last attached before then. */
function orphans(database: WriteDatabase, before: number): string[] {
  return database
    .prepare<[number, number], string>(
      `with recursive kept (hash) as (
         select picture from message_pictures
         union select pinned_picture from conversations where pinned_picture is not null
         union select item.value from drafts join json_each(drafts.pictures) as item
         union select hash from pictures where touched_at >= ?
         union select source from picture_sources join kept on picture_sources.picture = kept.hash
       )
       select hash from pictures where touched_at < ? and hash not in (select hash from kept)`,
    )
    .pluck()
    .all(before, before);
}

function removePictures(database: WriteDatabase, directory: string, hashes: readonly string[]): void {
  const remove = database.prepare<[string]>('delete from pictures where hash = ?');
  for (const hash of hashes) {
    // Files first: if the process dies here, the row is still an orphan and is found again.
    for (const path of Object.values(pictureFiles(directory, hash))) rmSync(path, { force: true });
    remove.run(hash);
  }
}

function removeIncoming(directory: string, before: number): void {
  for (const folder of [incomingDirectory(directory), incomingDocuments(directory)]) {
    for (const path of namesIn(folder).map((name) => join(folder, name)))
      if (statSync(path).mtimeMs < before) rmSync(path, { force: true });
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
