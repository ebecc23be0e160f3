/** Ordinary answers look as they did with marked, which the window had before: a parser that has nothing in common with this one. */
import { Lexer, type Token, type Tokens } from 'marked';
import { expect, test } from 'vitest';
import { randomNumbers } from '../../main/test/random.ts';
import type { Block, Cell, Item, Row } from './blocks.ts';
import type { Chunks } from './chunks.ts';
import { parseMarkdown } from './document.ts';
import type { Inline } from './inline.ts';
import { decodeEntities } from './links.ts';

type Tree = string | Tree[];

const names: Record<string, string> = { em: 'emphasis', del: 'deleted', codespan: 'code', br: 'break', blockquote: 'quote', hr: 'rule' };

const mergeText = (pieces: Tree[]): Tree[] => {
  const merged: Tree[] = [];
  for (const piece of pieces) {
    const last = merged.at(-1);
    if (typeof piece === 'string' && typeof last === 'string') merged[merged.length - 1] = last + piece;
    else merged.push(piece);
  }
  return merged;
};

function theirs(tokens: readonly Token[]): Tree[] {
  return mergeText(
    tokens.flatMap((token): Tree[] => {
      const children = 'tokens' in token && token.tokens ? theirs(token.tokens) : [];
      switch (token.type) {
        case 'space':
        case 'def':
        case 'checkbox':
          return [];
        case 'text':
        case 'escape':
          return children.length > 0 ? children : [decodeEntities((token as Tokens.Text).text)];
        case 'heading':
          return [['heading', String((token as Tokens.Heading).depth), ...children]];
        case 'list': {
          const list = token as Tokens.List;
          const items = list.items.map((item): Tree => ['item', item.task ? String(item.checked === true) : '', ...theirs(item.tokens)]);
          return [[list.ordered ? `ordered ${list.start}` : 'list', ...items]];
        }
        case 'code':
          return [['code block', (token as Tokens.Code).lang ?? '', (token as Tokens.Code).text]];
        case 'table': {
          const table = token as Tokens.Table;
          const rows = [table.header, ...table.rows];
          return [['table', ...rows.map((row): Tree => row.map((cell): Tree => [cell.align ?? '', ...theirs(cell.tokens)]))]];
        }
        case 'link':
          return [['link', (token as Tokens.Link).href, ...children]];
        case 'image':
          return [['image', (token as Tokens.Image).href, (token as Tokens.Image).text]];
        case 'html':
          return [(token as Tokens.HTML).block ? ['html', (token as Tokens.HTML).text] : token.raw];
        case 'codespan':
          return [['code', (token as Tokens.Codespan).text]];
        default:
          return [[names[token.type] ?? token.type, ...children]];
      }
    }),
  );
}

const inlines = (pieces: readonly Inline[]): Tree[] => mergeText(pieces.map(inline));

function inline(piece: Inline): Tree {
  switch (piece.type) {
    case 'text':
      return piece.text;
    case 'link':
      return ['link', piece.href, ...inlines(piece.children)];
    case 'image':
      return ['image', piece.href, piece.text];
    case 'break':
      return ['break'];
    case 'code':
    case 'formula':
    case 'plain':
      return [piece.type, piece.text];
    case 'strong':
    case 'emphasis':
    case 'deleted':
      return [piece.type, ...inlines(piece.children)];
  }
}

function ours(blocks: Chunks<Block>): Tree[] {
  return blocks.flat().flatMap((block): Tree[] => {
    switch (block.type) {
      case 'paragraph':
        return block.bare ? inlines(block.inline) : [['paragraph', ...inlines(block.inline)]];
      case 'heading':
        return [['heading', String(block.depth), ...inlines(block.inline)]];
      case 'list':
        return [[block.ordered ? `ordered ${block.start}` : 'list', ...block.items.flat().map(item)]];
      case 'code':
        return [['code block', block.language, block.text]];
      case 'quote':
        return [['quote', ...ours(block.blocks)]];
      case 'table':
        return [['table', cells(block.header), ...block.rows.flat().map((row) => wholeRow(block.header, row))]];
      case 'rule':
        return [['rule']];
      case 'formula':
      case 'html':
      case 'plain':
        return [[block.type, block.text]];
    }
  });
}

