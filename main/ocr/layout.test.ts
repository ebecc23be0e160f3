import { describe, expect, test } from 'vitest';
import type { Quad } from '../contract.ts';
import { randomNumbers } from '../test/random.ts';
import { joinGaps, layOut } from './layout.ts';
import { quadOf } from './quad.ts';

/** Text of 10 pixels a character and 20 high, at its upper left corner. */
interface Piece {
  text: string;
  x: number;
  y: number;
}

const at = (text: string, x: number, y: number): Piece => ({ text, x, y });

function quad({ text, x, y }: Piece, angle = 0): Quad {
  const width = text.length * 10;
  const [cx, cy] = [x + width / 2, y + 10];
  return quadOf({
    centre: [cx * Math.cos(angle) - cy * Math.sin(angle), cx * Math.sin(angle) + cy * Math.cos(angle)],
    width,
    height: 20,
    angle,
  });
}

/** What would be copied. The pieces are given in another order, always the same. */
function copied(pieces: Piece[], angle = 0): string {
  const known = pieces.map((piece) => ({ text: piece.text, quad: quad(piece, angle) }));
  const shuffled = known.toSorted((a, b) => ((a.quad[0][0] * 7919) % 101) - ((b.quad[0][0] * 7919) % 101));
  return layOut(shuffled.map((piece) => piece.quad))
    .map(({ quad: place, before }) => before + known.find((piece) => piece.quad === place)!.text)
    .join('');
}

test('nothing, and one line', () => {
  expect(layOut([])).toEqual([]);
  expect(copied([at('alone', 5, 5)])).toBe('alone');
});

test('lines from the top down; a larger gap begins a paragraph', () => {
  const lines = [at('the first line of it', 10, 0), at('the second', 10, 24), at('another paragraph', 10, 72), at('goes on', 10, 96)];
  expect(copied(lines)).toBe('the first line of it\nthe second\n\nanother paragraph\ngoes on');
});

test('pieces of one line have a space between them', () => {
  expect(copied([at('one line', 0, 0), at('in pieces', 81, 2), at('and its next one', 0, 24)])).toBe(
    'one line in pieces\nand its next one',
  );
});

test('a table is read row by row, with a tab for every column that is passed', () => {
  const cells = [
    ['Item', 'Count', 'Price'],
    ['apple', '3', '1.20'],
    ['', '14', '0.80'],
    ['cherry', '', '9.99'],
  ];
  const pieces = cells.flatMap((row, y) => row.flatMap((cell, x) => (cell === '' ? [] : [at(cell, x * 120, y * 30)])));
  expect(copied(pieces)).toBe('Item\tCount\tPrice\napple\t3\t1.20\n\t14\t0.80\ncherry\t\t9.99');
});

test('a heading above a table and a line of text below it do not cost it its columns', () => {
  const pieces = [
    at('A heading that reaches over all of it', 0, 0),
    ...['a', 'b', 'c'].flatMap((name, row) => [at(name, 0, 40 + row * 24), at('12', 150, 40 + row * 24), at('34', 300, 40 + row * 24)]),
    at('And a sentence that is as long as that', 0, 140),
  ];
  expect(copied(pieces)).toBe(
    'A heading that reaches over all of it\n\na\t12\t34\nb\t12\t34\nc\t12\t34\n\nAnd a sentence that is as long as that',
  );
});

test('columns of sentences are read one after the other, level or not', () => {
  for (const shift of [0, 11]) {
    const left = ['on the left there are whole', 'sentences, which go on in', 'the next line of this', 'column'].map((text, row) =>
      at(text, 0, row * 24),
    );
    const right = ['and on the right there are', 'others, which belong to', 'one another in the same', 'way'].map((text, row) =>
      at(text, 330, row * 24 + shift),
    );
    expect(copied([...left, ...right])).toBe(
      'on the left there are whole\nsentences, which go on in\nthe next line of this\ncolumn\n\n' +
        'and on the right there are\nothers, which belong to\none another in the same\nway',
    );
  }
});

test('a list at the side of a window is read before what stands beside it', () => {
  const side = ['Inbox', 'Drafts', 'Sent', 'Archive', 'Spam'].map((text, row) => at(text, 0, row * 37));
  const body = [
    'A message of several lines that',
    'stands beside the list and has',
    'nothing to do with its rows, and',
    'that goes on for a while',
    'until it ends',
  ].map((text, row) => at(text, 200, 5 + row * 26));
  expect(copied([...side, ...body])).toBe(
    'Inbox\n\nDrafts\n\nSent\n\nArchive\n\nSpam\n\nA message of several lines that\nstands beside the list and has\n' +
      'nothing to do with its rows, and\nthat goes on for a while\nuntil it ends',
  );
});

test('a page that lies askew is read as if it lay straight', () => {
  const pieces = [at('a long first line of a page', 0, 0), at('12', 400, 0), at('a long second line of a page', 0, 24), at('34', 400, 24)];
  for (const degrees of [0, 7, -7]) {
    expect(copied(pieces, (degrees * Math.PI) / 180)).toBe('a long first line of a page\t12\na long second line of a page\t34');
  }
});

describe('what is left out', () => {
  test.each([
    [' ', '\n', '\n'],
    ['\n\n', '\n', '\n\n'],
    ['\n', ' ', '\n'],
    ['\n', '\t', '\n\t'],
    ['\t', '\t', '\t\t'],
    [' ', '\t', '\t'],
    ['', ' ', ' '],
  ])('%j and %j are %j', (before, after, joined) => {
    expect(joinGaps(before, after)).toBe(joined);
  });
});

test('three thousand places in no order have an order', () => {
  const random = randomNumbers(1);
  const quads = Array.from({ length: 3000 }, () =>
    quadOf({ centre: [random() * 3000, random() * 3000], width: 10 + random() * 90, height: 8 + random() * 20, angle: 0 }),
  );
  expect(new Set(layOut(quads).map(({ quad: place }) => place)).size).toBe(quads.length);
});
