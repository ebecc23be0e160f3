/** Questions about documents: their scope, what was looked at for an answer, and its citations. They are part of their messages. */
import * as v from 'valibot';
import type { Citation, Message, QuestionScope } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { KeptLook, NewCoverage } from '../services/ports.ts';
import { transaction } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { parseJson } from './rows.ts';

interface ScopeRow {
  messageId: number;
  kind: QuestionScope['kind'];
  id: number;
  name: string;
  pages: string | null;
  every: number;
  words: string | null;
  removed: number;
}

type CoverageCounts = Omit<NewCoverage, 'named' | 'words' | 'looks'>;
type CoverageRow = CoverageCounts & { messageId: number; named: number; words: string };
type LookRow = KeptLook & { messageId: number; removed: number };
type CitationRow = Omit<Citation, 'removed'> & { messageId: number; removed: number };

export type AskingQueries = ReturnType<typeof askingQueries>;
export type AskingCommands = ReturnType<typeof askingCommands>;

/** Of the messages whose ids are given as JSON; the few rows that are asked for lead to the others. */
const given = 'from json_each(?) as given cross join';
const isRemoved = (id: string): string => `not exists (select 1 from documents where documents.id = ${id} and documents.removed = 0)`;
const wordsSchema = v.array(v.string());

export function askingQueries(database: ReadDatabase) {
  const statements = {
    scopes: database.prepare<[string], ScopeRow>(
      `select message_id as messageId, kind, document_id as id, document_name as name, pages, every, words, ${isRemoved('document_id')} as removed
       ${given} message_scopes on message_id = given.value`,
    ),
    coverages: database.prepare<[string], CoverageRow>(
      `select message_id as messageId, named, documents, pages, outside, searched, waiting, picture, failed, blank, words
       ${given} coverages on message_id = given.value`,
    ),
    looks: database.prepare<[string], LookRow>(
      `select message_id as messageId, document_id as documentId, document_name as name, number, label, outcome, length, noted, note,
         ${isRemoved('document_id')} as removed
       ${given} looks on message_id = given.value order by message_id, document_id, number`,
    ),
    citations: database.prepare<[string], CitationRow>(
      `select message_id as messageId, offset, citations.length, page, quote, finding, document_id as documentId, number, label, found,
         (select document_name from looks where looks.message_id = citations.message_id and looks.document_id = citations.document_id) as name,
         document_id is not null and ${isRemoved('document_id')} as removed
       ${given} citations on message_id = given.value order by message_id, offset`,
    ),
    unchecked: database
      .prepare<[], number>(
        `select message_id from coverages join messages on messages.id = message_id where checked = 0 and state <> 'streaming'`,
      )
      .pluck(),
  };

  function coverageOf(row: CoverageRow, looks: LookRow[]): NonNullable<Message['coverage']> {
    const { messageId: _, named, words, ...counts } = row;
    return {
      ...counts,
      named: named === 1,
      words: parseJson(wordsSchema, words) ?? [],
      looks: looks.map(({ messageId: _of, length: _length, note: _note, removed, ...look }) => ({ ...look, removed: removed === 1 })),
    };
  }

  return {
    /** The same messages, with what is kept of their questions. */
    completed: (messages: Message[]): Message[] => {
      if (messages.length === 0) return messages;
      const ids = JSON.stringify(messages.map(({ id }) => id));
      const scopes = new Map(statements.scopes.all(ids).map((row) => [row.messageId, row]));
      const coverages = new Map(statements.coverages.all(ids).map((row) => [row.messageId, row]));
      if (scopes.size === 0 && coverages.size === 0) return messages;
      const looks = Map.groupBy(statements.looks.all(ids), ({ messageId }) => messageId);
      const citations = Map.groupBy(statements.citations.all(ids), ({ messageId }) => messageId);
      return messages.map((message) => {
        const scope = scopes.get(message.id);
        const coverage = coverages.get(message.id);
        return {
          ...message,
          scope: scope ? toScope(scope) : null,
          coverage: coverage ? coverageOf(coverage, looks.get(message.id) ?? []) : null,
          citations: (citations.get(message.id) ?? []).map(({ messageId: _, removed, ...row }) => ({ ...row, removed: removed === 1 })),
        };
      });
    },

    /** What the model was given for this answer; empty where that is not decided. */
    looks: (messageId: number): KeptLook[] =>
      statements.looks.all(JSON.stringify([messageId])).map(({ messageId: _, removed: _removed, ...look }) => look),

    unchecked: (): number[] => statements.unchecked.all(),
  };
}

