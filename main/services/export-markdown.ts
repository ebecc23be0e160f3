/**
 * A message as a section of a Markdown document: it shows what Loupe's window shows of the message,
 * and nothing in it reaches beyond its section, however it is written.
 *
 * Questions are plain text in the window, and so they are here. Of an answer the blocks are read and written
 * again in a form that every Markdown renderer reads alike: closed, without raw HTML, without definitions of
 * links, which would hold for the whole document, and without pictures that a reader would fetch.
 */
import { Lexer, type Token, type Tokens } from 'marked';

/** Blocks within blocks; what is deeper is shown as its source. */
const deepest = 20;
/** Characters of a link's address or title, and of an HTML tag; longer ones are text. It keeps the reading linear. */
const longestPart = 2000;
/** Headings of the document itself have the first two levels. */
const ownLevels = 2;

/** Text that stays on its line and means nothing to Markdown. */
export function oneLine(text: string): string {
  return escapeMarks(visible(text).replace(/\s+/g, ' ').trim()).replace(/[>#|]/g, '\\$&');
}

/** What was typed, as it was typed; in a code block where spaces count or where every other word would need a backslash. */
export function questionSection(text: string): string {
  const words = trimBlankLines(visible(text));
  if (words === '') return '';
  const lines = words.split('\n').map((line) => line.trimEnd());
  const escaped = lines.map((line) => escapeLineStart(escapeTyped(line)));
  const added = escaped.reduce((sum, line, index) => sum + line.length - lines[index]!.length, 0);
  const spacesCount = lines.some((line) => /^[ \t]|\t|\S {2,}\S|^(?:`{3}|~{3})/.test(line));
  return spacesCount || added > 4 + words.length / 20 ? fenced(words, '') : hardBreaks(escaped);
}

export function answerSection(text: string): string {
  const words = trimBlankLines(visible(text));
  if (nestingOf(words) > 5 * deepest) return fenced(words, '');
  const lexer = new Lexer({ gfm: true, breaks: true });
  // Blocks only: `spans` reads the inside of a line, in one pass.
  const blocks = lexer.blockTokens(words, lexer.tokens);
  const links = new Links(lexer.tokens.links);
  // A definition that nothing uses is shown, and uses may come after it: the second pass knows them all.
  if (Object.keys(lexer.tokens.links).length > 0) write(blocks, links, 0);
  return write(blocks, links, 0);
}

/** No byte of it steers a terminal or ends a file; line ends are alike. The JSON export has the text as it is. */
function visible(text: string): string {
  return text
    .toWellFormed()
    .replace(/^\ufeff/, '')
    .replace(/\r\n?/g, '\n')
    .replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '\ufffd');
}

/** Without lines in front and behind that have no words. */
function trimBlankLines(text: string): string {
  const end = text.indexOf('\n', endOf(text, ' \t\n'));
  return text.slice(0, end < 0 ? text.length : end).replace(/^(?:[ \t]*\n)+/, '');
}

/** Those that Markdown knows; others are text. */
function trimSpaces(line: string): string {
  return line.slice(0, endOf(line, ' \t')).replace(/^[ \t]+/, '');
}

/** Before the last of `characters`; an expression with $ would try every run of them. */
function endOf(text: string, characters: string): number {
  let end = text.length;
  while (end > 0 && characters.includes(text[end - 1]!)) end--;
  return end;
}

/** How deep the blocks may go, at most: markers in front of a line, and steps of its indentation. */
function nestingOf(text: string): number {
  let most = 0;
  for (const line of text.split('\n')) {
    const [front] = /^(?:[ \t]+|>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]))*/.exec(line)!;
    most = Math.max(most, front.replace(/ {2}|\d+/g, ' ').length);
  }
  return most;
}

// --- blocks

function write(blocks: readonly Token[], links: Links, depth: number): string {
  let written = '';
  let previous: Token | null = null;
  let marker = '';
  for (const block of blocks) {
    if (block.type === 'checkbox') {
      written += (block as Tokens.Checkbox).checked ? '[x] ' : '[ ] ';
      continue;
    }
    const isList = block.type === 'list';
    marker = isList ? markerOf(block as Tokens.List, previous?.type === 'list' ? marker : '') : marker;
    const part = depth >= deepest ? fenced(block.raw, '') : writeBlock(block, links, depth, marker);
    if (part === '') continue;
    written += (previous === null ? '' : mayFollow(previous, block) ? '\n' : '\n\n') + part;
    previous = block;
  }
  return written;
}

function writeBlock(block: Token, links: Links, depth: number, marker: string): string {
  switch (block.type) {
    case 'space':
      return '';
    case 'paragraph':
    case 'text':
      return paragraph((block as Tokens.Paragraph).text, links);
    case 'heading': {
      const { depth: level, text } = block as Tokens.Heading;
      const words = spans(text, links)
        .split('\n')
        .map(trimSpaces)
        .join(' ')
        .replace(/(^|[ \t])(#+)$/, '$1\\$2');
      return `${'#'.repeat(Math.min(6, level + ownLevels))} ${words}`.trimEnd();
    }
    case 'code': {
      const { text, lang } = block as Tokens.Code;
      return fenced(text, lang ?? '');
    }
    case 'blockquote':
      return write((block as Tokens.Blockquote).tokens, links, depth + 1)
        .replace(/^(?=.)/gm, '> ')
        .replace(/^$/gm, '>');
    case 'list':
      return writeList(block as Tokens.List, links, depth, marker);
    case 'table':
      return writeTable(block as Tokens.Table, links);
    case 'hr':
      return '***';
    case 'def':
      return links.isUsed(block as Tokens.Def) ? '' : plainLines(block.raw, escapeTyped);
    default:
      return plainLines(block.raw, escapeSource);
  }
}

/** Without an empty line between: the words of a list item, and what may break into them. */
function mayFollow(before: Token, block: Token): boolean {
  if (before.type !== 'text') return false;
  if (block.type !== 'list') return ['code', 'blockquote', 'heading', 'hr'].includes(block.type);
  const { ordered, start, items } = block as Tokens.List;
  return (!ordered || start === 1) && (items[0]?.tokens.length ?? 0) > 0;
}

/** Not that of the list right before, which this one would otherwise continue. */
function markerOf({ ordered, raw }: Tokens.List, before: string): string {
  const [own = '-'] = /[-+*.)]/.exec(raw) ?? [];
  if (own !== before) return own;
  if (ordered) return own === '.' ? ')' : '.';
  return own === '-' ? '*' : '-';
}

function writeList({ ordered, start, loose, items }: Tokens.List, links: Links, depth: number, marker: string): string {
  const first = Number(start) || 0;
  const written = items.map(({ tokens }, index) => {
    const front = ordered ? `${first + index}${marker}` : marker;
    const content = write(tokens, links, depth + 1);
    return content === '' ? front : `${front} ${content.replace(/\n(?=[^\n])/g, `\n${' '.repeat(front.length + 1)}`)}`;
  });
  return written.join(loose ? '\n\n' : '\n');
}

function writeTable({ header, align, rows }: Tokens.Table, links: Links): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const cell = ({ text }: Tokens.TableCell): string => spans(text, links).replace(/\\?\|/g, '\\|').replace(/\n/g, ' ');
  const rules = align.map((side) => (side === 'center' ? ':-:' : side === 'right' ? '--:' : side === 'left' ? ':--' : '---'));
  return [row(header.map(cell)), row(rules), ...rows.map((cells) => row(cells.map(cell)))].join('\n');
}

function fenced(text: string, language: string): string {
  const code = text.slice(0, endOf(text, '\n'));
  const mark = language.includes('`') ? '~' : '`';
  const runs = code.match(mark === '~' ? /~{3,}/g : /`{3,}/g) ?? [];
  const longest = runs.reduce((most, run) => Math.max(most, run.length), 2);
  const fence = mark.repeat(longest + 1);
  return `${fence}${language}\n${code}${code === '' ? '' : '\n'}${fence}`;
}

/** Markdown that is shown as its source, in one paragraph. */
function plainLines(text: string, escape: (line: string) => string): string {
  const lines = text.split('\n').map(trimSpaces);
  return hardBreaks(lines.filter((line) => line !== '').map((line) => escapeLineStart(escape(line))));
}

function paragraph(text: string, links: Links): string {
  const lines = spans(text.slice(0, endOf(text, ' \t\n')), links)
    .split('\n')
    .map(trimSpaces);
  return hardBreaks(lines.filter((line) => line !== '').map(escapeLineStart));
}

/** The window breaks lines where the text does. */
function hardBreaks(lines: readonly string[]): string {
  return lines.join('  \n');
}

// --- lines

/** Source that is shown: an address in it takes no backslash and no quotation mark along as a link. */
function escapeSource(text: string): string {
  return escapeMarks(text).replace(/:(?=\/\/)|(?<=\bwww)\./gi, '\\$&');
}

/** What was typed: its addresses stay links. */
function escapeTyped(text: string): string {
  const parts = text.split(/(\bhttps?:\/\/[^\s<>]+)/i);
  // A backslash within or right behind a bare address would be part of it.
  const isBare = (words: string, index: number): boolean => escapeMarks(words) === words && !/^\S/.test(parts[index + 1]!);
  return parts.map((words, index) => (index % 2 === 0 ? escapeMarks(words) : isBare(words, index) ? words : `<${words}>`)).join('');
}

function escapeMarks(text: string): string {
  return text.replace(/[\\`*[\]~]|_(?![\p{L}\p{N}])|(?<![\p{L}\p{N}])_|<(?=[a-z/!?])|&(?=#?\w+;)/giu, '\\$&');
}

/** What would begin another block, or turn the line before into a heading or a table, does not. */
function escapeLineStart(line: string): string {
  return line
    .replace(/^(?:[-+*](?=[ \t]|$)|#{1,6}(?=[ \t]|$)|>|~{3}|=+[ \t]*$)/, '\\$&')
    .replace(/^(?:-(?=[- \t]*$)|\*(?=[* \t]*$)|_(?=[_ \t]*$)|\|(?=[|:\- \t]*$)|:(?=[|:\- \t]*$)|-(?=[|:\- \t]*$))/, '\\$&')
    .replace(/^(\d{1,9})([.)])(?=[ \t]|$)/, '$1\\$2')
    .replace(/^`{3,}(?=[^`]*$)/, (run) => '\\`'.repeat(run.length));
}

// --- within a line

type Definitions = Record<string, Pick<Tokens.Link, 'href' | 'title'>>;

/** Definitions of links: they hold in their message alone, so that every use of one names its address itself. */
class Links {
  readonly #byLabel: Definitions;
  readonly #used = new Set<string>();

  constructor(byLabel: Definitions) {
    this.#byLabel = byLabel;
  }

  isUsed({ tag }: Tokens.Def): boolean {
    return this.#used.has(tag);
  }

  /** `(<address> "title")`, or null where there is none. */
  use(label: string): { href: string; tail: string } | null {
    // A footnote, which some readers know and marked takes for a link.
    if (label.startsWith('^')) return null;
    const tag = label.trim().toLowerCase().replace(/\s+/g, ' ');
    const link = Object.hasOwn(this.#byLabel, tag) ? this.#byLabel[tag]! : null;
    if (!link) return null;
    this.#used.add(tag);
    const { href, title } = link;
    const name = title ? ` "${title.replace(/\s+/g, ' ').replace(/"/g, '\\"')}"` : '';
    return { href, tail: `(<${href.replace(/[<>]/g, '\\$&')}>${name})` };
  }
}

const punctuation = /[!-/:-@[-`{-~]/;
const autolink = /^<(?:(?:https?:|mailto:)[^\s<>]+|[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9.-]+)>/i;
const tag = /^(?:<\/?[a-z](?:[^<>"']|"[^"]*"|'[^']*')*>|<!--[^]*?-->|<[!?][^<>]*>)/i;
/** `(address "title")`; an address may hold pairs of parentheses, as those of Wikipedia do. */
const address = /<((?:\\.|[^<>\\\n])*)>|((?:\\.|\((?:\\.|[^\s()\\])*\)|[^\s()<\\])(?:\\.|\((?:\\.|[^\s()\\])*\)|[^\s()\\])*)/;
const title = /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\((?:\\.|[^()\\])*\)/;
const linkTail = new RegExp(`^\\(\\s*(?:${address.source})(?:\\s+(?:${title.source}))?\\s*\\)`);
const referenceTail = /^\[((?:\\.|[^[\]\\])*)\]/;

interface Opener {
  /** Of its bracket among the pieces written. */
  piece: number;
  /** After the bracket, in the text. */
  from: number;
  isPicture: boolean;
}

/** The text of a paragraph, heading or cell; line ends are breaks. One pass, whatever is in it. */
function spans(text: string, links: Links): string {
  const pieces: string[] = [];
  const openers: Opener[] = [];
  /** Those below it are text: a link holds no link. */
  let inactive = 0;
  /** Brackets of links that pictures became: within a link they go again. */
  const pictures: { from: number; to: number }[] = [];
  const closing = closingRuns(text);
  const hasAddress = text.includes('://');
  const near = (at: number): string => text.slice(at, at + longestPart);

  /** What stands for the bracket that closes `opener`, and the text's place after it; null where it makes no link. */
  function tailOf(opener: Opener, at: number): { tail: string; end: number; safe: boolean } | null {
    const own = linkTail.exec(near(at + 1));
    if (own) return { tail: own[0].replace(/\s+/g, ' '), end: at + 1 + own[0].length, safe: isSafe(own[1] ?? own[2]!) };
    const label = referenceTail.exec(near(at + 1));
    const found = links.use(label?.[1] || text.slice(opener.from, at));
    return found && { tail: found.tail, end: at + 1 + (label?.[0].length ?? 0), safe: isSafe(found.href) };
  }

  /** Returns the position after it. */
  function closeBracket(at: number): number {
    const opener = openers.pop();
    const usable = opener !== undefined && (opener.isPicture || openers.length >= inactive);
    inactive = Math.min(inactive, openers.length);
    const found = usable ? tailOf(opener, at) : null;
    if (!found?.safe) {
      // Before these a reader might see a link or a definition; alone, brackets are text in a document without definitions.
      const literal = opener !== undefined && ('(:'.includes(text[at + 1] ?? ' ') || text[opener.from] === '^');
      pieces.push(literal ? '\\]' : ']');
      if (literal) pieces[opener.piece] = '\\[';
      return at + 1;
    }
    if (opener!.isPicture) {
      pieces[opener!.piece - 1] = '';
      // Of two exclamation marks, the one in front would take its place.
      if (pieces[opener!.piece - 2] === '!') pieces[opener!.piece - 2] = '\\!';
      pieces[opener!.piece] = '[Picture: ';
      pictures.push({ from: opener!.piece, to: pieces.length });
    } else {
      for (let inner = pictures.at(-1); inner && inner.from > opener!.piece; inner = pictures.at(-1)) {
        pieces[inner.from] = 'Picture: ';
        pieces[inner.to] = '';
        pictures.pop();
      }
      inactive = openers.length;
    }
    pieces.push(`]${found.tail}`);
    return found.end;
  }

  for (let at = 0; at < text.length;) {
    const character = text[at]!;
    const next = text[at + 1] ?? '';
    if (character === '\\') {
      // Before a line end it is a break, which is written anyhow.
      pieces.push(next === '\n' ? '' : punctuation.test(next) ? character + next : character);
      at += punctuation.test(next) ? 2 : 1;
    } else if (character === '`') {
      const run = runAt(text, at);
      const end = closing(run, at + run);
      pieces.push(end < 0 ? text.slice(at, at + run) : text.slice(at, end).replace(/\n/g, ' '));
      at = end < 0 ? at + run : end;
    } else if (character === '<') {
      const link = autolink.exec(near(at))?.[0];
      const html = link ? null : tag.exec(near(at))?.[0];
      const source = html ? escapeSource(html) : /[a-z/!?]/i.test(next) ? '\\<' : '<';
      // Some readers take a backslash behind a bare address for a part of it.
      pieces.push(link ?? (hasAddress && /\S/.test(text[at - 1] ?? ' ') ? source.replace(/^\\</, '&lt;') : source));
      at += (link ?? html ?? '<').length;
    } else if (character === '[') {
      const isPicture = pieces.at(-1) === '!';
      // Readers differ in what they take for a picture: so nothing here may be one for any of them.
      if (isPicture) pieces[pieces.length - 1] = '\\!';
      openers.push({ piece: pieces.length, from: at + 1, isPicture });
      pieces.push('[');
      at++;
    } else if (character === ']') {
      at = closeBracket(at);
    } else {
      const plain = character === '!' || character === '\n' ? character : /^[^\\`<![\]\n]+/.exec(near(at))![0];
      at += plain.length;
      pieces.push(plain);
    }
  }
  return pieces.join('');
}

function runAt(text: string, at: number): number {
  let end = at;
  while (text[end] === '`') end++;
  return end - at;
}

/** Where the next run of as many backticks ends, or -1. Asked from the front to the end of `text`. */
function closingRuns(text: string): (length: number, from: number) => number {
  const starts = new Map<number, number[]>();
  for (const { 0: run, index } of [...text.matchAll(/`+/g)].reverse()) {
    const places = starts.get(run.length);
    if (places) places.push(index);
    else starts.set(run.length, [index]);
  }
  return (length, from) => {
    const places = starts.get(length) ?? [];
    while (places.length > 0 && places.at(-1)! < from) places.pop();
    return places.length > 0 ? places.at(-1)! + length : -1;
  };
}

/** As the window has it: pages and mail addresses; other links are text. */
function isSafe(href: string): boolean {
  return ['https:', 'http:', 'mailto:'].includes(URL.parse(href)?.protocol ?? '');
}
