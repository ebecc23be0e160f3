/** Full-text search over titles, messages, the texts of pictures and the names of files. docs/decisions/0006-search-by-words.md explains why by words. */
import { randomUUID } from 'node:crypto';
import type { SearchHit } from '../contract.ts';
import type { ReadDatabase } from './handles.ts';
import { isUnspaced, unspacedClass } from '../scripts.ts';

type Snippet = SearchHit['snippet'];

/** Of all messages that match, the newest that are ranked: a common word matches everywhere, and ranking costs by the match. */
const ranked = 1000;
/** More words than anybody types; they bound the work. */
const mostTerms = 32;
/** SQLite takes patterns of 50,000 bytes at most. */
const longestPattern = 10_000;
/** Characters before and after a hit that was found by characters. */
const around = 60;

/** Also found by its characters; terms of signs alone are not looked for. */
const emoji = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u;

interface HitRow {
  conversationId: number;
  messageId: number | null;
  title: string;
  snippet: string;
  at: number;
  picture: string | null;
}

/** Best first: titles, then tags, then messages by the names of their files, by their texts, and by their pictures' texts. */
export function searchQuery(database: ReadDatabase): (query: string, limit: number) => SearchHit[] {
  // Random, so that no text can contain them and pretend to be a hit.
  const open = `<${randomUUID()}>`;
  const close = `</${randomUUID()}>`;

  const titles = database.prepare<{ query: string; limit: number }, HitRow>(
    `select id as conversationId, null as messageId, conversations.title,
       highlight(title_words, 0, '${open}', '${close}') as snippet, updated_at as at, null as picture
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
       snippet(message_words, 0, '${open}', '${close}', '…', 16) as snippet, messages.created_at as at, null as picture
     from best
       cross join message_words on message_words.rowid = best.id
       join messages on messages.id = best.id
       join conversations on conversations.id = messages.conversation_id
     where message_words match :query order by score, best.id desc`,
  );

  // A picture may have been asked about several times: the newest message stands for all of a conversation.
  const pictures = database.prepare<{ query: string; limit: number }, HitRow>(
    `with best as (
       select id, picture, score from (
         select picture_texts.id, picture_texts.picture, bm25(picture_words) as score
         from picture_words join picture_texts on picture_texts.id = picture_words.rowid
         where picture_words match :query order by picture_words.rowid desc limit ${ranked}
       )
     ),
     shown as (
       select max(messages.id) as messageId, conversations.id as conversationId, title, best.id, best.picture, score
       from best
         join message_pictures on message_pictures.picture = best.picture
         join messages on messages.id = message_pictures.message_id
         join conversations on conversations.id = messages.conversation_id and conversations.deleted_at is null
       group by conversations.id, best.id order by score, messageId desc limit :limit
     )
     select conversationId, messageId, shown.title, snippet(picture_words, 0, '${open}', '${close}', '…', 16) as snippet,
       messages.created_at as at, shown.picture
     from shown
       cross join picture_words on picture_words.rowid = shown.id
       join messages on messages.id = messageId
     where picture_words match :query order by score, messageId desc`,
  );

  return (query: string, limit: number): SearchHit[] => {
    const terms = termsOf(query);
    if (terms.length === 0) return [];
    if (terms.some((term) => isUnspaced(term) || emoji.test(term))) return byCharacters(terms, limit);
    const match = `${terms.map((term) => `"${term.replaceAll('"', '""')}"`).join(' ')} *`;
    const find = (statement: typeof titles) =>
      statement.all({ query: match, limit }).map((row) => ({ ...row, snippet: marked(row.snippet, open, close), inName: false }));
    const glued = gluedOnly(terms, limit);
    const written = without(glued.texts, find(texts));
    const read = find(pictures).filter(({ messageId }) => !written.some((hit) => hit.messageId === messageId));
    const inPictures = oncePerMessage(read);
    const named = without(glued.titles, find(titles)).slice(0, Math.max(Math.ceil(limit / 2), limit - written.length - inPictures.length));
    const rest = shared(written, inPictures, limit - named.length);
    return [...named, ...byTag(terms, limit), ...byName(terms, rest, limit), ...rest].slice(0, limit);
  };

  /** Of messages that are not among `others`; they may not crowd those out. */
  function byName(terms: string[], others: SearchHit[], limit: number): SearchHit[] {
    const wanted = terms.map((term, index) => inName(term, index === terms.length - 1));
    const hits = rowsOf(nameRows, wanted, Math.ceil(limit / 4)).map((hit) => ({ ...hit, inName: true }));
    return oncePerMessage(hits).filter(({ messageId }) => !others.some((hit) => hit.messageId === messageId));
  }

  function byTag(terms: string[], limit: number): SearchHit[] {
    const wanted = terms.map((term, index) => inName(term, index === terms.length - 1));
    return rowsOf(tagRows, wanted, Math.ceil(limit / 4)).map((hit) => ({ ...hit, inName: true }));
  }

  /** Words written together with a script that has no spaces: the index does not know them. */
  function gluedOnly(terms: string[], limit: number): { titles: SearchHit[]; texts: SearchHit[] } {
    const wanted = terms.map((term, index) => asWord(term, index === terms.length - 1));
    return { titles: rowsOf(titleRows, wanted, limit, ({ snippet }) => isUnspaced(snippet)), texts: rowsOf(gluedRows, wanted, limit) };
  }

  function byCharacters(terms: string[], limit: number): SearchHit[] {
    const wanted = terms.map(inText);
    const rest = shared(rowsOf(titleRows, wanted, limit), rowsOf(textRows, wanted, limit), limit);
    return [...byTag(terms, limit), ...byName(terms, rest, limit), ...rest].slice(0, limit);
  }

  /** The first that hold all that is wanted, in the order of `rows`. */
  function rowsOf(rows: RowsWhere, wanted: Wanted[], limit: number, also: (row: HitRow) => boolean = () => true): SearchHit[] {
    const isLike = (plain: boolean): string => `${plain ? "replace(body, char(65039), '')" : 'body'} like ? escape '\\'`;
    const where = wanted.map(({ likes, plain }) => `(${likes.map(() => isLike(plain)).join(' or ')})`).join(' and ');
    const patterns = wanted.flatMap(({ likes }) => likes.map((like) => `%${like.replace(/[\\%_]/g, '\\$&')}%`));
    const hits: SearchHit[] = [];
    if (patterns.some(({ length }) => length > longestPattern)) return hits;
    for (const row of database.prepare<unknown[], HitRow>(rows(where)).iterate(...patterns)) {
      if (!also(row) || !wanted.every(({ pattern }) => row.snippet.search(pattern) >= 0)) continue;
      hits.push({ ...row, snippet: excerpt(row.snippet, wanted), inName: false });
      if (hits.length === limit) break;
    }
    return hits;
  }
}

