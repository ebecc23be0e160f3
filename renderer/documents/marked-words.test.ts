import { expect, test } from 'vitest';
import { markedWords, piecesOf } from './marked-words.ts';

const page = (text: string): Parameters<typeof markedWords>[0] => text.split(' ').map((word) => ({ text: word, box: [0, 0, 1, 1] }));
const marked = (text: string, wanted: string): string[] => markedWords(page(text), wanted).map((index) => page(text)[index]!.text);

test.each([
  ['Termination requires notice', 'terminate', ['Termination']],
  ['The rent, rents and rental are due', 'rent', ['rent,', 'rents', 'rental']],
  ['Clause 12 and clause 120', '12', ['12']],
  ['No such word', 'terminate', []],
  ['Notice of notices', '', []],
])('%s: %s', (text, wanted, expected) => {
  expect(marked(text, wanted)).toEqual(expected);
});

test('a quote is marked where it stands, across lines and in spite of its marks', () => {
  const text = 'A notice is given. Three months’ written notice, not less, is required';
  expect(marked(text, '“three months written notice”')).toEqual(['Three', 'months’', 'written', 'notice,']);
  // What is not there in one piece is looked for word by word.
  expect(marked(text, 'months of notice')).toEqual(['notice', 'months’', 'notice,']);
});

test('words that follow one another are one piece', () => {
  expect(piecesOf([])).toEqual([]);
  expect(piecesOf([2, 3, 4, 7, 9, 10])).toEqual([[2, 3, 4], [7], [9, 10]]);
});
