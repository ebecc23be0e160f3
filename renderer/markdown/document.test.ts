import { expect, test } from 'vitest';
import { randomNumbers } from '../../main/test/random.ts';
import { mostPieces, type Block, type Cell, type Item } from './blocks.ts';
import type { Chunks } from './chunks.ts';
import { GrowingMarkdown, parseMarkdown } from './document.ts';
import { deepestInline, type Inline } from './inline.ts';
import { deepestBlock, mostColumns, mostMissing } from './parser.ts';
import { hostileAnswer } from './test/hostile.ts';

const plain = (blocks: Chunks<Block>): unknown[] => blocks.flat().map(plainBlock);

/** A block as nested arrays, to compare with what is expected. */
function plainBlock(block: Block): unknown {
  switch (block.type) {
    case 'paragraph':
      return ['p', words(block.inline)];
    case 'heading':
      return [`h${block.depth}`, words(block.inline)];
    case 'list':
      return [block.ordered ? `ol${block.start}` : 'ul', ...block.items.flat().map(plainItem)];
    case 'quote':
      return ['quote', ...plain(block.blocks)];
    case 'table':
      return ['table', block.header.map(({ align }) => align), cells(block.header), ...block.rows.flat().map((row) => cells(row.cells))];
    case 'code':
      return ['code', block.language, block.text];
    case 'formula':
      return ['formula', block.text, block.raw];
    case 'rule':
      return ['rule'];
    case 'html':
    case 'plain':
      return [block.type, block.text];
  }
}

/** Loose where paragraphs stand apart. */
function plainItem({ task, blocks }: Item): unknown {
  const loose = blocks.flat().some((block) => block.type === 'paragraph' && !block.bare);
  return [loose ? 'loose' : 'tight', ...(task === null ? [] : [task]), ...plain(blocks)];
}

const cells = (row: readonly Cell[]): string[] => row.map(({ inline }) => words(inline));

const words = (inline: readonly Inline[]): string => inline.map(plainInline).join('');

function plainInline(piece: Inline): string {
  switch (piece.type) {
    case 'text':
      return piece.text;
    case 'plain':
      return `{${piece.text}}`;
    case 'break':
      return '/';
    case 'code':
      return `<code ${piece.text}>`;
    case 'formula':
      return `<${piece.display ? 'display' : 'formula'} ${piece.text} ${piece.raw}>`;
    case 'image':
      return `<image ${piece.href} ${piece.text}>`;
    case 'link':
      return `<link ${piece.href} ${piece.children.map(plainInline).join('')}>`;
    case 'strong':
    case 'emphasis':
    case 'deleted':
      return `<${piece.type} ${piece.children.map(plainInline).join('')}>`;
  }
}

const parsed = (text: string): unknown[] => plain(parseMarkdown(text));

