import type { Database } from 'better-sqlite3';
import type { Picture } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { Clock, ConversationStore } from '../services/ports.ts';
import { transaction } from './database.ts';
import { createDrafts } from './drafts.ts';
import { createMessages } from './messages.ts';
import { summaryColumns, toSummary, type SummaryRow } from './rows.ts';
import { createSearch } from './search.ts';

/**
 * A deleted conversation and its messages are `not_found` until it is restored, with one
 * exception: an answer that was being written may still be checkpointed and updated.
 */
export function createConversations(database: Database, clock: Clock, picture: (hash: string) => Picture): ConversationStore {
  const messages = createMessages(database, clock);
  const drafts = createDrafts(database);
  const search = createSearch(database);

  type WholeRow = SummaryRow & { leafId: number | null; pinnedPicture: string | null };
  const statements = {
    list: database.prepare<[], SummaryRow>(
      `select ${summaryColumns} from conversations where deleted_at is null order by pinned desc, updated_at desc, id desc`,
    ),
    get: database.prepare<[number], WholeRow>(
      `select ${summaryColumns}, leaf_id as leafId, pinned_picture as pinnedPicture from conversations where id = ? and deleted_at is null`,
    ),
    create: database.prepare<[string, number, number]>('insert into conversations (title, created_at, updated_at) values (?, ?, ?)'),
    rename: database.prepare<[string, number]>('update conversations set title = ? where id = ? and deleted_at is null'),
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

  function get(id: number): WholeRow {
    const row = statements.get.get(id);
    if (!row) throw noConversation(id);
    return row;
  }

  return {
    list: () => statements.list.all().map(toSummary),
    summary: (id) => toSummary(get(id)),
    open: (id) => {
      const row = get(id);
      return {
        ...toSummary(row),
        messages: messages.ofConversation(id),
        leafId: row.leafId,
        pinnedPicture: row.pinnedPicture === null ? null : picture(row.pinnedPicture),
        checks: [],
        draft: drafts.get(id),
      };
    },
    create: (title) => {
      const now = clock.now();
      return toSummary(get(Number(statements.create.run(title, now, now).lastInsertRowid)));
    },
    rename: (id, title) => {
      changed(id, statements.rename.run(title, id));
    },
    pin: (id, pinned) => {
      changed(id, statements.pin.run(Number(pinned), id));
    },
    delete: (id) => {
      changed(id, statements.delete.run(clock.now(), id));
    },
    restore: (id) => {
      changed(id, statements.restore.run(id));
    },
    search,
    append: messages.append,
    message: messages.one,
    path: messages.path,
    checkpoint: messages.checkpoint,
    update: messages.update,
    judge: messages.judge,
    selectBranch: (messageId) =>
      transaction(database, () => {
        const leaf = messages.newestBelow(messageId);
        statements.showLeaf.run(leaf, leaf);
        return leaf;
      }),
    pinPicture: (id, hash) => {
      if (hash !== null) picture(hash);
      changed(id, statements.pinPicture.run(hash, id));
    },
    pinnedPicture: (id) => get(id).pinnedPicture,
    saveDraft: (id, text, pictures) => {
      if (id !== null) get(id);
      drafts.save(id, text, pictures);
    },
    draft: () => drafts.get(null),
    recentPrompts: messages.recentPrompts,
    markInterrupted: messages.markInterrupted,
  };
}

function changed(id: number, { changes }: { changes: number }): void {
  if (changes === 0) throw noConversation(id);
}

function noConversation(id: number): LoupeError {
  return new LoupeError('not_found', `There is no conversation ${id}.`);
}
