/**
 * Texts of documents that a person unlocked "only until Loupe closes". While Loupe runs they are rows as all others are, so that pages can be
 * searched and asked about. When it closes, and when it starts after it was killed, none of their words stays in the database, its index or
 * its log. What answers and tables took of them is the person's.
 */
import Database from './sqlite.ts';
import { writeHandle, type WriteDatabase } from './handles.ts';
import { keptTexts } from './migrations/015-kept-texts.ts';
import { withKey } from './vault/folder-keys.ts';

const those = 'document_id in (select id from documents where keeps_text = 0)';
const hasWords = `${those} and state <> 'waiting'`;

/** Their pages wait to be read again. Says whether there were any. */
export function forgetTexts(database: WriteDatabase): boolean {
  if (!database.prepare(`select 1 from pages where ${hasWords} limit 1`).get()) return false;
  // `fast` leaves what costs a page of its own to overwrite.
  database.pragma('secure_delete = on');
  try {
    database
      .transaction(() => {
        database.exec(`
        update citations set found = null where ${those} and found is not null;
        update looks set note = null where ${those} and note is not null;
        update extraction_cells set quote = null, reading = null
          where row_id in (select id from extraction_rows where ${those}) and (quote is not null or reading is not null);
        delete from page_places where page_id in (select id from pages where ${those});
        update pages set state = 'waiting', label = number, flags = '[]', text = '', hidden_words = 0, unspaced = 0, failure = null
          where ${hasWords};
        update documents set failure = null where keeps_text = 0;
        insert into page_words (page_words) values ('optimize');
      `);
      })
      .immediate();
    database.pragma('incremental_vacuum');
  } finally {
    database.pragma('secure_delete = fast');
  }
  return true;
}

/** The same in a copy of the database, which may have the schema of an older version. */
export function forgetTextsOfCopy(path: string, key: Buffer | null): void {
  const copy = withKey(new Database(path), key);
  try {
    if ((copy.pragma('user_version', { simple: true }) as number) < keptTexts.version) return;
    if (!forgetTexts(writeHandle(copy))) return;
    copy.pragma('wal_checkpoint(truncate)');
    copy.exec('vacuum');
  } finally {
    copy.close();
  }
}
