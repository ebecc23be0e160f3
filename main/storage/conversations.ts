import { limits, type ConversationSummary, type Picture } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { Clock, ConversationStore } from '../services/ports.ts';
import { transaction } from './database.ts';
import { draftCommand, draftQuery } from './drafts.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { messageCommands, messageQueries } from './messages.ts';
import { summaryColumns, toSummary, type SummaryRow } from './rows.ts';
import { searchQuery } from './search.ts';

export type ConversationQueries = Pick<
  ConversationStore,
  'list' | 'summary' | 'open' | 'search' | 'message' | 'path' | 'looks' | 'unchecked' | 'pinnedPicture' | 'draft' | 'recentPrompts'
>;
export type ConversationCommands = Omit<ConversationStore, keyof ConversationQueries>;

type WholeRow = SummaryRow & { leafId: number | null; pinnedPicture: string | null };

/**
 * A deleted conversation and its messages are `not_found` until it is restored, with one
 * exception: an answer that was being written may still be checkpointed and updated.
 */
export function conversationQueries(database: ReadDatabase, picture: (hash: string) => Picture): ConversationQueries {
  const messages = messageQueries(database);
  const draft = draftQuery(database);
  const list = database.prepare<[], SummaryRow>(
    `select ${summaryColumns} from conversations where deleted_at is null order by pinned desc, updated_at desc, id desc`,
  );
  const whole = database.prepare<[number], WholeRow>(
    `select ${summaryColumns}, leaf_id as leafId, pinned_picture as pinnedPicture from conversations where id = ? and deleted_at is null`,
  );

  function get(id: number): WholeRow {
    const row = whole.get(id);
    if (!row) throw noConversation(id);
    return row;
  }

  return {
    list: () => list.all().map(toSummary),
    summary: (id) => toSummary(get(id)),
    open: (id) => {
      const row = get(id);
      return {
        ...toSummary(row),
        messages: messages.ofConversation(id),
        leafId: row.leafId,
        pinnedPicture: row.pinnedPicture === null ? null : picture(row.pinnedPicture),
        checks: [],
        draft: draft(id),
      };
    },
    search: searchQuery(database),
    message: messages.one,
    path: messages.path,
    looks: messages.looks,
    unchecked: messages.unchecked,
    pinnedPicture: (id) => get(id).pinnedPicture,
    draft: () => draft(null),
    recentPrompts: messages.recentPrompts,
  };
}

/** `reading`: of the same database. */
export function conversationCommands(
  database: WriteDatabase,
  reading: ReadDatabase,
  clock: Clock,
  picture: (hash: string) => Picture,
): ConversationCommands {
  const queries = messageQueries(reading);
  const messages = messageCommands(database, clock, queries);
  const saveDraft = draftCommand(database);
  const summary = database.prepare<[number], SummaryRow>(`select ${summaryColumns} from conversations where id = ? and deleted_at is null`);
  const statements = {
    create: database.prepare<[string, number, number]>('insert into conversations (title, created_at, updated_at) values (?, ?, ?)'),
    rename: database.prepare<[string, number]>('update conversations set title = ? where id = ? and deleted_at is null'),
    instruct: database.prepare<[string, number]>('update conversations set instructions = ? where id = ? and deleted_at is null'),
    tag: database.prepare<[string, number]>('update conversations set tags = ? where id = ? and deleted_at is null'),
    pin: database.prepare<[number, number]>('update conversations set pinned = ? where id = ? and deleted_at is null'),
    delete: database.prepare<[number, number]>('update conversations set deleted_at = ? where id = ? and deleted_at is null'),
    restore: database.prepare<[number]>('update conversations set deleted_at = null where id = ?'),
    showLeaf: database.prepare<[number, number]>(
      'update conversations set leaf_id = ? where id = (select conversation_id from messages where id = ?)',
    ),
    pinPicture: database.prepare<[string | null, number]>(
      'update conversations set pinned_picture = ? where id = ? and deleted_at is null',
    ),
  };

  return {
    create: (title) => {
      const now = clock.now();
      return toSummary(summary.get(Number(statements.create.run(title, now, now).lastInsertRowid))!);
    },
    rename: (id, title) => {
      changed(id, statements.rename.run(title, id));
    },
    instruct: (id, instructions) => {
      changed(id, statements.instruct.run(instructions.trim(), id));
    },
    tag: (ids, add, remove) =>
      transaction(database, () => {
        for (const id of ids) {
          const row = summary.get(id);
          if (!row) throw noConversation(id);
          statements.tag.run(JSON.stringify(retagged(toSummary(row), add, remove)), id);
        }
      }),
    pin: (id, pinned) => {
      changed(id, statements.pin.run(Number(pinned), id));
    },
    delete: (id) => {
      changed(id, statements.delete.run(clock.now(), id));
    },
    restore: (id) => {
      changed(id, statements.restore.run(id));
    },
    ...messages,
    selectBranch: (messageId) =>
      transaction(database, () => {
        const leaf = queries.newestBelow(messageId);
        statements.showLeaf.run(leaf, leaf);
        return leaf;
      }),
    pinPicture: (id, hash) => {
      if (hash !== null) picture(hash);
      changed(id, statements.pinPicture.run(hash, id));
    },
    saveDraft: (id, text, pictures, scope) => {
      if (id !== null && !summary.get(id)) throw noConversation(id);
      saveDraft(id, text, pictures, scope);
    },
  };
}

/** Throws `usage` where they would be too many. */
function retagged({ title, tags = [] }: ConversationSummary, add: readonly string[], remove: readonly string[]): string[] {
  const same = (tag: string): string => tag.toLocaleLowerCase('en');
  const gone = new Set(remove.map(same));
  // Of two spellings the one that was there first stays.
  const all = new Map([...tags, ...add].toReversed().map((tag) => [same(tag), tag]));
  const kept = [...tags, ...add].map(same).filter((tag) => !gone.has(tag));
  const list = [...new Set(kept)].map((tag) => all.get(tag)!);
  if (list.length > limits.tagsPerConversation)
    throw new LoupeError('usage', `“${title}” would have more than ${limits.tagsPerConversation} tags.`, 'Take one away first.');
  return list;
}

function changed(id: number, { changes }: { changes: number }): void {
  if (changes === 0) throw noConversation(id);
}

function noConversation(id: number): LoupeError {
  return new LoupeError('not_found', `There is no conversation ${id}.`);
}
