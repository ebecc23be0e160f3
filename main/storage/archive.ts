/** Rows of a data folder -> what an archive holds, and back: merged with what is there, by what does not change. */
import * as v from 'valibot';
import {
  archivedSettings,
  type ArchivedConversation,
  type ArchivedDocument,
  type ArchivedMessage,
  type ArchivedTable,
  type DocumentReference,
} from '../archive-format.ts';
import {
  answeredBySchema,
  differencesSchema,
  doubtsSchema,
  extractionFieldsSchema,
  failureSchema,
  judgementSchema,
  originSchema,
  pageFlagSchema,
  statisticsSchema,
  type PictureOrigin,
} from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { ArchiveStore, Put } from '../services/ports.ts';
import { isUnspaced } from '../scripts.ts';
import { transaction } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { parseJson, toJson } from './rows.ts';

export type ArchiveQueries = Pick<
  ArchiveStore,
  'conversationIds' | 'conversation' | 'picture' | 'documentHashes' | 'document' | 'tableIds' | 'table' | 'settings'
>;
export type ArchiveCommands = Omit<ArchiveStore, keyof ArchiveQueries>;

type Stored<Row, Json extends keyof Row, Flag extends keyof Row = never> = Omit<Row, Json | Flag> &
  Record<Json, string | null> &
  Record<Flag, number>;

interface ConversationRow {
  title: string;
  pinned: number;
  createdAt: number;
  updatedAt: number;
  instructions: string;
  tags: string;
  picture: string | null;
  pinnedPicture: string | null;
  leafId: number | null;
}

type MessageRow = Stored<
  Omit<ArchivedMessage, 'parent' | 'pictures' | 'scope' | 'coverage' | 'citations' | 'state'>,
  'failure' | 'server' | 'statistics' | 'judgement' | 'differences'
> & { id: number; parentId: number | null; state: ArchivedMessage['state'] | 'streaming' };

type Coverage = NonNullable<ArchivedMessage['coverage']>;
type Look = Coverage['looks'][number];
type Citation = ArchivedMessage['citations'][number];
type Cell = ArchivedTable['rows'][number]['cells'][number];

interface ScopeRow {
  messageId: number;
  documentId: number | null;
  name: string | null;
  pages: string | null;
  every: number;
  words: string | null;
}
type CoverageRow = Stored<Omit<Coverage, 'looks'>, 'words', 'named' | 'checked'> & { messageId: number };
type LookRow = Omit<Look, 'document'> & { messageId: number; documentId: number; name: string };
type CitationRow = Omit<Citation, 'document'> & { messageId: number; documentId: number | null };
type DocumentRow = Stored<Omit<ArchivedDocument, 'pages'>, 'failure', 'keepsText'> & { id: number };
type PageRow = Stored<Omit<ArchivedDocument['pages'][number], 'places'>, 'flags' | 'failure'> & { places: Buffer | null };
type TableRow = Stored<Omit<ArchivedTable, 'rows'>, 'fields' | 'failure'>;
type CellRow = Stored<Cell, 'doubts' | 'failure'> & { rowId: number };

const words = v.array(v.string());
const flags = v.array(pageFlagSchema);
const settingNames = Object.keys(archivedSettings.entries) as (keyof typeof archivedSettings.entries)[];
const ofConversation = 'join messages on messages.id = message_id where conversation_id = ?';

