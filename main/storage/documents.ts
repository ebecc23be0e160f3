/** Documents and their pages. docs/documents.md explains the states of a page, and how pages are ranked. */
import { randomUUID } from 'node:crypto';
import * as v from 'valibot';
import { failureSchema } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import {
  pageFlags,
  pageStates,
  type Clock,
  type DocumentStore,
  type PageFlag,
  type PageHit,
  type PageLabel,
  type PageQuery,
  type PageWord,
  type RankedHit,
  type StoredDocument,
  type StoredPage,
} from '../services/ports.ts';
import { transaction } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { packPlaces, unpackPlaces } from './page-places.ts';
import { parseJson, toJson } from './rows.ts';
import { isUnspaced } from '../scripts.ts';

export type DocumentQueries = Pick<
  DocumentStore,
  'list' | 'get' | 'find' | 'pages' | 'page' | 'words' | 'labels' | 'marks' | 'numbers' | 'search'
>;
export type DocumentCommands = Omit<DocumentStore, keyof DocumentQueries>;

type DocumentRow = Omit<StoredDocument, 'failure' | 'states' | 'keepsText'> & { failure: string | null; states: string; keepsText: number };
type PageRow = Omit<StoredPage, 'failure' | 'flags'> & { failure: string | null; flags: string };
type PageValues = PageRow & { id: number; unspaced: number };
/** Where is looked for. */
interface Within {
  documentId: number | null;
  from: number;
  to: number;
}

type HitRow = Omit<RankedHit, 'snippet'> & { snippet: string };

const states = ['waiting', ...pageStates] as const;
const statesSchema = v.record(v.string(), v.number());
const flagsSchema = v.array(v.picklist(pageFlags));
const pageColumns = 'number, label, width, height, rotation, state, flags, text, hidden_words as hiddenWords, failure';
const has = (flag: PageFlag): string => `flags like '%"${flag}"%'`;
/** A part of it is missing or left out; what the file's own text lacks, a reading of the picture has. */
const isInPart = `${has('damaged')} or ${has('picture-not-drawn')} or (state <> 'ocr' and (${has('garbled')} or ${has('hidden-text')}))`;
/** More words than a question has, with what a model adds to them. They bound the work. */
const mostWords = 64;
/** Characters before and after a hit that was found by characters. */
const around = 60;

function documentRows(where: string): string {
  return `select id, hash, name, kind, bytes, page_count as pageCount, failure, added_at as addedAt, keeps_text as keepsText,
    (select json_group_object(state, count)
       from (select state, count(*) as count from pages where document_id = documents.id group by state)) as states
    from documents where removed = 0 and ${where} order by added_at desc, id desc`;
}

function toDocument({ failure, states: counted, keepsText, ...row }: DocumentRow): StoredDocument {
  const counts = parseJson(statesSchema, counted) ?? {};
  const all = Object.fromEntries(states.map((state) => [state, counts[state] ?? 0])) as StoredDocument['states'];
  return { ...row, keepsText: keepsText === 1, failure: parseJson(failureSchema, failure) as StoredDocument['failure'], states: all };
}

function toPage({ failure, flags, ...row }: PageRow): StoredPage {
  return { ...row, flags: parseJson(flagsSchema, flags) ?? [], failure: parseJson(failureSchema, failure) as StoredPage['failure'] };
}

export function documentQueries(database: ReadDatabase): DocumentQueries {
  const list = database.prepare<[], DocumentRow>(documentRows('true'));
  const byId = database.prepare<[number], DocumentRow>(documentRows('id = ?'));
  const byHash = database.prepare<[string], DocumentRow>(documentRows('hash = ?'));
  const pages = database.prepare<[number], PageRow>(`select ${pageColumns} from pages where document_id = ? order by number`);
  const page = database.prepare<[number, number], PageRow>(`select ${pageColumns} from pages where document_id = ? and number = ?`);
  const places = database
    .prepare<[number, number], Buffer>(
      `select boxes from page_places join pages on pages.id = page_places.page_id where document_id = ? and number = ? and state = 'ocr'`,
    )
    .pluck();
  const labels = database.prepare<[number], PageLabel>('select number, label from pages where document_id = ? order by number');
  const marks = database
    .prepare<[number], string>(
      `select coalesce(group_concat(mark, ''), '')
       from (select iif(${isInPart}, upper(substr(state, 1, 1)), substr(state, 1, 1)) as mark from pages where document_id = ? order by number)`,
    )
    .pluck();
  const numbers = database
    .prepare<[number, string], number>('select number from pages where document_id = ? and state = ? order by number')
    .pluck();

  function get(id: number): StoredDocument {
    const row = byId.get(id);
    if (!row) throw new LoupeError('not_found', `There is no document ${id}.`, 'Look in the list of documents.');
    return toDocument(row);
  }

  function getPage(id: number, number: number): StoredPage {
    const { name } = get(id);
    const row = page.get(id, number);
    if (!row) throw new LoupeError('not_found', `${name} has no page ${number} here.`, 'Name a page that it has.');
    return toPage(row);
  }

  function words(id: number, number: number): PageWord[] {
    const { text, ...size } = getPage(id, number);
    const boxes = places.get(id, number);
    return boxes ? unpackPlaces(boxes, text, size) : [];
  }

  return {
    list: () => list.all().map(toDocument),
    get,
    find: (hash) => {
      const row = byHash.get(hash);
      return row ? toDocument(row) : null;
    },
    pages: (id) => (get(id), pages.all(id).map(toPage)),
    page: getPage,
    words,
    labels: (id) => (get(id), labels.all(id)),
    marks: (id) => (get(id), marks.get(id)!),
    numbers: (id, state) => numbers.all(id, state),
    search: pageSearch(database),
  };
}

