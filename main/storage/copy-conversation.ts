/** A conversation from one database into another of the same schema, with its times and its order, under new ids. */
import { LoupeError } from '../errors.ts';
import { transaction } from './database.ts';
import type { WriteDatabase } from './handles.ts';

interface Row {
  [column: string]: unknown;
  id?: unknown;
  parent_id?: unknown;
  message_id?: unknown;
  leaf_id?: unknown;
}

/** The pictures that it shows have to be there. Returns its new id; throws `not_found`. */
export function copyConversation(from: WriteDatabase, to: WriteDatabase, { id, title }: { id: number; title: string }): number {
  const rowsOf = (sql: string): Row[] => from.prepare<[number], Row>(sql).all(id);
  return transaction(to, () => {
    const [conversation] = rowsOf('select * from conversations where id = ?');
    if (!conversation) throw new LoupeError('not_found', `There is no conversation ${id}.`);
    const copied = insert(to, 'conversations', { ...withoutId(conversation), title, leaf_id: null });
    /** Old ids of messages -> new ones. */
    const ids = new Map<unknown, number>();
    // Parents come before children.
    for (const message of rowsOf('select * from messages where conversation_id = ? order by id')) {
      const parent = ids.get(message.parent_id) ?? null;
      ids.set(message.id, insert(to, 'messages', { ...withoutId(message), conversation_id: copied, parent_id: parent }));
    }
    for (const shown of rowsOf(
      `select message_pictures.* from message_pictures join messages on messages.id = message_id
       where conversation_id = ? order by message_id, position`,
    ))
      insert(to, 'message_pictures', { ...shown, message_id: ids.get(shown.message_id) });
    for (const draft of rowsOf('select * from drafts where conversation_id = ?'))
      insert(to, 'drafts', { ...withoutId(draft), conversation_id: copied });
    const leaf = ids.get(conversation.leaf_id) ?? null;
    to.prepare<[number | null, number]>('update conversations set leaf_id = ? where id = ?').run(leaf, copied);
    return copied;
  });
}

/** Returns the row's id. */
function insert(to: WriteDatabase, table: string, row: Row): number {
  const columns = Object.keys(row);
  const statement = to.prepare(`insert into ${table} (${columns.join(', ')}) values (${columns.map((column) => `:${column}`).join(', ')})`);
  return Number(statement.run(row).lastInsertRowid);
}

function withoutId({ id: _, ...row }: Row): Row {
  return row;
}