test('what answers are made of', () => {
  expect(parsed('# A **b**\n\none\ntwo\n\n---\n\n1. a\n2. b\n   - c\n\n> q\n')).toEqual([
    ['h1', 'A <strong b>'],
    ['p', 'one/two'],
    ['rule'],
    ['ol1', ['tight', ['p', 'a']], ['tight', ['p', 'b'], ['ul', ['tight', ['p', 'c']]]]],
    ['quote', ['p', 'q']],
  ]);
  expect(parsed('- [x] done\n- [ ] open')).toEqual([['ul', ['tight', true, ['p', 'done']], ['tight', false, ['p', 'open']]]]);
  expect(parsed('3) a\n\n4) b')).toEqual([['ol3', ['loose', ['p', 'a']], ['loose', ['p', 'b']]]]);
  expect(parsed('| a | b |\n|:--|:-:|\n| 1 | `x\\|y` |\n| 2 |')).toEqual([
    ['table', ['left', 'center'], ['a', 'b'], ['1', '<code x|y>'], ['2']],
  ]);
  expect(parsed('text\n| a |\n| - |\n| 1 |\n\nafter')).toEqual([
    ['p', 'text'],
    ['table', [null], ['a'], ['1']],
    ['p', 'after'],
  ]);
  expect(parsed('```js\nlet a;\n\n  b\n```\n~~~\nc')).toEqual([
    ['code', 'js', 'let a;\n\n  b'],
    ['code', '', 'c'],
  ]);
  expect(parsed('    four\n\n    more\n')).toEqual([['code', '', 'four\n\nmore']]);
  expect(parsed('a *b* _c_ __d__ ~~e~~ `f*` \\*g\\* snake_case_name 2*3*4 ~5')).toEqual([
    ['p', 'a <emphasis b> <emphasis c> <strong d> <deleted e> <code f*> *g* snake_case_name 2<emphasis 3>4 ~5'],
  ]);
  expect(parsed('***both*** **a*b*c** *a**b**c*')).toEqual([
    ['p', '<emphasis <strong both>> <strong a<emphasis b>c> <emphasis a<strong b>c>'],
  ]);
  expect(parsed('[a](https://b.c "t") ![d](e.png) <https://f.g> https://h.i.')).toEqual([
    ['p', '<link https://b.c a> <image e.png d> <link https://f.g https://f.g> <link https://h.i https://h.i>.'],
  ]);
  expect(parsed('[https://a.b/c](https://a.b/c) [x](https://y.z/(1))')).toEqual([
    ['p', '<link https://a.b/c https://a.b/c> <link https://y.z/(1) x>'],
  ]);
  expect(parsed('[a] [b][a] [a][]\n\n[A]: <https://c.d>')).toEqual([
    ['p', '<link https://c.d a> <link https://c.d b> <link https://c.d a>'],
  ]);
  expect(parsed('Title\n===\nSub\n---')).toEqual([
    ['h1', 'Title'],
    ['h2', 'Sub'],
  ]);
  expect(parsed('<div>\n*a*\n</div>\n\n<b>*c*</b>')).toEqual([
    ['html', '<div>\n*a*\n</div>'],
    ['p', '<b><emphasis c></b>'],
  ]);
  expect(parsed('In 1999\n2000. was a year\n1. a')).toEqual([
    ['p', 'In 1999/2000. was a year'],
    ['ol1', ['tight', ['p', 'a']]],
  ]);
});

test('text that Markdown makes nothing of is shown as it was written', () => {
  for (const text of ['[a]: b', '#', '>', '> #\n>']) expect(parsed(text)).toEqual([['plain', text]]);
  expect(parsed(' \n ')).toEqual([]);
});

const depthOfInline = (pieces: readonly Inline[]): number =>
  Math.max(0, ...pieces.map((piece) => ('children' in piece ? 1 + depthOfInline(piece.children) : 0)));
const depthOf = (blocks: Chunks<Block>): number =>
  Math.max(
    0,
    ...blocks.flat().map((block) => {
      if (block.type === 'quote') return 1 + depthOf(block.blocks);
      return block.type === 'list' ? 1 + Math.max(...block.items.flat().map((item) => depthOf(item.blocks))) : 0;
    }),
  );

test.each([
  ['- '.repeat(100) + 'end', 'end'],
  ['>'.repeat(250) + 'end', 'end'],
  ['> - '.repeat(3_000) + 'end', 'end'],
  [Array.from({ length: 60 }, (_, i) => '  '.repeat(i) + '- end').join('\n'), 'end'],
])('nesting ends at a depth, and what is deeper is text: %#', (text, end) => {
  const blocks = parseMarkdown(text);
  expect(depthOf(blocks)).toBe(deepestBlock);
  expect(JSON.stringify(plain(blocks))).toContain(end);
});

test.each(['**', '*', '~~', '**_'])('emphasis in emphasis ends at a depth: %s', (sign) => {
  const closing = [...sign].reverse().join('');
  const [[paragraph]] = parseMarkdown(`${sign}a `.repeat(60) + `b${closing} `.repeat(60)) as unknown as [[{ inline: Inline[] }]];
  expect(depthOfInline(paragraph.inline)).toBeLessThanOrEqual(deepestInline);
  expect(depthOfInline(paragraph.inline)).toBeGreaterThan(deepestInline - 2);
  expect(words(paragraph.inline)).toContain('b');
});

test('a link that is too deep is there as it was written', () => {
  const [paragraph] = parsed(`${'*a **b '.repeat(15)}[*c*](https://d.e "f")${'x** x*'.repeat(15)}`);
  expect(JSON.stringify(paragraph)).toContain('[*c*](https://d.e \\"f\\")x');
});

test('a link knows how it was written', () => {
  const texts = ['[*a*](b "c")', '[a][b]', '<https://c.d>', 'https://c.d', 'www.c.d'];
  const [[paragraph]] = parseMarkdown(`${texts.join(' and ')}\n\n[b]: c`) as unknown as [[{ inline: Inline[] }]];
  expect(paragraph.inline.flatMap((piece) => (piece.type === 'link' ? [piece.raw] : []))).toEqual(texts);
});

