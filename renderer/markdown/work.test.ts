import { countWork } from './test/work.ts';
import { expect, test } from 'vitest';
import type { Block, Words } from './blocks.ts';
import type { Chunks } from './chunks.ts';
import { GrowingMarkdown, parseMarkdown } from './document.ts';
import { families } from './test/hostile.ts';

/** A limit for a test that hangs: nothing is measured with it. */
const patience = 120_000;

/** Parses all words that are not in `seen`, as the window draws what is new. */
function read(blocks: Chunks<Block>, seen = new WeakSet<Words>()): void {
  const parse = (words: Words) => {
    if (!seen.has(words)) void words.inline;
    seen.add(words);
  };
  for (const block of blocks.flat()) {
    if (block.type === 'paragraph' || block.type === 'heading') parse(block.words);
    else if (block.type === 'quote') read(block.blocks, seen);
    else if (block.type === 'list') block.items.flat().forEach((item) => read(item.blocks, seen));
    else if (block.type === 'table') [{ cells: block.header }, ...block.rows.flat()].forEach(({ cells }) => cells.forEach((cell) => parse(cell.words)));
  }
}

test.each(Object.entries(families))(
  'twice the length is about twice the work: %s',
  async (_, make) => {
    const cost = (length: number) => countWork(() => read(parseMarkdown(make(length))));
    const [once, twice] = [await cost(4_000), await cost(8_000)];
    expect(once).toBeGreaterThan(10);
    expect(twice).toBeLessThan(once * 2.3 + 1_000);
    // No sign is looked at more than so often.
    expect(twice).toBeLessThan(8_000 * 100);
  },
  patience,
);

test.each([
  ['paragraphs', '', 'A sentence with **bold** words.\n\n'],
  ['one list', '', '- An item with `code`.\n'],
  ['one table', '|a|b|\n|-|-|\n', '| a | **b** |\n'],
  ['one code block', '```\n', 'let a = 1;\n'],
  ['one paragraph', '', 'Many words and *no* end. '],
])(
  'a growing answer costs about as much as its length: %s',
  async (_, begin, piece) => {
    const cost = (length: number) =>
      countWork(() => {
        const document = new GrowingMarkdown();
        const seen = new WeakSet<Words>();
        const text = begin + piece.repeat(length / piece.length);
        for (let end = 40; end < text.length + 40; end += 40) read(document.blocks(text.slice(0, end)), seen);
      });
    const [once, twice] = [await cost(10_000), await cost(20_000)];
    expect(twice).toBeLessThan(once * 2.5);
  },
  patience,
);
