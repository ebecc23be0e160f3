/**
 * Markdown's blocks (paragraphs, lists, quotes, code, tables), line by line, by the algorithm of
 * the CommonMark specification, with tables and tasks as on GitHub.
 *
 * Only the blocks that are still open can change with the next line. A block that has been
 * closed is never touched again, so that a growing answer is read and drawn anew only at its end.
 */
import { fork, push, type Chunks } from './chunks.ts';
import { foldLabel, mostInline, parseInline, unescaped, type Definitions, type Inline } from './inline.ts';
import { withoutEnd } from './links.ts';

export type Block =
  | { type: 'paragraph'; words: Words }
  | { type: 'heading'; depth: number; words: Words }
  | { type: 'code'; text: string; language: string }
  | { type: 'quote'; blocks: Chunks<Block> }
  | { type: 'list'; ordered: boolean; start: number; items: Chunks<Item> }
  | { type: 'table'; header: readonly Cell[]; rows: Chunks<Row> }
  | { type: 'rule' }
  /** Markup, which is shown and not used. */
  | { type: 'html'; text: string }
  /** What comes after the limit: as it was written. */
  | { type: 'plain'; text: string };

export type Align = 'left' | 'center' | 'right' | null;

export interface Cell {
  align: Align;
  words: Words;
}

export interface Row {
  cells: readonly Cell[];
  /** How many cells it is short of. */
  missing: number;
}

export interface Item {
  /** Whether it is ticked off; null where it is no task. */
  task: boolean | null;
  /** What a task is called. */
  name: string;
  /** Its paragraphs are bare words: no blank line stands between the items of the list. */
  tight: boolean;
  blocks: Chunks<Block>;
}

/** Words that are parsed when they are shown, once. */
export class Words {
  readonly text: string;
  readonly #definitions: Definitions;
  #inline: Chunks<Inline> | undefined;

  constructor(text: string, definitions: Definitions, inline?: Chunks<Inline>) {
    this.text = text;
    this.#definitions = definitions;
    this.#inline = inline;
  }

