/** What was read in pictures, for the search. */
import type { PictureStore } from '../services/ports.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';

export type PictureTextQueries = Pick<PictureStore, 'nextUnread'>;
export type PictureTextCommands = Pick<PictureStore, 'saveText' | 'forgetTexts'>;

export function pictureTextQueries(database: ReadDatabase): PictureTextQueries {
  const unread = database
    .prepare<[], string>(
      `select message_pictures.picture from message_pictures
         join messages on messages.id = message_pictures.message_id
         join conversations on conversations.id = messages.conversation_id and conversations.deleted_at is null
       where message_pictures.picture not in (select picture from picture_texts)
       order by message_pictures.message_id desc, position limit 1`,
    )
    .pluck();
  return { nextUnread: () => unread.get() ?? null };
}

export function pictureTextCommands(database: WriteDatabase): PictureTextCommands {
  // The picture may have been deleted while it was read.
  const save = database.prepare<[string, string]>(
    `insert into picture_texts (picture, text) select hash, ? from pictures where hash = ?
     on conflict (picture) do update set text = excluded.text`,
  );
  const forget = database.prepare('delete from picture_texts');
  return {
    saveText: (hash, text) => void save.run(text, hash),
    forgetTexts: () => {
      if (forget.run().changes > 0) mergePictureWords(database);
    },
  };
}

/** Until the index is merged it holds the words of what was deleted, marked as deleted. */
export function mergePictureWords(database: WriteDatabase): void {
  database.exec("insert into picture_words (picture_words) values ('optimize')");
}