export function archiveQueries(database: ReadDatabase): ArchiveQueries {
  const statements = {
    conversationIds: database.prepare<[], number>('select id from conversations where deleted_at is null order by id').pluck(),
    conversation: database.prepare<[number], ConversationRow>(
      `select title, pinned, created_at as createdAt, updated_at as updatedAt, instructions, tags, picture, pinned_picture as pinnedPicture,
         leaf_id as leafId
       from conversations where id = ? and deleted_at is null`,
    ),
    messages: database.prepare<[number], MessageRow>(
      `select id, parent_id as parentId, role, text, state, failure, finish, model, server, compared, statistics, judgement, differences,
         created_at as createdAt
       from messages where conversation_id = ? order by id`,
    ),
    pictures: database.prepare<[number], { messageId: number; picture: string }>(
      `select message_id as messageId, picture from message_pictures ${ofConversation} order by message_id, position`,
    ),
    scopes: database.prepare<[number], ScopeRow>(
      `select message_id as messageId, document_id as documentId, document_name as name, pages, every, words
       from message_scopes ${ofConversation}`,
    ),
    coverages: database.prepare<[number], CoverageRow>(
      `select message_id as messageId, named, documents, pages, outside, searched, waiting, picture, failed, blank, words, checked
       from coverages ${ofConversation}`,
    ),
    looks: database.prepare<[number], LookRow>(
      `select message_id as messageId, document_id as documentId, document_name as name, number, label, outcome, length, noted, note
       from looks ${ofConversation} order by message_id, document_id, number`,
    ),
    citations: database.prepare<[number], CitationRow>(
      `select message_id as messageId, offset, length, page, quote, finding, document_id as documentId, number, label, found
       from citations ${ofConversation} order by message_id, offset`,
    ),
    picture: database.prepare<[string], { name: string; origin: string; text: string | null }>(
      `select name, origin, picture_texts.text from pictures left join picture_texts on picture = hash where hash = ?`,
    ),
    documentHashes: database.prepare<[], string>('select hash from documents where removed = 0 order by id').pluck(),
    documentById: database.prepare<[number], { hash: string; keepsText: number }>(
      'select hash, keeps_text as keepsText from documents where id = ? and removed = 0',
    ),
    document: database.prepare<[string], DocumentRow>(
      `select id, name, kind, page_count as pageCount, failure, added_at as addedAt, keeps_text as keepsText
       from documents where hash = ? and removed = 0`,
    ),
    pages: database.prepare<[number], PageRow>(
      `select number, label, width, height, rotation, state, flags, text, hidden_words as hiddenWords, failure, boxes as places
       from pages left join page_places on page_id = pages.id where document_id = ? order by number`,
    ),
    tableIds: database.prepare<[], number>('select id from extractions order by id').pluck(),
    table: database.prepare<[number], TableRow>(
      'select name, fields, row_kind as "by", created_at as createdAt, failure from extractions where id = ?',
    ),
    rows: database.prepare<[number], { rowId: number; documentId: number; name: string; page: number | null }>(
      `select id as rowId, document_id as documentId, document_name as name, page
       from extraction_rows where extraction_id = ? order by position`,
    ),
    cells: database.prepare<[number], CellRow>(
      `select row_id as rowId, state, value, quote, extraction_cells.page, doubts, reading, failure
       from extraction_cells join extraction_rows on extraction_rows.id = row_id where extraction_id = ? order by position, field`,
    ),
    settings: database.prepare<[], { name: string; value: string }>('select name, value from settings'),
  };

  const refer = (id: number, name: string): DocumentReference => ({ of: id, hash: statements.documentById.get(id)?.hash ?? null, name });
  /** Words of documents that a person unlocked only until Loupe closes go nowhere. */
  const mayGo = (id: number | null): boolean => id === null || statements.documentById.get(id)?.keepsText !== 0;

  return {
    conversationIds: () => statements.conversationIds.all(),

    conversation(id) {
      const row = statements.conversation.get(id);
      if (!row) return null;
      const { tags, pinned, leafId, ...conversation } = row;
      const messages = statements.messages.all(id);
      const places = new Map(messages.map((message, place) => [message.id, place]));
      const pictures = Map.groupBy(statements.pictures.all(id), ({ messageId }) => messageId);
      const scopes = new Map(statements.scopes.all(id).map((scope) => [scope.messageId, scope]));
      const coverages = new Map(statements.coverages.all(id).map((coverage) => [coverage.messageId, coverage]));
      const looks = Map.groupBy(statements.looks.all(id), ({ messageId }) => messageId);
      const citations = Map.groupBy(statements.citations.all(id), ({ messageId }) => messageId);
      return {
        ...conversation,
        pinned: pinned === 1,
        tags: parseJson(words, tags) ?? [],
        shown: leafId === null ? null : (places.get(leafId) ?? null),
        messages: messages.map(({ id: messageId, parentId, state, ...message }): ArchivedMessage => {
          const seen = looks.get(messageId) ?? [];
          const coverage = coverages.get(messageId);
          return {
            ...message,
            parent: parentId === null ? null : (places.get(parentId) ?? null),
            state: state === 'streaming' ? 'interrupted' : state,
            pictures: (pictures.get(messageId) ?? []).map(({ picture }) => picture),
            failure: parseJson(failureSchema, message.failure),
            server: parseJson(answeredBySchema, message.server),
            statistics: parseJson(statisticsSchema, message.statistics),
            judgement: parseJson(judgementSchema, message.judgement),
            differences: parseJson(differencesSchema, message.differences),
            scope: scopeOf(scopes.get(messageId)),
            coverage: coverage ? coverageOf(coverage, seen) : null,
            citations: (citations.get(messageId) ?? []).map(({ messageId: _, documentId, found, ...citation }) => ({
              ...citation,
              found: mayGo(documentId) ? found : null,
              document: documentId === null ? null : refer(documentId, seen.find((look) => look.documentId === documentId)?.name ?? ''),
            })),
          };
        }),
      };
    },

    picture(hash) {
      const row = statements.picture.get(hash);
      if (!row) throw new LoupeError('not_found', `There is no picture ${hash}.`);
      return { ...row, origin: (parseJson(originSchema, row.origin) as PictureOrigin | null) ?? { kind: 'file' } };
    },

    documentHashes: () => statements.documentHashes.all(),

    document(hash) {
      const row = statements.document.get(hash);
      if (!row) return null;
      const { id, failure, keepsText, ...document } = row;
      const keeps = keepsText === 1;
      return {
        ...document,
        keepsText: keeps,
        failure: keeps ? parseJson(failureSchema, failure) : null,
        pages: statements.pages.all(id).map((page) => (keeps ? pageOf(page) : unread(page.number))),
      };
    },

    tableIds: () => statements.tableIds.all(),

    table(id) {
      const row = statements.table.get(id);
      if (!row) return null;
      const cells = Map.groupBy(statements.cells.all(id), ({ rowId }) => rowId);
      return {
        ...row,
        fields: parseJson(extractionFieldsSchema, row.fields) ?? [],
        failure: parseJson(failureSchema, row.failure),
        rows: statements.rows.all(id).map(({ rowId, documentId, name, page }) => ({
          document: refer(documentId, name),
          page,
          cells: (cells.get(rowId) ?? []).map(({ rowId: _, quote, reading, doubts, failure, ...cell }) => ({
            ...cell,
            quote: mayGo(documentId) ? quote : null,
            reading: mayGo(documentId) ? reading : null,
            doubts: parseJson(doubtsSchema, doubts) ?? [],
            failure: parseJson(failureSchema, failure),
          })),
        })),
      };
    },

    settings() {
      const stored = new Map(statements.settings.all().map(({ name, value }) => [name, value]));
      const kept = settingNames.flatMap((name) => {
        const found = parseJson(v.tuple([archivedSettings.entries[name]]), `[${stored.get(name) ?? ''}]`);
        return found ? [[name, found[0]]] : [];
      });
      return Object.fromEntries(kept) as ReturnType<ArchiveQueries['settings']>;
    },
  };

  function scopeOf(scope: ScopeRow | undefined): ArchivedMessage['scope'] {
    if (!scope) return null;
    const { documentId, name, pages, every } = scope;
    return {
      document: documentId === null ? null : refer(documentId, name ?? ''),
      pages,
      every: every === 1,
      words: parseJson(words, scope.words),
    };
  }

  function coverageOf({ messageId: _, named, checked, ...coverage }: CoverageRow, looks: LookRow[]): Coverage {
    return {
      ...coverage,
      named: named === 1,
      checked: checked === 1,
      words: parseJson(words, coverage.words) ?? [],
      looks: looks.map(({ messageId: _of, documentId, name, note, ...look }) => ({
        ...look,
        document: refer(documentId, name),
        note: mayGo(documentId) ? note : null,
      })),
    };
  }
}

