/** What stands in composers: one draft for each conversation, and one for the conversation that does not exist yet. */
import type { Database } from 'better-sqlite3';
import type { Draft } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { unflushed } from './database.ts';
import { pictureColumns, toPicture, type PictureRow } from './rows.ts';

export type Drafts = ReturnType<typeof createDrafts>;

export function createDrafts(database: Database) {
  const save = database.prepare<[number | null, string, string]>(
    `insert into drafts (conversation_id, text, pictures) values (?, ?, ?)
     on conflict (coalesce(conversation_id, 0)) do update set text = excluded.text, pictures = excluded.pictures`,
  );
  const remove = database.prepare<[number]>('delete from drafts where coalesce(conversation_id, 0) = ?');
  const text = database.prepare<[number], string>('select text from drafts where coalesce(conversation_id, 0) = ?').pluck();
  const pictures = database.prepare<[number], PictureRow>(
    `select ${pictureColumns} from drafts join json_each(drafts.pictures) as item join pictures on pictures.hash = item.value
     where coalesce(drafts.conversation_id, 0) = ? order by item.key`,
  );
  const isPicture = database.prepare<[string], number>('select 1 from pictures where hash = ?').pluck();
  return {
    /** `id` null: of the conversation that does not exist yet. */
    get: (id: number | null): Draft => ({ text: text.get(id ?? 0) ?? '', pictures: pictures.all(id ?? 0).map(toPicture) }),

    save: (id: number | null, words: string, hashes: string[]): void => {
      for (const hash of hashes) if (!isPicture.get(hash)) throw new LoupeError('not_found', `There is no picture ${hash}.`);
      unflushed(database, () => {
        if (words || hashes.length > 0) save.run(id, words, JSON.stringify(hashes));
        else remove.run(id ?? 0);
      });
    },
  };
}