test('a table with more columns than anybody reads is text', () => {
  const table = (columns: number) => `${'|a'.repeat(columns)}|\n${'|-'.repeat(columns)}|`;
  expect((parsed(table(mostColumns))[0] as unknown[])[0]).toBe('table');
  expect(parsed(table(mostColumns + 1))).toEqual([['p', table(mostColumns + 1).replace('\n', '/')]]);
});

test.each([
  ['x', 1],
  ['|x|y', 2],
  ['x\\|y|', 1],
  ['|x|y|z\\|', 3],
  ['|', 0],
  ['||', 1],
])('a table in which more cells are missing than anybody leaves out ends, and nothing is lost: %s', (row, cells) => {
  const columns = 100;
  const rows = Math.floor(mostMissing / (columns - cells));
  const text = `${'|a'.repeat(columns)}|\n${'|-'.repeat(columns)}|\n${`${row}\n`.repeat(rows + 2)}`;
  const [[table, paragraph]] = parseMarkdown(text) as unknown as [[{ rows: Chunks<unknown> }, { inline: Inline[] }]];
  expect(table.rows.flat()).toHaveLength(rows);
  expect(words(paragraph.inline).split('/')).toHaveLength(2);
  // Rows in another table of the same text count as well.
  expect((parseMarkdown(`${text}\n${text}`).flat() as { type: string }[]).map(({ type }) => type).join()).toMatch(
    /^table,.*table,paragraph$/,
  );
});

test('more than any answer has is shown as it was written, and nothing is lost', () => {
  const text = '- a\n'.repeat(mostPieces);
  const blocks = parsed(text);
  expect(blocks).toHaveLength(2);
  expect((blocks[0] as unknown[]).length - 1 + (blocks[1] as string[])[1]!.split('- a').length - 1).toBe(mostPieces);
  expect(parsed('**a** '.repeat(10_000))).toEqual([['p', `{${'**a** '.repeat(10_000).trimEnd()}}`]]);
  expect(parsed(`${'*a* '.repeat(3_000)}\n\n**b**`)[1]).toEqual(['p', '<strong b>']);
});

test('finished blocks, items and rows stay the same objects while the answer grows', () => {
  const document = new GrowingMarkdown();
  const text = '# Title\n\nFirst.\n\n- a\n- b\n- c';
  const before = document.blocks(text).flat();
  const after = document.blocks(`${text} and more`).flat();
  expect(after.slice(0, 2)).toEqual([before[0], before[1]]);
  expect(after[0]).toBe(before[0]);
  expect(after[1]).toBe(before[1]);
  const items = (block: Block | undefined) => (block as Extract<Block, { type: 'list' }>).items.flat();
  expect(items(after[2])[0]).toBe(items(before[2])[0]);
  expect(items(after[2])[2]).not.toBe(items(before[2])[2]);
});

test('a text that grows ends as one that was there at once', () => {
  const traps = [
    '- a\n\n  b\n- c\n\nd',
    '```\na\n```\nb',
    '> a\nb\n\nc',
    '| a |\n|-|\n| 1 |\nx\n\ny',
    'a\n=\nb',
    '1. a\n\n   ```\n   b\n   ```\n2. c',
    '- a\r\n- b\r\n\r\nc',
    '1. a\n\n2. b\n\n3) c\n\n-\n',
    '<div>\na\n\nb',
    '***a** b*\n---\n- [ ] c',
  ];
  const hostile = Array.from({ length: 150 }, (_, seed) => hostileAnswer(seed).slice(0, 600));
  const texts = [...traps, ...traps, ...traps, ...hostile].map((text) => text.replaceAll('[', '('));
  for (const [at, text] of texts.entries()) {
    const document = new GrowingMarkdown();
    const next = randomNumbers(at);
    for (let end = 0; end < text.length; end += 1 + Math.floor(next() * 9)) document.blocks(text.slice(0, end));
    expect(plain(document.blocks(text)), JSON.stringify(text)).toEqual(parsed(text));
  }
}, 120_000);