const item = ({ task, blocks }: Item): Tree => ['item', task === null ? '' : String(task), ...ours(blocks)];
const cells = (row: readonly Cell[]): Tree[] => row.map(({ align, inline: pieces }) => [align ?? '', ...inlines(pieces)]);
const wholeRow = (header: readonly Cell[], row: Row): Tree => [
  ...cells(row.cells),
  ...header.slice(row.cells.length).map(({ align }): Tree => [align ?? '']),
];

const words = 'the picture shows a red box with some text in it and two buttons below'.split(' ');
const marks = [
  '**bold words**',
  '*slanted*',
  '_also slanted_',
  '`code()`',
  '~~gone~~',
  '[a page](https://example.org/a?b=c)',
  'https://example.org/x_y',
  '***both***',
  '**a `b` c**',
  '3 * 4 * 5',
  'snake_case_name',
  'C:\\\\temp',
  '1 < 2 && 3 > 2',
  '&amp;',
  '"quoted"',
  '(in brackets)',
  '50 %',
  '$5',
  'a/b',
  '\\*no\\*',
  '👍',
  'naïve',
  '日本語',
  '<b>tag</b>',
  'mail@example.org',
  '**Note:**',
  'x^2',
  '#5',
  '[1]',
  'e.g. this',
];

/** An answer such as models write: every kind of block, with words and marks in it. */
function answer(seed: number): string {
  const next = randomNumbers(seed);
  const below = (count: number) => Math.floor(next() * count);
  const pick = (from: readonly string[]) => from[below(from.length)]!;
  const sentence = () => `${Array.from({ length: 3 + below(9) }, () => (below(5) === 0 ? pick(marks) : pick(words))).join(' ')}.`;
  const lines = (make: (at: number) => string) => Array.from({ length: 2 + below(4) }, (_, at) => make(at)).join('\n');
  const blocks = [
    sentence,
    () => `${sentence()} ${sentence()}`,
    () => `${sentence()}\n${sentence()}`,
    () => `${'#'.repeat(1 + below(4))} ${sentence()}`,
    () => lines(() => `- ${sentence()}`),
    () => lines(() => `* **${pick(words)}**: ${sentence()}`),
    () => lines((at) => `${at + 1}. ${sentence()}`),
    () => lines((at) => `${at + 1}. ${sentence()}\n   - ${sentence()}\n   - ${sentence()}`),
    () => lines(() => `- ${sentence()}\n  - ${sentence()}\n    - ${sentence()}`),
    () => lines((at) => `${at + 1}. ${sentence()}\n`),
    () => `1. ${sentence()}\n\n   ${sentence()}\n\n   \`\`\`sh\n   ls\n   \`\`\`\n2. ${sentence()}`,
    () => lines(() => `- [${below(2) ? 'x' : ' '}] ${sentence()}`),
    () => lines(() => `> ${sentence()}`),
    () => `> **Note**\n> ${sentence()}\n>\n> - ${sentence()}`,
    () => '```js\nlet a = `1`; // *no*\n\n  b();\n```',
    () => `\`\`\`\n${sentence()}\n\`\`\``,
    () => `| a | b |\n|:--|--:|\n${lines(() => `| ${pick(words)} | ${pick(marks)} |`)}`,
    () =>
      `${sentence()}\n\n| ${pick(words)} | ${pick(words)} | c |\n| --- | :-: | - |\n` +
      lines(() => `| **${pick(words)}** | ${below(100)} |`),
    () => '---',
    () => `**${pick(words)}**\n\n${sentence()}`,
  ];
  return Array.from({ length: 1 + below(8) }, () => blocks[below(blocks.length)]!()).join('\n\n');
}

test('ordinary answers are understood as before', () => {
  for (let seed = 0; seed < 300; seed++) {
    const text = answer(seed);
    expect(ours(parseMarkdown(text)), text).toEqual(theirs(new Lexer({ gfm: true, breaks: true }).lex(text)));
  }
}, 120_000);
