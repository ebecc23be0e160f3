/** Markdown's blocks (paragraphs, lists, quotes, code, tables) from the library's tokens, as the window draws them. */
import type { Token } from 'markdown-it';
import { push, type Chunks } from './chunks.ts';
import { formulaMeta, longestFormula } from './formula-rules.ts';
import { inlineOf, mostInline, piecesOf, piecesOfFormula, wordsOf, type Inline } from './inline.ts';
import { parser } from './parser.ts';

export type Block =
  /** `bare`: words of an item, in a list without blank lines. */
  | { type: 'paragraph'; inline: readonly Inline[]; bare: boolean }
  | { type: 'heading'; depth: number; inline: readonly Inline[] }
  | { type: 'code'; text: string; language: string }
  /** TeX, on lines of its own; `raw`: with its signs. */
  | { type: 'formula'; text: string; raw: string }
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
  inline: readonly Inline[];
}

export interface Row {
  cells: readonly Cell[];
  /** How many cells at its end are empty. */
  missing: number;
}

export interface Item {
  /** Whether it is ticked off; null where it is not a task. */
  task: boolean | null;
  /** What a task is called. */
  name: string;
  blocks: Chunks<Block>;
}

/** After this many blocks, items, cells and formatted words the rest is shown as it was written: no answer has them. */
export const mostPieces = 8_000;
/** A block of code has a frame and a button. */
const piecesOfCode = 8;
const task = /^\[([ xX])\][ \t]+(?=\S)/;

/** Addresses that `[label]: address` lines give, and the rest that the library keeps beside a text. */
export type Environment = Record<string, unknown>;

export interface Parsed {
  blocks: Block[];
  /** What they count towards `mostPieces`, with what was there before. */
  pieces: number;
}

/** The blocks of `text`, whose lines end with "\n", after `before` pieces. */
export function blocksOf(text: string, environment: Environment, before: number): Parsed {
  const tree = new Tree(parser.parse(text, environment), before);
  const blocks = tree.blocks();
  if (tree.full !== null) blocks.push({ type: 'plain', text: text.split('\n').slice(tree.full).join('\n').trimEnd() });
  return { blocks, pieces: tree.pieces };
}

class Tree {
  readonly #tokens: readonly Token[];
  #at = 0;
  #line = 0;
  pieces: number;
  /** The line from which on there is too much of everything. */
  full: number | null = null;

  constructor(tokens: readonly Token[], pieces: number) {
    this.#tokens = tokens;
    this.pieces = pieces;
  }

  /** Those up to the end of what they stand in. */
  blocks(): Block[] {
    const blocks: Block[] = [];
    while (this.#more()) blocks.push(this.#block());
    return blocks;
  }

  /** Whether something begins here, and there is room for it. Passes over the end of what is around it. */
  #more(): boolean {
    const token = this.#tokens[this.#at];
    if (!token || this.full !== null) return false;
    if (token.map) this.#line = token.map[0];
    if (token.nesting < 0) {
      this.#at++;
      return false;
    }
    if (this.pieces <= mostPieces) return true;
    this.full = this.#line;
    return false;
  }

  #block(): Block {
    const token = this.#tokens[this.#at++]!;
    this.pieces++;
    switch (token.type) {
      case 'paragraph_open':
        return { type: 'paragraph', inline: this.#words(), bare: token.hidden };
      case 'heading_open':
        return { type: 'heading', depth: Number(token.tag.slice(1)), inline: this.#words() };
      case 'blockquote_open':
        return { type: 'quote', blocks: chunked(this.blocks()) };
      case 'bullet_list_open':
      case 'ordered_list_open':
        return { type: 'list', ordered: token.tag === 'ol', start: Number(token.attrGet('start') ?? 1), items: this.#items() };
      case 'table_open':
        return this.#table();
      case 'hr':
        return { type: 'rule' };
      case 'html_block':
        return { type: 'html', text: token.content.trimEnd() };
      case 'formula_block':
        return this.#formula(token);
      default:
        this.pieces += piecesOfCode;
        return { type: 'code', text: token.content.replace(/\n$/, ''), language: parser.utils.unescapeAll(token.info).trim() };
    }
  }

  /** One without an end is not read as TeX: it may still be being written. */
  #formula(token: Token): Block {
    const { raw, isClosed } = formulaMeta(token);
    const text = token.content;
    if (!isClosed || text.length > longestFormula) return { type: 'plain', text: raw };
    this.pieces += piecesOfFormula;
    return { type: 'formula', text, raw };
  }

  /** The words that follow, and the end of what they stand in. */
  #words(): Inline[] {
    const { content, children } = this.#tokens[this.#at]!;
    this.#at += 2;
    this.pieces += Math.min(mostInline, piecesOf(children!));
    return inlineOf(content, children!);
  }

  #items(): Chunks<Item> {
    const items: Item[][] = [];
    while (this.#more()) {
      this.#at++;
      this.pieces++;
      const done = this.#task();
      const blocks = this.blocks();
      const [first] = blocks;
      const name = done !== null && first?.type === 'paragraph' ? wordsOf(first.inline) : '';
      push(items, { task: done, name, blocks: chunked(blocks) });
    }
    return items;
  }

  /** Takes the box from the first words of an item. */
  #task(): boolean | null {
    const [paragraph, words] = [this.#tokens[this.#at]!, this.#tokens[this.#at + 1]];
    if (paragraph.type !== 'paragraph_open' || !words) return null;
    const box = task.exec(words.content);
    const first = words.children![0];
    if (!box || first?.type !== 'text' || !first.content.startsWith(box[0])) return null;
    words.content = words.content.slice(box[0].length);
    first.content = first.content.slice(box[0].length);
    return box[1] !== ' ';
  }

  #table(): Block {
    // The beginnings of head and row, and their ends.
    this.#at += 2;
    const header = this.#cells();
    this.#at++;
    const rows: Row[][] = [];
    const hasBody = this.#tokens[this.#at]!.type === 'tbody_open';
    if (hasBody) this.#at++;
    while (hasBody && this.#more()) {
      this.#at++;
      const all = this.#cells();
      const cells = all.slice(0, all.findLastIndex(({ inline }) => inline.length > 0) + 1);
      this.pieces += cells.length + 2;
      push(rows, { cells, missing: header.length - cells.length });
    }
    this.#at++;
    return { type: 'table', header, rows };
  }

  /** Those up to the end of the row. */
  #cells(): Cell[] {
    const cells: Cell[] = [];
    for (let token = this.#tokens[this.#at++]!; token.nesting > 0; token = this.#tokens[this.#at++]!) {
      const style = token.attrGet('style');
      cells.push({ align: style === null ? null : (String(style).slice('text-align:'.length) as Align), inline: this.#words() });
    }
    return cells;
  }
}

function chunked(blocks: readonly Block[]): Chunks<Block> {
  const chunks: Block[][] = [];
  for (const block of blocks) push(chunks, block);
  return chunks;
}
