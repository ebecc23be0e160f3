/** Messages: a tree for each conversation. */
import type { AnsweredBy, Citation, Difference, Judgement, Message } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { Clock, FinishedAnswer, NewCoverage, NewMessage } from '../services/ports.ts';
import { askingCommands, askingQueries } from './asking.ts';
import { transaction, unflushed } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { isUnspaced } from '../scripts.ts';
import { messageColumns, pictureColumns, toJson, toMessage, toPicture, type MessageRow, type PictureRow } from './rows.ts';

/** Longer questions are not offered again in a menu. UTF-16 units. */
const longestPrompt = 300;

export type MessageQueries = ReturnType<typeof messageQueries>;
export type MessageCommands = ReturnType<typeof messageCommands>;

const listed = 'join conversations on conversations.id = messages.conversation_id and conversations.deleted_at is null';
/** Up to the first message. */
const above = `with recursive line (id, parent_id) as (
  select messages.id, messages.parent_id from messages ${listed} where messages.id = ?
  union all select messages.id, messages.parent_id from messages join line on messages.id = line.parent_id)`;
/** Down to the leaves. */
const below = `with recursive tree (id) as (
  select messages.id from messages ${listed} where messages.id = ?
  union all select messages.id from messages join tree on messages.parent_id = tree.id)`;
// Cross joins keep the order: the few rows that are asked for lead to the others, never the whole table.
const picturesOf = (from: string): string => `select message_pictures.message_id as messageId, ${pictureColumns}
  from ${from} cross join pictures on pictures.hash = message_pictures.picture
  order by message_pictures.message_id, message_pictures.position`;

type MessagePictureRow = PictureRow & { messageId: number };

export function messageQueries(database: ReadDatabase) {
  const asking = askingQueries(database);
  const statements = {
    ofConversation: database.prepare<[number], MessageRow>(`select ${messageColumns} from messages where conversation_id = ? order by id`),
    picturesOfConversation: database.prepare<[number], MessagePictureRow>(
      picturesOf('messages cross join message_pictures on messages.conversation_id = ? and message_pictures.message_id = messages.id'),
    ),
    path: database.prepare<[number], MessageRow>(
      `${above} select ${messageColumns} from line cross join messages on messages.id = line.id order by messages.id`,
    ),
    picturesOfPath: database.prepare<[number], MessagePictureRow>(
      `${above} ${picturesOf('line cross join message_pictures on message_pictures.message_id = line.id')}`,
    ),
    one: database.prepare<[number], MessageRow>(`select ${messageColumns} from messages where id = ?`),
    picturesOfOne: database.prepare<[number], MessagePictureRow>(
      picturesOf('messages cross join message_pictures on messages.id = ? and message_pictures.message_id = messages.id'),
    ),
    isListed: database.prepare<[number], number>(`select 1 from messages ${listed} where messages.id = ?`).pluck(),
    newestBelow: database.prepare<[number], number | null>(`${below} select max(id) from tree`).pluck(),
    questions: database
      .prepare<[], string>(`select messages.text from messages ${listed} where messages.role = 'user' order by messages.id desc`)
      .pluck(),
  };

  /** Of a deleted conversation, too. */
  function stored(id: number): Message {
    const [message] = asking.completed(joined(statements.one.all(id), statements.picturesOfOne.all(id)));
    if (!message) throw noMessage(id);
    return message;
  }

  return {
    /** Parents before children. */
    ofConversation: (conversationId: number): Message[] =>
      asking.completed(joined(statements.ofConversation.all(conversationId), statements.picturesOfConversation.all(conversationId))),

    stored,

    one: (id: number): Message => {
      if (!statements.isListed.get(id)) throw noMessage(id);
      return stored(id);
    },

    path: (id: number): Message[] => {
      const messages = asking.completed(joined(statements.path.all(id), statements.picturesOfPath.all(id)));
      if (messages.length === 0) throw noMessage(id);
      return messages;
    },

    looks: asking.looks,
    unchecked: asking.unchecked,

    newestBelow: (id: number): number => {
      const leaf = statements.newestBelow.get(id);
      if (leaf === undefined || leaf === null) throw noMessage(id);
      return leaf;
    },

    recentPrompts: (limit: number): string[] => {
      const prompts = new Set<string>();
      for (const text of statements.questions.iterate()) {
        if (prompts.size >= limit) break;
        const line = text.replace(/\s+/g, ' ').trim();
        if (line && line.length <= longestPrompt) prompts.add(line);
      }
      return [...prompts];
    },
  };
}