function pageSearch(database: ReadDatabase): (query: PageQuery) => RankedHit[] {
  // Nobody can have written these, so that a text cannot pretend to be a hit.
  const open = `<${randomUUID()}>`;
  const close = `</${randomUUID()}>`;
  const scope = '(:documentId is null or pages.document_id = :documentId) and pages.number between :from and :to';
  const from = `join documents on documents.id = pages.document_id and documents.removed = 0`;
  const shown = (best: string): string => `with ${best}
     select pages.document_id as documentId, documents.name, pages.number, pages.label,
       snippet(page_words, 0, '${open}', '${close}', '…', 24) as snippet, -best.score as score
     from best cross join page_words on page_words.rowid = best.id join pages on pages.id = best.id ${from}
     where page_words match :match order by best.score, best.id`;
  const ranked = database.prepare<Within & { match: string; limit: number }, HitRow>(
    shown(`best as (
       select page_words.rowid as id, bm25(page_words) as score
       from page_words join pages on pages.id = page_words.rowid and ${scope}
       where page_words match :match order by score, page_words.rowid limit :limit
     )`),
  );
  // Inside a document a word counts by how rare it is there, not in the library, and once a page: contracts repeat themselves.
  const rankedInside = database.prepare<Within & { match: string; words: string; limit: number }, HitRow>(
    shown(`hits as materialized (
       select wanted.key as word, page_words.rowid as id, bm25(page_words) as likeness
       from json_each(:words) as wanted cross join page_words join pages on pages.id = page_words.rowid and ${scope}
       where page_words match wanted.value
     ), weights as (
       select word, ln(1 + (select count(distinct id) from hits) * 1.0 / count(*)) as weight from hits group by word
     ), best as (
       select id, -sum(weight) as score from hits join weights using (word) group by id order by score, sum(likeness), id limit :limit
     )`),
  );
  const texts = database.prepare<Within, HitRow>(
    `select pages.document_id as documentId, documents.name, pages.number, pages.label, pages.text as snippet, 0 as score
     from pages ${from} where pages.unspaced = 1 and ${scope} order by pages.document_id desc, pages.number`,
  );

  return ({ words, documentId = null, pages = { from: 1, to: Number.MAX_SAFE_INTEGER }, limit }) => {
    const within: Within = { documentId, from: pages.from, to: pages.to };
    const wanted = [...new Set(words.map((word) => word.normalize('NFC')).filter((word) => /[\p{L}\p{N}]/u.test(word)))].slice(
      0,
      mostWords,
    );
    const spaced = wanted.filter((word) => !isUnspaced(word));
    const glued = wanted.filter(isUnspaced);
    const terms = spaced.map((word) => `"${word.replaceAll('"', '""').replaceAll('\0', '')}"`);
    const all = { ...within, match: terms.join(' OR '), limit };
    const found =
      terms.length === 0 ? [] : documentId === null ? ranked.all(all) : rankedInside.all({ ...all, words: JSON.stringify(terms) });
    const byWords = found.map((row) => ({ ...row, snippet: marked(row.snippet) }));
    if (glued.length === 0) return byWords;
    const byCharacter = byCharacters(glued, within, limit);
    const known = new Set(byCharacter.map(keyOf));
    return [...byCharacter, ...byWords.filter((hit) => !known.has(keyOf(hit)))].slice(0, limit);
  };

  /** In scripts without spaces: the pages with most of what is wanted first. */
  function byCharacters(wanted: string[], within: Within, limit: number): RankedHit[] {
    const found: RankedHit[] = [];
    for (const row of texts.iterate(within)) {
      const text = row.snippet.normalize('NFC');
      const held = wanted.filter((term) => text.includes(term));
      if (held.length > 0) found.push({ ...row, snippet: excerpt(text, held), score: held.length });
    }
    return found.sort((one, other) => other.score - one.score).slice(0, limit);
  }

  function marked(text: string): PageHit['snippet'] {
    const [before = '', ...rest] = text.split(open);
    const pieces = rest.flatMap((piece) => {
      const end = piece.indexOf(close);
      return [
        { text: piece.slice(0, end), hit: true },
        { text: piece.slice(end + close.length), hit: false },
      ];
    });
    return tidy([{ text: before, hit: false }, ...pieces]);
  }
}

function keyOf({ documentId, number }: PageHit): string {
  return `${documentId}.${number}`;
}

