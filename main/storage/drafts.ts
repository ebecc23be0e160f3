/** The contents of composers: one draft for each conversation, and one for the conversation that does not exist yet. */
import * as v from 'valibot';
import { questionScopeSchema, type AskedScope, type Draft, type QuestionScope } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { unflushed } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { parseJson, pictureColumns, toPicture, type PictureRow } from './rows.ts';

const scopeSchema = v.nullable(questionScopeSchema);

/** `id` null: of the conversation that does not exist yet. */
export function draftQuery(database: ReadDatabase): (id: number | null) => Draft {
  const draft = database.prepare<[number], { text: string; scope: string | null }>(
    'select text, scope from drafts where coalesce(conversation_id, 0) = ?',
  );
  const document = database.prepare<[number], string>('select name from documents where id = ? and removed = 0').pluck();
  const pictures = database.prepare<[number], PictureRow>(
    `select ${pictureColumns} from drafts join json_each(drafts.pictures) as item join pictures on pictures.hash = item.value
     where coalesce(drafts.conversation_id, 0) = ? order by item.key`,
  );

  /** Nothing where its document is gone. */
  function named(scope: QuestionScope | null): AskedScope | null {
    if (scope?.kind !== 'document') return scope;
    const name = document.get(scope.id);
    return name === undefined ? null : { ...scope, name, removed: false };
  }

  return (id) => {
    const { text, scope } = draft.get(id ?? 0) ?? { text: '', scope: null };
    const left = scope === null ? {} : { scope: named(parseJson(scopeSchema, scope) ?? null) };
    return { text, pictures: pictures.all(id ?? 0).map(toPicture), ...left };
  };
}

export function draftCommand(
  database: WriteDatabase,
): (id: number | null, text: string, hashes: string[], scope?: QuestionScope | null) => void {
  const save = database.prepare<[number | null, string, string, string | null]>(
    `insert into drafts (conversation_id, text, pictures, scope) values (?, ?, ?, ?)
     on conflict (coalesce(conversation_id, 0)) do update
       set text = excluded.text, pictures = excluded.pictures, scope = excluded.scope`,
  );
  const remove = database.prepare<[number]>('delete from drafts where coalesce(conversation_id, 0) = ?');
  const isPicture = database.prepare<[string], number>('select 1 from pictures where hash = ?').pluck();
  return (id, text, hashes, scope) => {
    for (const hash of hashes) if (!isPicture.get(hash)) throw new LoupeError('not_found', `There is no picture ${hash}.`);
    unflushed(database, () => {
      if (text || hashes.length > 0 || scope)
        save.run(id, text, JSON.stringify(hashes), scope === undefined ? null : JSON.stringify(scope));
      else remove.run(id ?? 0);
    });
  };
}