export function messageCommands(database: WriteDatabase, clock: Clock, { stored }: MessageQueries) {
  const asking = askingCommands(database);
  database.function('is_unspaced', { deterministic: true }, (text) => Number(isUnspaced(text as string)));

  const statements = {
    exists: database.prepare<[number], number>('select 1 from messages where id = ?').pluck(),
    insert: database.prepare<[number, number | null, string, string, string, string | null, string | null, number, number]>(
      `insert into messages (conversation_id, parent_id, role, text, state, model, compared, created_at, unspaced)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    insertPicture: database.prepare<[number, number, string]>(
      'insert into message_pictures (message_id, position, picture) values (?, ?, ?)',
    ),
    isPicture: database.prepare<[string], number>('select 1 from pictures where hash = ?').pluck(),
    isIn: database.prepare<[number, number], number>('select 1 from messages where id = ? and conversation_id = ?').pluck(),
    isConversation: database.prepare<[number], number>('select 1 from conversations where id = ? and deleted_at is null').pluck(),
    grow: database.prepare<[number, number, string | null, number]>(
      'update conversations set leaf_id = ?, updated_at = ?, message_count = message_count + 1, ' +
        'picture = coalesce(?, picture) where id = ?',
    ),
    checkpoint: database.prepare<[string, number]>("update messages set text = ? where id = ? and state = 'streaming'"),
    finish: database.prepare<[string, string, string | null, string | null, string | null, string | null, string | null, number, number]>(
      `update messages set text = ?, state = ?, failure = ?, finish = ?, model = ?, statistics = ?, judgement = ?, unspaced = ?,
         differences = null
       where id = ?`,
    ),
    answeredBy: database.prepare<[string, number]>('update messages set server = ? where id = ?'),
    judge: database.prepare<[string | null, number]>("update messages set judgement = ? where id = ? and state = 'complete'"),
    differ: database.prepare<[string, number, string]>(
      "update messages set differences = ? where id = ? and text = ? and state <> 'streaming'",
    ),
    interrupt: database.prepare("update messages set state = 'interrupted', unspaced = is_unspaced(text) where state = 'streaming'"),
  };

  return {
    append: ({
      conversationId,
      parentId,
      role,
      text,
      pictures: hashes,
      state,
      model,
      scope = null,
      compared = null,
    }: NewMessage): Message =>
      transaction(database, () => {
        if (parentId !== null && !statements.isIn.get(parentId, conversationId)) throw noMessage(parentId);
        for (const hash of hashes) if (!statements.isPicture.get(hash)) throw new LoupeError('not_found', `There is no picture ${hash}.`);
        if (!statements.isConversation.get(conversationId))
          throw new LoupeError('not_found', `There is no conversation ${conversationId}.`);
        const now = clock.now();
        const unspaced = Number(isUnspaced(text));
        const id = Number(
          statements.insert.run(conversationId, parentId, role, text, state, model, compared, now, unspaced).lastInsertRowid,
        );
        for (const [position, hash] of hashes.entries()) statements.insertPicture.run(id, position, hash);
        if (scope) asking.saveScope(id, scope);
        statements.grow.run(id, now, hashes.at(-1) ?? null, conversationId);
        return stored(id);
      }),

    checkpoint: (id: number, text: string): void => {
      unflushed(database, () => {
        // A checkpoint that comes after the end changes nothing.
        if (statements.checkpoint.run(text, id).changes === 0 && !statements.exists.get(id)) throw noMessage(id);
      });
    },

    update: (id: number, { text, state, failure, finish, model, statistics, judgement, citations }: FinishedAnswer): Message =>
      transaction(database, () => {
        const end = [toJson(failure), finish, model, toJson(statistics), toJson(judgement ?? null)] as const;
        if (statements.finish.run(text, state, ...end, Number(isUnspaced(text)), id).changes === 0) throw noMessage(id);
        asking.saveCitations(id, citations ?? null);
        return stored(id);
      }),

    saveServer: (id: number, server: AnsweredBy): Message => {
      if (statements.answeredBy.run(JSON.stringify(server), id).changes === 0) throw noMessage(id);
      return stored(id);
    },

    saveCoverage: (id: number, coverage: NewCoverage): Message => {
      if (!statements.exists.get(id)) throw noMessage(id);
      asking.saveCoverage(id, coverage);
      return stored(id);
    },

    saveNote: asking.saveNote,

    saveCitations: (id: number, citations: Citation[]): Message =>
      transaction(database, () => {
        asking.saveCitations(id, citations);
        return stored(id);
      }),

    judge: (id: number, judgement: Judgement): Message => {
      if (statements.judge.run(toJson(judgement), id).changes === 0) throw noMessage(id);
      return stored(id);
    },

    saveDifferences: (id: number, text: string, differences: Difference[]): Message | null =>
      statements.differ.run(JSON.stringify(differences), id, text).changes === 0 ? null : stored(id),

    markInterrupted: (): number => statements.interrupt.run().changes,
  };
}

function joined(rows: MessageRow[], pictureRows: MessagePictureRow[]): Message[] {
  const pictures = Map.groupBy(pictureRows, ({ messageId }) => messageId);
  return rows.map((row) => toMessage(row, (pictures.get(row.id) ?? []).map(toPicture)));
}

function noMessage(id: number): LoupeError {
  return new LoupeError('not_found', `There is no message ${id}.`);
}