function excerpt(text: string, held: string[]): PageHit['snippet'] {
  const at = Math.min(...held.map((term) => text.indexOf(term)));
  const term = held.find((one) => text.startsWith(one, at))!;
  const start = Math.max(0, at - around);
  const end = at + term.length + around;
  return tidy([
    { text: `${start > 0 ? '…' : ''}${text.slice(start, at).toWellFormed()}`, hit: false },
    { text: term, hit: true },
    { text: `${text.slice(at + term.length, end).toWellFormed()}${end < text.length ? '…' : ''}`, hit: false },
  ]);
}

/** On one line, without empty pieces. */
function tidy(pieces: PageHit['snippet']): PageHit['snippet'] {
  return pieces.map(({ text, hit }) => ({ text: text.replace(/\s+/g, ' '), hit })).filter(({ text }) => text !== '');
}

export function documentCommands(database: WriteDatabase, clock: Clock, queries: DocumentQueries): DocumentCommands {
  const statements = {
    insert: database.prepare<[string, string, string, number, number, number, number]>(
      'insert into documents (hash, name, kind, bytes, page_count, added_at, keeps_text) values (?, ?, ?, ?, ?, ?, ?)',
    ),
    forget: database.prepare<[string]>('delete from documents where hash = ? and removed = 1'),
    insertPage: database.prepare<[number, number, string]>('insert into pages (document_id, number, label) values (?, ?, ?)'),
    isThere: database.prepare<[number, number]>('select 1 from pages where document_id = ? and number = ?'),
    savePage: database.prepare<PageValues>(
      `update pages set label = :label, width = :width, height = :height, rotation = :rotation, state = :state, flags = :flags,
         text = :text, hidden_words = :hiddenWords, unspaced = :unspaced, failure = :failure
       where document_id = :id and number = :number and (state = 'waiting' or (state = 'picture' and :state = 'ocr'))`,
    ),
    savePlaces: database.prepare<[Buffer, number, number]>(
      'insert into page_places (page_id, boxes) select id, ? from pages where document_id = ? and number = ?',
    ),
    saveFailure: database.prepare<[string | null, number]>('update documents set failure = ? where id = ? and removed = 0'),
    setKeepsText: database.prepare<[number, number]>('update documents set keeps_text = ? where id = ? and removed = 0'),
    retry: database.prepare<[number]>("update pages set state = 'waiting', failure = null where document_id = ? and state = 'failed'"),
    /** They are the page's. What an answer quotes is the answer's, and values are the table's. */
    forgetWords: database.prepare<[number]>('update citations set found = null where document_id = ? and found is not null'),
    forgetNotes: database.prepare<[number]>('update looks set note = null where document_id = ? and note is not null'),
    forgetPlaces: database.prepare<[number]>(
      `update extraction_cells set quote = null, reading = null
       where row_id in (select id from extraction_rows where document_id = ?) and (quote is not null or reading is not null)`,
    ),
    removePages: database.prepare<[number]>('delete from pages where document_id = ?'),
    markRemoved: database.prepare<[number]>("update documents set removed = 1, name = '', failure = null where id = ?"),
  };

  return {
    add: ({ hash, name, kind, bytes, pageCount, from, to, keepsText = true }) =>
      transaction(database, () => {
        statements.forget.run(hash);
        const id = Number(statements.insert.run(hash, name, kind, bytes, pageCount, clock.now(), Number(keepsText)).lastInsertRowid);
        for (let number = from; number <= to; number++) statements.insertPage.run(id, number, String(number));
        return queries.get(id);
      }),
    savePage: (id, { number, label, width, height, rotation, state, flags, text, words, hiddenWords, failure }) => {
      const values: PageValues = {
        ...{ id, number, label, width, height, rotation, state, text, hiddenWords },
        flags: JSON.stringify(flags),
        unspaced: Number(isUnspaced(text)),
        failure: toJson(failure),
      };
      const places = state === 'ocr' ? packPlaces(words, text, { width, height }) : null;
      const isSaved = transaction(database, () => {
        if (statements.savePage.run(values).changes === 0) return false;
        if (places) statements.savePlaces.run(places, id, number);
        return true;
      });
      if (isSaved || statements.isThere.get(id, number)) return;
      throw new LoupeError(
        'not_found',
        `There is no page ${number} of document ${id}.`,
        'It may have been removed; look in the list of documents.',
      );
    },
    saveFailure: (id, failure) => void statements.saveFailure.run(toJson(failure), id),
    setKeepsText: (id, keeps) => void statements.setKeepsText.run(Number(keeps), id),
    retry: (id) => (queries.get(id), statements.retry.run(id).changes),
    remove: (id) => {
      queries.get(id);
      transaction(database, () => {
        statements.forgetWords.run(id);
        statements.forgetNotes.run(id);
        statements.forgetPlaces.run(id);
        statements.removePages.run(id);
        statements.markRemoved.run(id);
        // Until the index is merged it holds the words, marked as deleted.
        database.exec("insert into page_words (page_words) values ('optimize')");
      });
    },
  };
}