  get inline(): Chunks<Inline> {
    return (this.#inline ??= [parseInline(this.text, this.#definitions)]);
  }
}

/** Lists and quotes stand within each other this deep; what would be deeper is text. */
export const deepestBlock = 20;
/** After this many blocks, items, cells and formatted words the rest is shown as it was written: no answer has them. */
export const mostPieces = 8_000;
export const mostColumns = 100;
/** A block of code has a frame and a button. */
const piecesOfCode = 8;
const mostDefinitions = 1_000;

interface Quote {
  kind: 'quote';
  blocks: Block[][];
}

interface List {
  kind: 'list';
  /** The bullet, or what stands behind the number. */
  sign: string;
  start: number | null;
  loose: boolean;
  items: Item[][];
  /** The line before was blank. */
  blank: boolean;
}

interface ListItem {
  kind: 'item';
  blocks: Block[][];
  task: boolean | null;
  name: string;
  /** Columns from the list's edge to the item's words. */
  indent: number;
  blank: boolean;
}

interface Paragraph {
  kind: 'paragraph';
  lines: string[];
}

interface Fence {
  kind: 'fence';
  sign: string;
  length: number;
  indent: number;
  language: string;
  lines: string[];
}

interface Indented {
  kind: 'indented';
  lines: string[];
}

interface Html {
  kind: 'html';
  /** What the last line holds; null: a blank line ends it. */
  end: RegExp | null;
  lines: string[];
}

interface Table {
  kind: 'table';
  header: Cell[];
  rows: Row[][];
}

/** What stands after the limit. */
interface Rest {
  kind: 'rest';
  lines: string[];
}

interface Root {
  kind: 'root';
  blocks: Block[][];
}

type Leaf = Paragraph | Fence | Indented | Html | Table | Rest;
type Open = Root | Quote | List | ListItem | Leaf;

const tagNames =
  'address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|' +
  'fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|' +
  'meta|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul';

/** How a block of markup begins, and how it ends. The last kind does not interrupt a paragraph. */
const htmlBlocks: readonly [begin: RegExp, end: RegExp | null][] = [
  [/^<(?:script|pre|textarea|style)(?:\s|>|$)/i, /<\/(?:script|pre|textarea|style)>/i],
  [/^<!--/, /-->/],
  [/^<\?/, /\?>/],
  [/^<![a-z]/i, />/],
  [/^<!\[CDATA\[/, /\]\]>/],
  [new RegExp(`^</?(?:${tagNames})(?:\\s|/?>|$)`, 'i'), null],
  [/^<(?:\/[a-z][a-z\d-]*\s*|[a-z][a-z\d-]*(?:\s+[a-z_:][\w:.-]*(?:\s*=\s*(?:[^\s"'=<>`]+|'[^']*'|"[^"]*"))?)*\s*\/?)>\s*$/i, null],
];

const heading = /^(#{1,6})(?:[ \t]+|$)/;
const fence = /^(`{3,}|~{3,})/;
const setext = /^(=+|-+)[ \t]*$/;
const rule = /^(?:(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|(?:-[ \t]*){3,})$/;
const bullet = /^([*+-])(?=[ \t]|$)/;
const number = /^(\d{1,9})([.)])(?=[ \t]|$)/;
const delimiterRow = /^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const destination = String.raw`(?:<([^<>\n]*)>|([^\s<]\S*))`;
const title = String.raw`(?:"(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*'|\((?:[^()\\]|\\[^])*\))`;
/** A title counts where nothing stands behind it. */
const definition = new RegExp(
  String.raw`\[((?:[^[\]\\]|\\[^]){1,999})\]:[ \t]*\n?[ \t]*${destination}` +
    String.raw`(?:(?:[ \t]+\n?|[ \t]*\n)[ \t]*${title}(?=[ \t]*(?:\n|$)))?[ \t]*(?:\n|$)`,
  'y',
);
/** What may begin something else than words. */
const formatting = '*_~`[<@\n';
const task = /^\[([ xX])\][ \t]+(?=\S)/;

/** A line that is read from left to right; a tab may be used up in parts. */
class Line {
  readonly text: string;
  at = 0;
  column = 0;
  /** Columns of the tab before `at` that are left. */
  spare = 0;

  constructor(text: string) {
    this.text = text;
  }

  get rest(): string {
    return ' '.repeat(this.spare) + this.text.slice(this.at);
  }

  /** From the next character that is no space. */
  get words(): string {
    return this.text.slice(this.#nextWord());
  }

  get blank(): boolean {
    return this.#nextWord() === this.text.length;
  }

  /** In columns. */
  get indent(): number {
    let columns = this.spare;
    let column = this.column + this.spare;
    for (let at = this.at; this.text[at] === ' ' || this.text[at] === '\t'; at++) {
      const width = this.text[at] === '\t' ? 4 - (column % 4) : 1;
      columns += width;
      column += width;
    }
    return columns;
  }

  /** Passes over blank columns, `most` at most. */
  skip(most: number): void {
    for (let left = most; left > 0; ) {
      if (this.spare === 0) {
        const next = this.text[this.at];
        if (next !== ' ' && next !== '\t') return;
        this.at++;
        this.spare = next === '\t' ? 4 - (this.column % 4) : 1;
      }
      const used = Math.min(this.spare, left);
      this.spare -= used;
      this.column += used;
      left -= used;
    }
  }

  /** Passes over `count` characters that are no spaces. */
  pass(count: number): void {
    this.at += count;
    this.column += count;
  }

  #nextWord(): number {
    let at = this.at;
    while (this.text[at] === ' ' || this.text[at] === '\t') at++;
    return at;
  }
}

/** Makes the words of a block; while an answer grows, those of its end are made otherwise. */
type MakeWords = (text: string, definitions: Definitions) => Words;

export class BlockParser {
  readonly #open: Open[];
  readonly #definitions: Map<string, string>;
  readonly #makeWords: MakeWords | null;
  #count: number;

  /** `from`: goes on from there, and leaves that one as it is. */
  constructor(makeWords: MakeWords | null = null, from?: BlockParser) {
    this.#makeWords = makeWords;
    this.#definitions = new Map(from ? from.#definitions : []);
    this.#open = from ? from.#open.map(copy) : [{ kind: 'root', blocks: [] }];
    this.#count = from ? from.#count : 0;
  }

  /** Takes a line, without its end. */
  line(text: string): void {
    if (this.#count > mostPieces && this.#open[1]?.kind !== 'rest') this.#begin({ kind: 'rest', lines: [] }, 1);
    const line = new Line(text);
    const kept = this.#match(line);
    const blank = kept !== null && this.#take(line, kept);
    // What is blank within a quote is not blank around it.
    const quote = this.#open.findLastIndex(({ kind }) => kind === 'quote');
    for (const [at, block] of this.#open.entries()) if (block.kind === 'list' || block.kind === 'item') block.blank = blank && at > quote;
  }

  /** Ends what is open. Nothing can be taken after it. */
  finish(): Chunks<Block> {
    this.#closeTo(1);
    return (this.#open[0] as Root).blocks;
  }

  /** How many of the open blocks the line goes on with; null where it ended a block of code. */
  #match(line: Line): number | null {
    for (let at = 1; at < this.#open.length; at++) {
      const block = this.#open[at]!;
      if (block.kind === 'fence' && line.indent < 4 && closesFence(block, line.words)) {
        this.#closeTo(at);
        return null;
      }
      if (!this.#continues(block, at, line)) return at;
    }
    return this.#open.length;
  }

  #continues(block: Open, at: number, line: Line): boolean {
    switch (block.kind) {
      case 'root':
      case 'list':
      case 'rest':
        return true;
      case 'quote':
        return skipQuoteMark(line);
      case 'item':
        // Nothing comes after a bullet, a blank line and nothing else.
        if (line.blank) return block.blocks.length > 0 || at < this.#open.length - 1;
        if (line.indent < block.indent) return false;
        line.skip(block.indent);
        return true;
      case 'fence':
        line.skip(block.indent);
        return true;
      case 'indented':
        if (line.indent < 4 && !line.blank) return false;
        line.skip(4);
        return true;
      case 'html':
        return block.end !== null || !line.blank;
      case 'paragraph':
      case 'table':
        return !line.blank;
    }
  }

  /** Puts the line where it belongs. True when it was blank. */
  #take(line: Line, matched: number): boolean {
    const last = this.#open[matched - 1]!;
    if (last.kind === 'fence' || last.kind === 'indented' || last.kind === 'html' || last.kind === 'rest') {
      last.lines.push(line.rest);
      if (last.kind === 'html' && last.end?.test(line.rest)) this.#closeTo(matched - 1);
      return last.kind === 'indented' && line.blank;
    }
    let kept = matched;
    while (!line.blank) {
      if (line.indent >= 4) {
        // A paragraph takes it as its words.
        if (this.#open.at(-1)!.kind === 'paragraph') break;
        line.skip(4);
        this.#begin({ kind: 'indented', lines: [line.rest] }, kept);
        return false;
      }
      if (this.#endsParagraph(line.words, kept) || this.#isLeaf(line, kept)) return false;
      if (!this.#beginsContainer(line, kept)) break;
      kept = this.#open.length;
    }
    const began = kept !== matched;
    const tip = this.#open.at(-1)!;
    if (tip.kind === 'paragraph' && !began && !line.blank) tip.lines.push(line.words);
    else this.#addWords(line, kept);
    return line.blank && !began;
  }

  #addWords(line: Line, kept: number): void {
    this.#closeTo(kept);
    if (line.blank) return;
    const tip = this.#open.at(-1)!;
    if (tip.kind === 'table') this.#addRow(tip, line.words);
    else this.#begin({ kind: 'paragraph', lines: [line.words] }, kept);
  }

  /** A line below a paragraph that makes it a heading, or its last line the head of a table. */
  #endsParagraph(words: string, kept: number): boolean {
    const paragraph = this.#open[kept - 1]!;
    if (paragraph.kind !== 'paragraph') return false;
    if (/[|:]/.test(words) && delimiterRow.test(words)) {
      const header = cellsOf(paragraph.lines.at(-1)!);
      const align = cellsOf(words).map(alignOf);
      if (header.length !== align.length || header.length > mostColumns) return false;
      paragraph.lines.pop();
      this.#count += header.length;
      this.#begin({ kind: 'table', header: header.map((cell, at) => ({ align: align[at]!, words: this.#words(cell) })), rows: [] }, kept);
      return true;
    }
    if (!setext.test(words)) return false;
    const text = this.#takeDefinitions(paragraph.lines.join('\n'));
    if (text === '') return false;
    paragraph.lines = [];
    this.#add({ type: 'heading', depth: words.startsWith('=') ? 1 : 2, words: this.#words(text) }, kept);
    return true;
  }

  /** A heading, code, markup or a rule. */
  #isLeaf(line: Line, kept: number): boolean {
    const words = line.words;
    const marks = heading.exec(words);
    if (marks) {
      this.#add({ type: 'heading', depth: marks[1]!.length, words: this.#words(headingText(words.slice(marks[1]!.length))) }, kept);
      return true;
    }
    const opening = fence.exec(words)?.[1];
    if (opening !== undefined && !(opening.startsWith('`') && words.includes('`', opening.length))) {
      const language = unescaped(words.slice(opening.length).trim());
      this.#begin({ kind: 'fence', sign: opening[0]!, length: opening.length, indent: line.indent, language, lines: [] }, kept);
      return true;
    }
    if (words.startsWith('<')) {
      const kind = htmlBlocks.findIndex(([begin]) => begin.test(words));
      if (kind >= 0 && (kind < htmlBlocks.length - 1 || this.#open.at(-1)!.kind !== 'paragraph')) {
        const end = htmlBlocks[kind]![1];
        this.#begin({ kind: 'html', end, lines: [line.rest] }, kept);
        if (end?.test(words)) this.#closeTo(this.#open.length - 1);
        return true;
      }
    }
    if (!rule.test(words)) return false;
    this.#add({ type: 'rule' }, kept);
    return true;
  }

  /** A quote or an item of a list. */
  #beginsContainer(line: Line, kept: number): boolean {
    const depth = this.#open.slice(0, kept).filter(({ kind }) => kind === 'quote' || kind === 'item').length;
    if (depth >= deepestBlock) return false;
    if (skipQuoteMark(line)) {
      this.#begin({ kind: 'quote', blocks: [] }, kept);
      return true;
    }
    const { words, indent } = line;
    const match = bullet.exec(words) ?? number.exec(words);
    if (!match) return false;
    const [marker, first, sign = first!] = match;
    const start = match.length === 3 ? Number(first) : null;
    const last = this.#open[kept - 1]!.kind;
    // A year or a dash at the beginning of a line does not make a list out of a paragraph.
    const interrupts = last === 'paragraph' || last === 'table';
    if (interrupts && (words.slice(marker.length).trim() === '' || (start ?? 1) !== 1)) return false;
    line.skip(indent);
    line.pass(marker.length);
    const gap = line.blank || line.indent > 4 ? 1 : line.indent;
    line.skip(gap);
    const list = this.#open[this.#containers(kept) - 1]!;
    const goesOn = list.kind === 'list' && list.sign === sign;
    if (!goesOn) this.#begin({ kind: 'list', sign, start, loose: false, items: [], blank: false }, kept);
    const item: ListItem = { kind: 'item', blocks: [], task: null, name: '', indent: indent + marker.length + gap, blank: false };
    this.#begin(item, goesOn ? kept : this.#open.length);
    return true;
  }

  /** How many of the `kept` blocks can hold another one. */
  #containers(kept: number): number {
    const { kind } = this.#open[kept - 1]!;
    return kind === 'paragraph' || kind === 'table' ? kept - 1 : kept;
  }

  /** Closes what the new block cannot stand in, and sees whether a blank line keeps it apart. */
  #makeRoom(kept: number, forItem: boolean): void {
    let base = this.#containers(kept);
    if (!forItem && this.#open[base - 1]!.kind === 'list') base--;
    this.#closeTo(base);
    const parent = this.#open.at(-1)!;
    if (parent.kind === 'list' && parent.blank && parent.items.length > 0) loosen(parent);
    if (parent.kind === 'item' && parent.blank && parent.blocks.length > 0) loosen(this.#open.at(-2) as List);
    this.#count++;
  }

  #begin(block: Exclude<Open, Root>, kept: number): void {
    this.#makeRoom(kept, block.kind === 'item');
    if (block.kind === 'fence' || block.kind === 'indented') this.#count += piecesOfCode;
    this.#open.push(block);
  }

  #add(block: Block, kept: number): void {
    this.#makeRoom(kept, false);
    push(this.#blocks(), block);
  }

  #addRow(table: Table, text: string): void {
    const { header } = table;
    const cells = cellsOf(text).slice(0, header.length);
    this.#count += cells.length + 2;
    push(table.rows, {
      cells: cells.map((cell, at) => ({ align: header[at]!.align, words: this.#words(cell) })),
      missing: header.length - cells.length,
    });
  }

  #words(text: string): Words {
    if (this.#makeWords) return this.#makeWords(text, this.#definitions);
    // Two signs make an element, about.
    let signs = 0;
    for (let at = 0; at < text.length; at++) if (formatting.includes(text[at]!)) signs++;
    this.#count += Math.min(mostInline, signs >> 1);
    return new Words(text, this.#definitions);
  }

  #blocks(): Block[][] {
    return (this.#open.at(-1) as Root | Quote | ListItem).blocks;
  }

  #closeTo(base: number): void {
    while (this.#open.length > base) {
      const block = this.#open.pop()!;
      if (block.kind === 'item') this.#closeItem(block);
      else if (block.kind === 'paragraph') this.#closeParagraph(block);
      else if (block.kind !== 'root') push(this.#blocks(), closed(block));
    }
  }

  #closeItem({ task, name, blocks }: ListItem): void {
    const list = this.#open.at(-1) as List;
    push(list.items, { task, name, tight: !list.loose, blocks });
  }

  #closeParagraph({ lines }: Paragraph): void {
    let text = this.#takeDefinitions(lines.join('\n'));
    if (text === '') return;
    const parent = this.#open.at(-1)!;
    const box = parent.kind === 'item' && parent.blocks.length === 0 ? task.exec(text) : null;
    if (box && parent.kind === 'item') {
      text = text.slice(box[0].length);
      parent.task = box[1] !== ' ';
      parent.name = text;
    }
    push(this.#blocks(), { type: 'paragraph', words: this.#words(text) });
  }

  /** Answers what else the paragraph says. */
  #takeDefinitions(text: string): string {
    let at = 0;
    while (text[at] === '[' && this.#definitions.size < mostDefinitions) {
      definition.lastIndex = at;
      const match = definition.exec(text);
      if (!match || match[1]!.trim() === '') break;
      const label = foldLabel(match[1]!);
      if (!this.#definitions.has(label)) this.#definitions.set(label, unescaped(match[2] ?? match[3]!));
      at = definition.lastIndex;
    }
    return withoutEnd(text.slice(at), ' \t\n');
  }
}

function copy(block: Open): Open {
  switch (block.kind) {
    case 'root':
    case 'quote':
    case 'item':
      return { ...block, blocks: fork(block.blocks) };
    case 'list':
      return { ...block, items: fork(block.items) };
    case 'table':
      return { ...block, rows: fork(block.rows) };
    case 'paragraph':
    case 'fence':
    case 'indented':
    case 'html':
    case 'rest':
      return { ...block, lines: [...block.lines] };
  }
}

function closed(block: Quote | List | Fence | Indented | Html | Table | Rest): Block {
  switch (block.kind) {
    case 'quote':
      return { type: 'quote', blocks: block.blocks };
    case 'list':
      return { type: 'list', ordered: block.start !== null, start: block.start ?? 1, items: block.items };
    case 'fence':
      return { type: 'code', text: block.lines.join('\n'), language: block.language };
    case 'indented':
      return { type: 'code', text: withoutBlankEnd(block.lines).join('\n'), language: '' };
    case 'table':
      return { type: 'table', header: block.header, rows: block.rows };
    case 'html':
      return { type: 'html', text: block.lines.join('\n') };
    case 'rest':
      return { type: 'plain', text: block.lines.join('\n') };
  }
}

/** One blank line is enough to make paragraphs of every item. */
function loosen(list: List): void {
  if (list.loose) return;
  list.loose = true;
  list.items = list.items.map((chunk) => chunk.map((item) => ({ ...item, tight: false })));
}

function withoutBlankEnd(lines: readonly string[]): readonly string[] {
  return lines.slice(0, lines.findLastIndex((line) => line.trim() !== '') + 1);
}

function skipQuoteMark(line: Line): boolean {
  if (line.indent > 3 || !line.words.startsWith('>')) return false;
  line.skip(3);
  line.pass(1);
  line.skip(1);
  return true;
}

function closesFence(block: Fence, words: string): boolean {
  let length = 0;
  while (words[length] === block.sign) length++;
  return length >= block.length && words.slice(length).trim() === '';
}

/** Without the marks that may close it. */
function headingText(text: string): string {
  const trimmed = text.trim();
  const open = withoutEnd(trimmed, '#');
  return open === '' || /[ \t]$/.test(open.slice(-1)) ? open.trimEnd() : trimmed;
}

function cellsOf(row: string): string[] {
  const cells = [''];
  for (const [piece] of row.matchAll(/\\[^]|\||[^\\|]+|\\$/g)) {
    if (piece === '|') cells.push('');
    else cells[cells.length - 1] += piece === '\\|' ? '|' : piece;
  }
  const trimmed = cells.map((cell) => cell.trim());
  if (trimmed[0] === '') trimmed.shift();
  if (trimmed.at(-1) === '') trimmed.pop();
  return trimmed;
}

function alignOf(cell: string): Align {
  const left = cell.startsWith(':');
  return cell.endsWith(':') ? (left ? 'center' : 'right') : left ? 'left' : null;
}