test.each([
  ['one list', '', (at: number) => `- item ${at} with **bold** words\n`],
  ['one paragraph', '', (at: number) => `word ${at} `],
  ['one table', '| a |\n|-|\n', (at: number) => `| cell ${at} |\n`],
  ['one block of code', '```\n', (at: number) => `let a${at};\n`],
])('of a block that grows very long nothing is lost meanwhile, and it is seldom parsed: %s', (kind, begin, piece) => {
  const document = new GrowingMarkdown();
  let text = begin;
  let parses = 0;
  let last: Block | Inline | undefined;
  for (let at = 0; text.length < 40_000; at += 10) {
    text += Array.from({ length: 10 }, (_, more) => piece(at + more)).join('');
    const blocks = document.blocks(text).flat();
    const shown = JSON.stringify(plain([blocks.slice(-2)])).replace(/[{}]/g, '');
    expect(shown).toContain(String(at + 9));
    const [block] = blocks;
    const first = block?.type === 'paragraph' ? block.inline[0] : block;
    if (text.length > 10_000 && first !== last) parses++;
    last = first;
  }
  // Each time when it has grown by a sixteenth: 32 times from 10,000 to 40,000.
  if (kind !== 'one block of code') expect(parses).toBeLessThan(40);
  else expect(plain(document.blocks(text))).toHaveLength(1);
});

test('a text that is not the one before, longer, is read from its beginning', () => {
  const document = new GrowingMarkdown();
  document.blocks('# a\n\nb\n\nc');
  expect(plain(document.blocks('- d\n\ne'))).toEqual([
    ['ul', ['tight', ['p', 'd']]],
    ['p', 'e'],
  ]);
});

test('no hostile answer throws, goes deeper or says nothing', () => {
  for (let seed = 0; seed < 500; seed++) {
    const text = hostileAnswer(seed);
    const blocks = parseMarkdown(text);
    expect(depthOf(blocks), String(seed)).toBeLessThanOrEqual(deepestBlock);
    expect(blocks.length === 0 && text.trim() !== '', String(seed)).toBe(false);
    plain(blocks);
  }
}, 120_000);

test('formulas: in a line, by themselves, and none where money is meant', () => {
  expect(parsed('So $a^2 + b^2 = c^2$, and \\(x_1\\) too.')).toEqual([
    ['p', 'So <formula a^2 + b^2 = c^2 $a^2 + b^2 = c^2$>, and <formula x_1 \\(x_1\\)> too.'],
  ]);
  expect(parsed('Here $$\\frac{1}{2}$$ and \\[y\\].')).toEqual([
    ['p', 'Here <display \\frac{1}{2} $$\\frac{1}{2}$$> and <display y \\[y\\]>.'],
  ]);
  expect(parsed('before\n$$\na\n- b\n\n= c\n$$\nafter\n\\[\n  z\n\\]\n\n$$q$$')).toEqual([
    ['p', 'before'],
    ['formula', 'a\n- b\n\n= c', '$$\na\n- b\n\n= c\n$$'],
    ['p', 'after'],
    ['formula', 'z', '\\[\nz\n\\]'],
    ['formula', 'q', '$$\nq\n$$'],
  ]);
  expect(parsed('It is: $$\nx^2\n$$\n\nThen $y$.')).toEqual([
    ['p', 'It is: <display \nx^2\n $$\nx^2\n$$>'],
    ['p', 'Then <formula y $y$>.'],
  ]);
  // Marks within one are TeX.
  expect(parsed('$a*b*c$ and `$x$` and \\$y\\$')).toEqual([['p', '<formula a*b*c $a*b*c$> and <code $x$> and $y$']]);
  for (const money of [
    'It costs $5, not $6.',
    'From $5 to $10',
    '$5-$10',
    'US$5 and 6$',
    '$HOME/bin:$PATH',
    '$ 5 $',
    'a $$ b',
    '$',
    '$$',
    '($5)',
    `$a${'b'.repeat(2_000)}$`,
  ])
    expect(parsed(money).flat().join(), money).not.toMatch(/formula|display/);
});

test('a formula that is still being written is text; it is read when its end comes', () => {
  const document = new GrowingMarkdown();
  expect(plain(document.blocks('so\n\n$$\na\n- b'))).toEqual([
    ['p', 'so'],
    ['plain', '$$\na\n- b'],
  ]);
  expect(plain(document.blocks('so\n\n$$\na\n- b\n$$\nend'))).toEqual([
    ['p', 'so'],
    ['formula', 'a\n- b', '$$\na\n- b\n$$'],
    ['p', 'end'],
  ]);
});
