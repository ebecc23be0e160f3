import { expect, test } from 'vitest';
import type { PageWord } from '../../contract.ts';
import { findWords } from './find-words.ts';

/** Each word in a line of its own, whose top is ten times its place. */
const picture = (text: string): PageWord[] => text.split(/\s+/).map((word, at) => ({ text: word, box: [0, at * 10, 50, at * 10 + 10] }));

/** "words: places", where a place is the words of the picture. */
function found(answer: string, text: string): string[] {
  const words = picture(text);
  return findWords(answer, words).map(
    ({ words: said, places }) => `${said}: ${places.map((boxes) => boxes.map(([, top]) => words[top / 10]!.text).join(' ')).join(' | ')}`,
  );
}

test.each([
  ['The total is 1,280.', 'Invoice Total 1,280', ['total: Total', '1,280: 1,280']],
  ['Total: $1,280', 'Total: $1,280.', ['Total: $1,280: Total: $1,280.']],
  [
    'It is from Northwind Traders, of Seattle.',
    'Northwind Traders Invoice Seattle',
    ['Northwind Traders: Northwind Traders', 'Seattle: Seattle'],
  ],
  // What is written otherwise is found by its value, and only where it is not written in the same way.
  ['The sum is 1,280.00', 'Sum 1280', ['sum: Sum', '1,280.00: 1280']],
  ['It says 1.28', 'Price 1.28 Sum 1,280', ['1.28: 1.28']],
  ['On 2026-03-14', 'Due 2026-03-14', ['2026-03-14: 2026-03-14']],
  ['Write to anna@example.com', 'Contact: anna@example.com', ['anna@example.com: anna@example.com']],
  ['It is in Item:4711', 'Item:4711 ready', ['Item:4711: Item:4711']],
  // Two places, each wording once.
  ['Rent is rent, and Rent', 'Rent due Rent paid', ['Rent: Rent | Rent', 'rent: Rent | Rent']],
  // A word of the picture is not a part of another, and no digit may differ.
  ['The cat has 128', 'category 1280', []],
  // Nothing to point at.
  ['There are 3 of the', '3 of the', []],
  ['The dialog says so.', 'the says', []],
  ['A blank picture', '', []],
  // Words that say nothing stay where they join those that do.
  ['the Bank of England and so', 'the Bank of England', ['Bank of England: Bank of England']],
  ['**Total** 1,280', 'Total 1,280', ['Total: Total', '1,280: 1,280']],
  ['It ends. Here it begins', 'ends Here begins', ['ends: ends', 'Here: Here', 'begins: begins']],
  ['日本 2026', '日本 2026', ['2026: 2026']],
])('%j in %j', (answer, text, expected) => {
  expect(found(answer, text)).toEqual(expected);
});

test('a word of the picture that is several words of the answer is marked once', () => {
  const [both] = findWords('anna@example.com', [{ text: 'anna@example.com', box: [1, 2, 3, 4] }]);
  expect(both).toEqual({ words: 'anna@example.com', places: [[[1, 2, 3, 4]]] });
});

test('words in one line are marked as one, and those of the next by themselves', () => {
  const words: PageWord[] = [
    { text: 'Northwind', box: [10, 20, 60, 32] },
    { text: 'Traders', box: [64, 21, 100, 33] },
    { text: 'Limited', box: [10, 40, 50, 52] },
  ];
  const boxes = [
    [10, 20, 100, 33],
    [10, 40, 50, 52],
  ];
  expect(findWords('Northwind Traders Limited', words)).toEqual([{ words: 'Northwind Traders Limited', places: [boxes] }]);
});

test('much of the same stays little', () => {
  const words = picture('row '.repeat(2000).trim());
  const all = findWords('row '.repeat(2000), words);
  // Twelve in a row at most, and what is left at the end.
  expect(all.map(({ words: said }) => said.split(' ').length)).toEqual([12, 8]);
  expect(all.map(({ places }) => places.length)).toEqual([50, 50]);
});
