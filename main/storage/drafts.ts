/** The contents of composers: one draft for each conversation, and one for the conversation that does not exist yet. */
import type { Draft } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { unflushed } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { pictureColumns, toPicture, type PictureRow } from './rows.ts';

/** `id` null: of the conversation that does not exist yet. */
export function draftQuery(database: ReadDatabase): (id: number | null) => Draft {
  const text = database.prepare<[number], string>('select text from drafts where coalesce(conversation_id, 0) = ?').pluck();
  const pictures = database.prepare<[number], PictureRow>(
    `select ${pictureColumns} from drafts join json_each(drafts.pictures) as item join pictures on pictures.hash = item.value
     where coalesce(drafts.conversation_id, 0) = ? order by item.key`,
  );
  return (id) => ({ text: text.get(id ?? 0) ?? '', pictures: pictures.all(id ?? 0).map(toPicture) });
}

export function draftCommand(database: WriteDatabase): (id: number | null, text: string, hashes: string[]) => void {
  const save = database.prepare<[number | null, string, string]>(
    `insert into drafts (conversation_id, text, pictures) values (?, ?, ?)
     on conflict (coalesce(conversation_id, 0)) do update set text = excluded.text, pictures = excluded.pictures`,
  );
  const remove = database.prepare<[number]>('delete from drafts where coalesce(conversation_id, 0) = ?');
  const isPicture = database.prepare<[string], number>('select 1 from pictures where hash = ?').pluck();
  return (id, text, hashes) => {
    for (const hash of hashes) if (!isPicture.get(hash)) throw new LoupeError('not_found', `There is no picture ${hash}.`);
    unflushed(database, () => {
      if (text || hashes.length > 0) save.run(id, text, JSON.stringify(hashes));
      else remove.run(id ?? 0);
    });
  };
}