function pageOf({ places, ...page }: PageRow): ArchivedDocument['pages'][number] {
  return {
    ...page,
    flags: parseJson(flags, page.flags) ?? [],
    failure: parseJson(failureSchema, page.failure),
    places: places && places.toString('base64'),
  };
}

function unread(number: number): ArchivedDocument['pages'][number] {
  const nothing = { width: 0, height: 0, rotation: 0, flags: [], text: '', hiddenWords: 0, failure: null, places: null };
  return { number, label: String(number), state: 'waiting', ...nothing };
}

export function archiveCommands(database: WriteDatabase): ArchiveCommands {
  const statements = {
    begunAt: database.prepare<[number], { id: number; deletedAt: number | null }>(
      'select id, deleted_at as deletedAt from conversations where created_at = ? order by id',
    ),
    firstOf: database.prepare<[number], Pick<ArchivedMessage, 'role' | 'text' | 'createdAt'>>(
      'select role, text, created_at as createdAt from messages where conversation_id = ? order by id limit 1',
    ),
    messagesOf: database.prepare<[number], { id: number; parentId: number | null; role: string; createdAt: number }>(
      'select id, parent_id as parentId, role, created_at as createdAt from messages where conversation_id = ? order by id',
    ),
    bringBack: database.prepare<[number]>('update conversations set deleted_at = null where id = ?'),
    conversation: database.prepare<Omit<ConversationRow, 'leafId'>>(
      `insert into conversations (title, pinned, created_at, updated_at, picture, pinned_picture, instructions, tags)
       values (:title, :pinned, :createdAt, :updatedAt, :picture, :pinnedPicture, :instructions, :tags)`,
    ),
    message: database.prepare<Omit<MessageRow, 'id'> & { conversationId: number; unspaced: number }>(
      `insert into messages (conversation_id, parent_id, role, text, state, failure, finish, model, server, compared, statistics, judgement,
         differences, created_at, unspaced)
       values (:conversationId, :parentId, :role, :text, :state, :failure, :finish, :model, :server, :compared, :statistics, :judgement,
         :differences, :createdAt, :unspaced)`,
    ),
    picture: database.prepare<[number, number, string]>('insert into message_pictures (message_id, position, picture) values (?, ?, ?)'),
    scope: database.prepare<ScopeRow & { kind: 'document' | 'library' }>(
      `insert into message_scopes (message_id, kind, document_id, document_name, pages, every, words)
       values (:messageId, :kind, :documentId, :name, :pages, :every, :words)`,
    ),
    coverage: database.prepare<CoverageRow>(
      `insert into coverages (message_id, named, documents, pages, outside, searched, waiting, picture, failed, blank, words, checked)
       values (:messageId, :named, :documents, :pages, :outside, :searched, :waiting, :picture, :failed, :blank, :words, :checked)`,
    ),
    look: database.prepare<LookRow>(
      `insert into looks (message_id, document_id, document_name, number, label, outcome, length, noted, note)
       values (:messageId, :documentId, :name, :number, :label, :outcome, :length, :noted, :note)`,
    ),
    citation: database.prepare<CitationRow>(
      `insert into citations (message_id, offset, length, page, quote, finding, document_id, number, label, found)
       values (:messageId, :offset, :length, :page, :quote, :finding, :documentId, :number, :label, :found)`,
    ),
    grown: database.prepare<{ id: number; updatedAt: number; leafId: number | null; picture: string | null }>(
      `update conversations set updated_at = max(updated_at, :updatedAt), leaf_id = coalesce(leaf_id, :leafId),
         picture = coalesce(picture, :picture), message_count = (select count(*) from messages where conversation_id = :id)
       where id = :id`,
    ),
    documentOf: database.prepare<[string], number>('select id from documents where hash = ? and removed = 0').pluck(),
    forget: database.prepare<[string]>('delete from documents where hash = ? and removed = 1'),
    document: database.prepare<Omit<DocumentRow, 'id'> & { hash: string; bytes: number }>(
      `insert into documents (hash, name, kind, bytes, page_count, failure, added_at, keeps_text)
       values (:hash, :name, :kind, :bytes, :pageCount, :failure, :addedAt, :keepsText)`,
    ),
    page: database.prepare<Omit<PageRow, 'places'> & { documentId: number; unspaced: number }>(
      `insert into pages (document_id, number, label, width, height, rotation, state, flags, text, hidden_words, unspaced, failure)
       values (:documentId, :number, :label, :width, :height, :rotation, :state, :flags, :text, :hiddenWords, :unspaced, :failure)`,
    ),
    places: database.prepare<[number, Buffer]>('insert into page_places (page_id, boxes) values (?, ?)'),
    lastDocument: database.prepare<[], number>("select seq from sqlite_sequence where name = 'documents'").pluck(),
    countDocuments: database.prepare<[number]>("update sqlite_sequence set seq = ? where name = 'documents'"),
    beginDocuments: database.prepare<[number]>("insert into sqlite_sequence (name, seq) values ('documents', ?)"),
    tablesAt: database.prepare<[number, string], { id: number; fields: string }>(
      'select id, fields from extractions where created_at = ? and row_kind = ?',
    ),
    table: database.prepare<TableRow & { stopped: number }>(
      `insert into extractions (name, fields, row_kind, created_at, stopped, failure)
       values (:name, :fields, :by, :createdAt, :stopped, :failure)`,
    ),
    row: database.prepare<{ tableId: number; position: number; documentId: number; name: string; page: number | null }>(
      `insert into extraction_rows (extraction_id, position, document_id, document_name, page)
       values (:tableId, :position, :documentId, :name, :page)`,
    ),
    cell: database.prepare<CellRow & { field: number }>(
      `insert into extraction_cells (row_id, field, state, value, quote, page, doubts, reading, failure)
       values (:rowId, :field, :state, :value, :quote, :page, :doubts, :reading, :failure)`,
    ),
    setting: database.prepare<[string, string]>('insert or ignore into settings (name, value) values (?, ?)'),
  };

  /** An id that no document has or will have: what is said of one that was removed must not come to be said of another. */
  function idOfNone(): number {
    const last = statements.lastDocument.get();
    const id = (last ?? 0) + 1;
    if (last === undefined) statements.beginDocuments.run(id);
    else statements.countDocuments.run(id);
    return id;
  }

  /** Ids of the documents that one entry speaks of. */
  function documentIds(): (reference: DocumentReference) => number {
    const gone = new Map<number, number>();
    return ({ of, hash }) => {
      const id = (hash === null ? undefined : statements.documentOf.get(hash)) ?? gone.get(of) ?? idOfNone();
      gone.set(of, id);
      return id;
    };
  }

  /** The same conversation began at the same moment with the same words. */
  function knownConversation({ createdAt, messages: [first] }: ArchivedConversation): { id: number; deletedAt: number | null } | undefined {
    return statements.begunAt.all(createdAt).find(({ id }) => {
      const own = statements.firstOf.get(id);
      return !own || !first || (own.role === first.role && own.text === first.text && own.createdAt === first.createdAt);
    });
  }

  function addMessage(
    conversationId: number,
    parentId: number | null,
    message: ArchivedMessage,
    idOf: ReturnType<typeof documentIds>,
  ): number {
    const { pictures, scope, coverage, citations, parent: _, failure, server, statistics, judgement, differences, ...rest } = message;
    const { lastInsertRowid } = statements.message.run({
      ...rest,
      ...{ conversationId, parentId, unspaced: Number(isUnspaced(rest.text)) },
      failure: toJson(failure),
      server: toJson(server),
      statistics: toJson(statistics),
      judgement: toJson(judgement),
      differences: toJson(differences),
    });
    const messageId = Number(lastInsertRowid);
    for (const [position, hash] of pictures.entries()) statements.picture.run(messageId, position, hash);
    if (scope)
      statements.scope.run({
        messageId,
        kind: scope.document ? 'document' : 'library',
        documentId: scope.document && idOf(scope.document),
        name: scope.document && scope.document.name,
        pages: scope.pages,
        every: Number(scope.every),
        words: toJson(scope.words),
      });
    if (coverage) {
      const { looks, named, checked, words: searched, ...counts } = coverage;
      const told = { named: Number(named), checked: Number(checked), words: JSON.stringify(searched) };
      statements.coverage.run({ messageId, ...counts, ...told });
      for (const { document, ...look } of looks)
        statements.look.run({ messageId, ...look, documentId: idOf(document), name: document.name });
    }
    for (const { document, ...citation } of citations)
      statements.citation.run({ messageId, ...citation, documentId: document && idOf(document) });
    return messageId;
  }

  return {
    putConversation: (archived) =>
      transaction(database, () => {
        const { title, createdAt, updatedAt, picture, pinnedPicture, instructions, messages, shown } = archived;
        const known = knownConversation(archived);
        const id =
          known?.id ??
          Number(
            statements.conversation.run({
              ...{ title, createdAt, updatedAt, picture, pinnedPicture, instructions },
              pinned: Number(archived.pinned),
              tags: JSON.stringify(archived.tags),
            }).lastInsertRowid,
          );
        // The same message follows the same one, and was stored at the same moment; of several such their order tells which.
        const keyOf = (parentId: number | null, role: string, at: number): string => `${parentId} ${role} ${at}`;
        const there = Map.groupBy(statements.messagesOf.all(id), ({ parentId, role, createdAt: at }) => keyOf(parentId, role, at));
        const ids: number[] = [];
        const idOf = documentIds();
        let added = 0;
        for (const message of messages) {
          const parentId = message.parent === null ? null : ids[message.parent]!;
          const own = there.get(keyOf(parentId, message.role, message.createdAt))?.shift();
          ids.push(own?.id ?? addMessage(id, parentId, message, idOf));
          if (!own) added++;
        }
        if (known && known.deletedAt !== null) statements.bringBack.run(id);
        const isMerged = added > 0 || (known !== undefined && known.deletedAt !== null);
        if (!known || added > 0) statements.grown.run({ id, updatedAt, picture, leafId: shown === null ? null : ids[shown]! });
        const put: Put = !known ? 'added' : isMerged ? 'merged' : 'known';
        return { id, put };
      }),

    putDocument: ({ pages, keepsText, failure, ...document }) =>
      transaction(database, () => {
        const known = statements.documentOf.get(document.hash);
        if (known !== undefined) return { id: known, put: 'known' };
        statements.forget.run(document.hash);
        const row = { ...document, keepsText: Number(keepsText), failure: toJson(failure) };
        const id = Number(statements.document.run(row).lastInsertRowid);
        for (const { places, ...page } of pages) {
          const values = { flags: JSON.stringify(page.flags), failure: toJson(page.failure), unspaced: Number(isUnspaced(page.text)) };
          const pageId = Number(statements.page.run({ ...page, ...values, documentId: id }).lastInsertRowid);
          const boxes = places === null ? null : Buffer.from(places, 'base64');
          if (boxes && boxes.length % 8 === 0) statements.places.run(pageId, boxes);
        }
        return { id, put: 'added' };
      }),

    putTable: ({ rows, ...table }) =>
      transaction(database, () => {
        const fields = JSON.stringify(table.fields);
        const same = (stored: string): boolean => JSON.stringify(parseJson(extractionFieldsSchema, stored)) === fields;
        const known = statements.tablesAt.all(table.createdAt, table.by).find((other) => same(other.fields));
        if (known) return { id: known.id, put: 'known' };
        const tableId = Number(statements.table.run({ ...table, fields, failure: toJson(table.failure), stopped: 1 }).lastInsertRowid);
        const idOf = documentIds();
        for (const [position, { document, page, cells }] of rows.entries()) {
          const row = { tableId, position, documentId: idOf(document), name: document.name, page };
          const rowId = Number(statements.row.run(row).lastInsertRowid);
          for (const [field, cell] of cells.entries())
            statements.cell.run({ ...cell, rowId, field, doubts: JSON.stringify(cell.doubts), failure: toJson(cell.failure) });
        }
        return { id: tableId, put: 'added' };
      }),

    putSettings: (settings) =>
      transaction(database, () =>
        Object.entries(settings)
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => statements.setting.run(name, JSON.stringify(value)).changes)
          .some((changes) => changes > 0),
      ),
  };
}
