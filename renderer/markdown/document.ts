import { BlockParser, Words, type Block } from './blocks.ts';
import type { Chunks } from './chunks.ts';
import { parseInline, wordsOf, type Definitions, type Inline } from './inline.ts';

/** Without their ends; behind the last end there is no line. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

export function parseMarkdown(text: string): Chunks<Block> {
  const parser = new BlockParser();
  for (const line of linesOf(text)) parser.line(line);
  return orAsWritten(parser.finish(), text);
}

/** Text that Markdown makes nothing of (a definition alone, an empty heading) is shown too. */
function orAsWritten(blocks: Chunks<Block>, text: string): Chunks<Block> {
  return text.trim() !== '' && blocks.every((chunk) => chunk.every(saysNothing)) ? [[{ type: 'plain', text }]] : blocks;
}

function saysNothing(block: Block): boolean {
  if (block.type === 'quote') return block.blocks.every((chunk) => chunk.every(saysNothing));
  return (block.type === 'paragraph' || block.type === 'heading') && wordsOf(block.words.inline.flat()).trim() === '';
}

/** From this length on words that grow are not parsed anew for every character. */
const longWords = 2_048;
/** They are, when they have grown by this part. */
const part = 16;

/**
 * A Markdown text that grows at its end. Lines are read once; blocks that are finished stay the
 * same objects, and words that were parsed are kept, so that all the steps together cost about as
 * much as one reading. Definitions of links count for what stands below them until the text is
 * whole, which `parseMarkdown` reads.
 */
export class GrowingMarkdown {
  #parser = new BlockParser();
  /** The whole lines that the parser has taken. */
  #taken = '';
  /** Words of the blocks that are still open, in their order: what was parsed of them. */
  readonly #known: { text: string; inline: readonly Inline[] }[] = [];

  blocks(text: string): Chunks<Block> {
    if (!text.startsWith(this.#taken)) {
      this.#parser = new BlockParser();
      this.#taken = '';
    }
    const end = text.lastIndexOf('\n') + 1;
    if (end > this.#taken.length) {
      for (const line of linesOf(text.slice(this.#taken.length, end))) this.#parser.line(line);
      this.#taken = text.slice(0, end);
    }
    let place = 0;
    const rest = new BlockParser((words, definitions) => this.#grown(words, definitions, place++), this.#parser);
    for (const line of linesOf(text.slice(end))) rest.line(line);
    return orAsWritten(rest.finish(), text);
  }

  /** Words of a block that is open. Parsed pieces that came out as before are the same objects. */
  #grown(text: string, definitions: Definitions, place: number): Words {
    const beginning = text.slice(0, parsedLength(text.length));
    let known = this.#known[place];
    if (known?.text !== beginning) {
      const inline = parseInline(beginning, definitions).map((piece, at) => (same(piece, known?.inline[at]) ? known!.inline[at]! : piece));
      known = this.#known[place] = { text: beginning, inline };
    }
    const rest = text.slice(beginning.length);
    return new Words(text, definitions, rest === '' ? [known.inline] : [known.inline, [{ type: 'plain', text: rest }]]);
  }
}

function parsedLength(length: number): number {
  if (length < longWords) return length;
  const step = 2 ** Math.floor(Math.log2(length)) / part;
  return Math.floor(length / step) * step;
}

function same(a: Inline, b: Inline | undefined): boolean {
  if (a.type !== b?.type) return false;
  if ('text' in a && 'text' in b) return a.text === b.text && (a.type !== 'image' || b.type !== 'image' || a.href === b.href);
  if (!('children' in a) || !('children' in b)) return true;
  if (a.type === 'link' && b.type === 'link' && (a.raw !== b.raw || a.href !== b.href)) return false;
  return a.children.length === b.children.length && a.children.every((child, at) => same(child, b.children[at]));
}
