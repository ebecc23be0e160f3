/** Full-text search over titles and messages. docs/decisions/0006-search-by-words.md tells why by words. */
import type { Database } from 'better-sqlite3';
import { randomUUID } from 'node:crypto';
import type { SearchHit } from '../contract.ts';

type Snippet = SearchHit['snippet'];

/** Of all messages that match, the newest that are ranked: a common word matches everywhere, and ranking costs by the match. */
const ranked = 1000;
/** More words than anybody types; they bound the work. */
const mostTerms = 32;
/** Characters before and after a hit that was found by characters. */
const around = 60;

/** Scripts that put no space between words, where the index takes a whole clause for one. */
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

interface HitRow {
  conversationId: number;
  messageId: number | null;
  title: string;
  snippet: string;
  at: number;
}

export type Search = ReturnType<typeof createSearch>;

/** Best first: titles, then messages. */
export function createSearch(database: Database) {
  // Nobody can have written these, so that a text cannot pretend to be a hit.
  const open = `<${randomUUID()}>`;
  const close = `</${randomUUID()}>`;

  const titles = database.prepare<{ query: string; limit: number }, HitRow>(
    `select id as conversationId, null as messageId, conversations.title, highlight(title_words, 0, '${open}', '${close}') as snippet, updated_at as at
     from title_words join conversations on conversations.id = title_words.rowid and deleted_at is null
     where title_words match :query order by title_words.rank, conversations.id desc limit :limit`,
  );
  // Ranked first, cut into snippets afterwards: only what is answered is read as a text. The cross
  // join keeps SQLite from walking through all matches once more to find the best ones.
  const texts = database.prepare<{ query: string; limit: number }, HitRow>(
    `with best as (
       select id, score from (
         select message_words.rowid as id, bm25(message_words) as score
         from message_words
           join messages on messages.id = message_words.rowid
           join conversations on conversations.id = messages.conversation_id and conversations.deleted_at is null
         where message_words match :query order by message_words.rowid desc limit ${ranked}
       ) order by score, id desc limit :limit
     )
     select conversations.id as conversationId, messages.id as messageId, conversations.title,
       snippet(message_words, 0, '${open}', '${close}', '…', 16) as snippet, messages.created_at as at
     from best
       cross join message_words on message_words.rowid = best.id
       join messages on messages.id = best.id
       join conversations on conversations.id = messages.conversation_id
     where message_words match :query order by score, best.id desc`,
  );

  return (query: string, limit: number): SearchHit[] => {
    const terms = termsOf(query);
    if (terms.length === 0) return [];
    if (terms.some((term) => unspaced.test(term))) return byCharacters(terms, limit);
    const match = `${terms.map((term) => `"${term.replaceAll('"', '""')}"`).join(' ')} *`;
    const find = (statement: typeof titles) => statement.all({ query: match, limit }).map((row) => ({ ...row, snippet: marked(row.snippet, open, close) }));
    return shared(find(titles), find(texts), limit);
  };

  function byCharacters(terms: string[], limit: number): SearchHit[] {
    const contains = (column: string) => terms.map(() => `${column} like ? escape '\\'`).join(' and ');
    const patterns = terms.map((term) => `%${term.replace(/[\\%_]/g, '\\$&')}%`);
    const titleRows = database
      .prepare<unknown[], HitRow>(
        `select id as conversationId, null as messageId, title, title as snippet, updated_at as at
         from conversations where deleted_at is null and ${contains('title')} order by updated_at desc limit ?`,
      )
      .all(...patterns, limit);
    const textRows = database
      .prepare<unknown[], HitRow>(
        `select conversations.id as conversationId, messages.id as messageId, title, text as snippet, messages.created_at as at
         from messages join conversations on conversations.id = messages.conversation_id and deleted_at is null
         where state <> 'streaming' and ${contains('text')} order by messages.id desc limit ?`,
      )
      .all(...patterns, limit);
    const cut = (row: HitRow) => ({ ...row, snippet: excerpt(row.snippet, terms) });
    return shared(titleRows.map(cut), textRows.map(cut), limit);
  }
}

/** Neither kind may crowd out the other. */
function shared(titles: SearchHit[], texts: SearchHit[], limit: number): SearchHit[] {
  const titleCount = Math.max(Math.ceil(limit / 2), limit - texts.length);
  return [...titles.slice(0, titleCount), ...texts].slice(0, limit);
}

/** What stands between spaces and has a letter or a digit in it. Control characters separate, too: NUL would end the query. */
function termsOf(query: string): string[] {
  return query
    .normalize('NFC')
    .split(/[\s\p{Cc}]+/u)
    .filter((term) => /[\p{L}\p{N}]/u.test(term))
    .slice(0, mostTerms);
}

function marked(text: string, open: string, close: string): Snippet {
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

function excerpt(text: string, terms: string[]): Snippet {
  const pattern = new RegExp(terms.map((term) => term.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'giu');
  const first = text.search(pattern);
  const start = Math.max(0, first - around);
  const end = Math.min(text.length, first + 2 * around);
  const window = `${start > 0 ? '…' : ''}${text.slice(start, end).toWellFormed()}${end < text.length ? '…' : ''}`;
  const pieces: Snippet = [];
  let done = 0;
  for (const hit of window.matchAll(pattern)) {
    pieces.push({ text: window.slice(done, hit.index), hit: false }, { text: hit[0], hit: true });
    done = hit.index + hit[0].length;
  }
  return tidy([...pieces, { text: window.slice(done), hit: false }]);
}

/** On one line, without empty pieces. */
function tidy(pieces: Snippet): Snippet {
  return pieces.map(({ text, hit }) => ({ text: text.replace(/\s+/g, ' '), hit })).filter(({ text }) => text !== '');
}