/** A query for the rows whose `body` is as it says. */
type RowsWhere = (where: string) => string;

const titleRows: RowsWhere = (where) =>
  `select id as conversationId, null as messageId, title, body as snippet, updated_at as at, null as picture
   from (select *, title as body from conversations where deleted_at is null) where ${where} order by updated_at desc`;

const tagRows: RowsWhere = (where) =>
  `select id as conversationId, null as messageId, title, body as snippet, updated_at as at, null as picture
   from (
     select *, (select group_concat(value, ', ') from json_each(tags)) as body from conversations where deleted_at is null and tags <> '[]'
   ) where ${where} order by updated_at desc`;

const messageRows = (which: string, where: string): string =>
  `select conversations.id as conversationId, hit.id as messageId, title, hit.body as snippet, hit.created_at as at, null as picture
   from (select id, conversation_id, text as body, created_at from messages where ${which} state <> 'streaming' order by id desc) as hit
     join conversations on conversations.id = hit.conversation_id and deleted_at is null
   where ${where} order by hit.id desc`;

/** What a person named: a capture and a paste were named by Loupe. From few names to their messages, not from all messages to their names. */
const nameRows: RowsWhere = (where) =>
  `select conversations.id as conversationId, hit.id as messageId, title, hit.body as snippet, hit.created_at as at, null as picture
   from (
     select messages.id, conversation_id, pictures.name as body, created_at
     from pictures cross join message_pictures on picture = hash cross join messages on messages.id = message_id
     where json_extract(origin, '$.kind') in ('file', 'drop')
     union all
     select messages.id, conversation_id, document_name as body, created_at
     from message_scopes cross join messages on messages.id = message_id where document_name is not null
   ) as hit
     cross join conversations on conversations.id = hit.conversation_id and deleted_at is null
   where ${where} order by hit.id desc`;

const textRows: RowsWhere = (where) => messageRows('', where);
const gluedRows: RowsWhere = (where) => messageRows('unspaced = 1 and', where);

/** A term as it is looked for in a text. */
interface Wanted {
  /** One of these is in every text that it is in, whatever the case of ASCII letters. */
  likes: string[];
  /** Signs that only choose how an emoji looks are skipped in the text. */
  plain: boolean;
  /** Finds it. */
  pattern: RegExp;
}

