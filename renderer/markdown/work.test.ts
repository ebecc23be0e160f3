import { countWork } from './test/work.ts';
import { expect, test } from 'vitest';
import { GrowingMarkdown, parseMarkdown } from './document.ts';
import { families } from './test/hostile.ts';

/** A limit for a test that hangs: nothing is measured with it. */
const patience = 120_000;

test.each(Object.entries(families))(
  'twice the length is about twice the work: %s',
  async (_, make) => {
    const cost = (length: number) => countWork(() => void parseMarkdown(make(length)));
    const [once, twice] = [await cost(4_000), await cost(8_000)];
    expect(once).toBeGreaterThan(10);
    expect(twice).toBeLessThan(once * 2.3 + 1_000);
    // Measured are 274 steps for a sign at most ("[" within "[").
    expect(twice).toBeLessThan(8_000 * 400);
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
        const text = begin + piece.repeat(length / piece.length);
        for (let end = 160; end < text.length + 160; end += 160) document.blocks(text.slice(0, end));
      });
    const [once, twice] = [await cost(20_000), await cost(40_000)];
    expect(twice).toBeLessThan(once * 2.5);
  },
  patience,
);
