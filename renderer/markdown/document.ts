import { blocksOf, mostPieces, type Block, type Environment } from './blocks.ts';
import { keep, push, type Chunks } from './chunks.ts';
import { wordsOf } from './inline.ts';
import { parser } from './parser.ts';

const lineEnds = /\r\n?/g;

export function parseMarkdown(text: string): Chunks<Block> {
  return orAsWritten(append([], blocksOf(text.replace(lineEnds, '\n'), {}, 0).blocks), text);
}

/** Text that Markdown makes nothing of (a definition alone, an empty heading) is shown too. */
function orAsWritten(blocks: Chunks<Block>, text: string): Chunks<Block> {
  return text.trim() !== '' && blocks.every((chunk) => chunk.every(saysNothing)) ? [[{ type: 'plain', text }]] : blocks;
}

function saysNothing(block: Block): boolean {
  if (block.type === 'quote') return block.blocks.every((chunk) => chunk.every(saysNothing));
  return (block.type === 'paragraph' || block.type === 'heading') && wordsOf(block.inline).trim() === '';
}

/** From this length on, unfinished text is not parsed again for every character. */
const longEnd = 8_192;
/** It is, when it has grown by this part. */
const part = 16;

/**
 * A Markdown text that grows at its end. Blocks that are finished are parsed once and stay the same objects, so that all
 * the steps together cost about as much as one reading. Definitions of links count for what stands below them until the
 * text is whole, which `parseMarkdown` reads.
 */
export class GrowingMarkdown {
  /** The text of the finished blocks. */
  #taken = '';
  #finished: Block[][] = [];
  #pieces = 0;
  #environment = newEnvironment();
  /** What came of the end of the text, as far as it was parsed. */
  #end: { text: string; blocks: Block[] } = { text: '', blocks: [] };

  blocks(given: string): Chunks<Block> {
    const text = given.replace(lineEnds, '\n');
    if (!text.startsWith(this.#taken)) this.#begin();
    let end = text.slice(this.#taken.length);
    if (this.#pieces > mostPieces && end !== '') return [...this.#finished, [{ type: 'plain', text: end }]];
    let beginning = parsedPart(end);
    if (beginning !== this.#end.text) {
      const newLine = beginning.lastIndexOf('\n') >= this.#end.text.length || !beginning.startsWith(this.#end.text);
      const finished = newLine ? finishedPart(beginning) : '';
      if (finished !== '') {
        this.#finish(finished);
        end = end.slice(finished.length);
        beginning = beginning.slice(finished.length);
      }
      const { blocks } = blocksOf(beginning, copyOf(this.#environment), this.#pieces);
      this.#end = { text: beginning, blocks: keep(this.#end.blocks, blocks) };
    }
    return orAsWritten(append(this.#finished, withRest(this.#end.blocks, beginning, end.slice(beginning.length))), given);
  }

  #begin(): void {
    this.#taken = '';
    this.#finished = [];
    this.#pieces = 0;
    this.#environment = newEnvironment();
    this.#end = { text: '', blocks: [] };
  }

  #finish(text: string): void {
    const { blocks, pieces } = blocksOf(text, this.#environment, this.#pieces);
    this.#finished = append(this.#finished, keep(this.#end.blocks.slice(0, blocks.length), blocks));
    this.#end = { text: '', blocks: this.#end.blocks.slice(blocks.length) };
    this.#pieces = pieces;
    this.#taken += text;
  }
}

const newEnvironment = (): Environment => ({ references: {} });

/** For a part of the text that will be read again, and may add to each of what is kept. */
function copyOf(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).map(([name, kept]) => [name, { ...(kept as object) }]));
}

/** `blocks` with `more` behind them; chunks that do not change are the same arrays. */
function append(blocks: Chunks<Block>, more: readonly Block[]): Block[][] {
  const all = blocks.map((chunk, at) => (at === blocks.length - 1 ? [...chunk] : (chunk as Block[])));
  for (const block of more) push(all, block);
  return all;
}

/** All of a short end; of a long one what was there when it had last grown by a part, by whole lines where there are some. */
function parsedPart(text: string): string {
  if (text.length < longEnd) return text;
  const step = 2 ** Math.floor(Math.log2(text.length)) / part;
  const length = Math.floor(text.length / step) * step;
  const line = text.lastIndexOf('\n', length - 1) + 1;
  return text.slice(0, line > length - step ? line : length);
}

/**
 * Up to where the last block begins, by whole lines: the line that is being written can still become part of the block
 * before it (`2` of `2. b`), and what stands before a block that a whole line has begun cannot change any more.
 */
function finishedPart(text: string): string {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const tokens: Parameters<typeof parser.block.parse>[3] = [];
  parser.block.parse(whole, parser, {}, tokens);
  const line = tokens.findLast(({ level, map }) => level === 0 && map)?.map?.[0] ?? 0;
  let at = 0;
  for (let passed = 0; passed < line; passed++) at = whole.indexOf('\n', at) + 1;
  return whole.slice(0, at);
}

/** `rest` was not parsed yet: it continues a block of code or a paragraph, and stands below other blocks. */
function withRest(blocks: readonly Block[], parsed: string, rest: string): readonly Block[] {
  if (rest === '') return blocks;
  const last = blocks.at(-1);
  const before = blocks.slice(0, -1);
  if (last?.type === 'code') return [...before, { ...last, text: `${last.text}\n${rest}` }];
  if (last?.type !== 'paragraph') return [...blocks, { type: 'plain', text: rest }];
  const text = parsed.slice(parsed.trimEnd().length) + rest;
  return [...before, { ...last, inline: [...last.inline, { type: 'plain', text }] }];
}