function toScope({ kind, id, name, pages, every, words, removed }: ScopeRow): Message['scope'] {
  const chosen = parseJson(wordsSchema, words);
  const all = { ...(every === 1 ? { every: true as const } : {}), ...(chosen ? { words: chosen } : {}) };
  return kind === 'library' ? { kind, ...all } : { kind, id, name, pages, removed: removed === 1, ...all };
}

export function askingCommands(database: WriteDatabase) {
  const statements = {
    document: database.prepare<[number], string>('select name from documents where id = ? and removed = 0').pluck(),
    scope: database.prepare<Omit<ScopeRow, 'id' | 'name' | 'removed'> & { id: number | null; name: string | null }>(
      `insert into message_scopes (message_id, kind, document_id, document_name, pages, every, words)
       values (:messageId, :kind, :id, :name, :pages, :every, :words)`,
    ),
    coverage: database.prepare<CoverageCounts & { messageId: number; named: number; words: string }>(
      `insert into coverages (message_id, named, documents, pages, outside, searched, waiting, picture, failed, blank, words)
       values (:messageId, :named, :documents, :pages, :outside, :searched, :waiting, :picture, :failed, :blank, :words)`,
    ),
    look: database.prepare<KeptLook & { messageId: number }>(
      `insert into looks (message_id, document_id, document_name, number, label, outcome, length, noted, note)
       values (:messageId, :documentId, :name, :number, :label, :outcome, :length, :noted, :note)`,
    ),
    note: database.prepare<[string, string, number, number, number]>(
      'update looks set noted = ?, note = ? where message_id = ? and document_id = ? and number = ?',
    ),
    clear: database.prepare<[number]>('delete from citations where message_id = ?'),
    citation: database.prepare<Omit<Citation, 'name' | 'removed'> & { messageId: number }>(
      `insert into citations (message_id, offset, length, page, quote, finding, document_id, number, label, found)
       values (:messageId, :offset, :length, :page, :quote, :finding, :documentId, :number, :label, :found)`,
    ),
    checked: database.prepare<[number, number]>('update coverages set checked = ? where message_id = ?'),
  };

  return {
    /** Within the transaction that stores the question. */
    saveScope: (messageId: number, scope: QuestionScope): void => {
      const { kind } = scope;
      const chosen = { every: Number(scope.every === true), words: scope.words ? JSON.stringify(scope.words) : null };
      if (kind === 'library') {
        statements.scope.run({ messageId, kind, id: null, name: null, pages: null, ...chosen });
        return;
      }
      const { id, pages } = scope;
      const name = statements.document.get(id);
      if (name === undefined) throw new LoupeError('not_found', `There is no document ${id}.`, 'Look in the list of documents.');
      statements.scope.run({ messageId, kind, id, name, pages, ...chosen });
    },

    saveCoverage: (messageId: number, { named, words, looks, ...counts }: NewCoverage): void =>
      transaction(database, () => {
        statements.coverage.run({ ...counts, messageId, named: Number(named), words: JSON.stringify(words) });
        for (const look of looks) statements.look.run({ ...look, messageId });
      }),

    /** Of a page that was looked at by itself; '' for nothing. */
    saveNote: (messageId: number, { documentId, number }: Pick<KeptLook, 'documentId' | 'number'>, note: string): void => {
      statements.note.run(note === '' ? 'nothing' : 'something', note, messageId, documentId, number);
    },

    /** Instead of those that there were. Null: the answer is being written. */
    saveCitations: (messageId: number, citations: readonly Citation[] | null): void => {
      statements.clear.run(messageId);
      if (statements.checked.run(Number(citations !== null), messageId).changes === 0) return;
      for (const { name: _name, removed: _removed, ...citation } of citations ?? []) statements.citation.run({ ...citation, messageId });
    },
  };
}