/** Letters that belong to one word; of other scripts they end one. */
const inWord = '[\\p{L}\\p{N}\\p{M}]';
const wordBegins = `(?:(?<!${inWord})|(?<=${unspacedClass}))`;
const wordEnds = `(?:(?!${inWord})|(?=${unspacedClass}))`;
/** Not in the middle of a flag, which is two letters. */
const flagBegins = '(?<=(?<!\\p{RI})(?:\\p{RI}\\p{RI})*)';
const looks = '\ufe0f';

/** Anywhere: by its characters. Words beside it, as elsewhere, from their beginning. */
function inText(term: string): Wanted {
  if (!isUnspaced(term) && !emoji.test(term)) return asWord(term, true);
  const plain = emoji.test(term);
  const bare = plain ? term.replaceAll(looks, '') : term;
  const spelled = spellings(bare).map((spelling) => (plain ? [...spelling].map(escaped).join(`${looks}?`) : escaped(spelling)));
  const begins = /^\p{RI}/u.test(bare) ? flagBegins : '';
  return { likes: spellings(bare), plain, pattern: new RegExp(`${begins}(?:${spelled.join('|')})`, 'giu') };
}

/** A word of a name ends where a dot or an underscore stands, as in "lease_2024.pdf". */
const inName = (term: string, unfinished: boolean): Wanted =>
  isUnspaced(term) || emoji.test(term) ? inText(term) : asWord(term, unfinished);

function asWord(term: string, unfinished: boolean): Wanted {
  const pattern = new RegExp(`${wordBegins}(?:${spellings(term).map(escaped).join('|')})${unfinished ? '' : wordEnds}`, 'giu');
  const cases = [term, term.toLowerCase(), term.toUpperCase(), term.charAt(0).toUpperCase() + term.slice(1).toLowerCase()];
  return { likes: [...new Set(cases.flatMap(spellings))], plain: false, pattern };
}

/** Marks are part of their letters or follow them. */
function spellings(term: string): string[] {
  return [...new Set([term.normalize('NFC'), term.normalize('NFD')])];
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

function without(more: SearchHit[], hits: SearchHit[]): SearchHit[] {
  const known = new Set(hits.map(({ conversationId, messageId }) => messageId ?? -conversationId));
  return [...hits, ...more.filter(({ conversationId, messageId }) => !known.has(messageId ?? -conversationId))];
}

/** The best of several pictures of one message. */
function oncePerMessage(hits: SearchHit[]): SearchHit[] {
  return hits.filter(({ messageId }, index) => hits.findIndex((hit) => hit.messageId === messageId) === index);
}

/** Neither kind may crowd out the other. */
function shared(first: SearchHit[], second: SearchHit[], limit: number): SearchHit[] {
  const firstCount = Math.max(Math.ceil(limit / 2), limit - second.length);
  return [...first.slice(0, firstCount), ...second].slice(0, limit);
}

/** What is between spaces and has a letter, a digit or an emoji in it. Control characters separate, too: NUL would end the query. */
function termsOf(query: string): string[] {
  return query
    .normalize('NFC')
    .split(/[\s\p{Cc}]+/u)
    .filter((term) => /[\p{L}\p{N}]/u.test(term) || emoji.test(term))
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

/** Whole characters, as people count them: an emoji of several, a letter with its marks. */
const characters = new Intl.Segmenter('en', { granularity: 'grapheme' });

function excerpt(text: string, wanted: Wanted[]): Snippet {
  const first = Math.min(...wanted.map(({ pattern }) => text.search(pattern)).filter((at) => at >= 0));
  const all = characters.segment(text);
  const from = all.containing(Math.max(0, first - around))?.index ?? 0;
  const end = all.containing(first + 2 * around)?.index ?? text.length;
  const window = text.slice(from, end).toWellFormed();
  const hits = wanted.flatMap(({ pattern }) => [...window.matchAll(pattern)].map((hit) => [hit.index, hit.index + hit[0].length] as const));
  const isHit = (at: number, length: number): boolean => hits.some(([start, stop]) => start < at + length && at < stop);
  const pieces: Snippet = from > 0 ? [{ text: '…', hit: false }] : [];
  for (const { segment, index } of characters.segment(window)) {
    const hit = isHit(index, segment.length);
    const last = pieces.at(-1);
    if (last?.hit === hit) last.text += segment;
    else pieces.push({ text: segment, hit });
  }
  if (end < text.length) pieces.push({ text: '…', hit: false });
  return tidy(pieces);
}

/** On one line, without empty pieces. */
function tidy(pieces: Snippet): Snippet {
  return pieces.map(({ text, hit }) => ({ text: text.replace(/\s+/g, ' '), hit })).filter(({ text }) => text !== '');
}
