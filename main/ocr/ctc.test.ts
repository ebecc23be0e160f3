import { expect, test } from 'vitest';
import { decode, wordsOf } from './ctc.ts';

const characters = ['a', 'b', '€', ' '];
const classes = characters.length + 1;

/** The likeliest class of each step, with its probability. */
function steps(...likeliest: [number, number][]): Float32Array {
  const values = new Float32Array(likeliest.length * classes);
  for (const [step, [index, probability]] of likeliest.entries()) {
    values.fill((1 - probability) / (classes - 1), step * classes, (step + 1) * classes);
    values[step * classes + index] = probability;
  }
  return values;
}

test('repeats are one character unless a blank is between them', () => {
  const { text, places } = decode(
    steps([1, 0.9], [1, 0.9], [0, 0.9], [1, 0.9], [2, 0.9], [0, 0.9], [3, 0.9], [3, 0.9]),
    classes,
    characters,
  );
  expect(text).toBe('aab€');
  expect(places).toEqual([0.5 / 8, 3.5 / 8, 4.5 / 8, 6.5 / 8]);
});

test('how sure it is: the mean of what was taken, blanks aside', () => {
  const { confidence } = decode(steps([1, 0.8], [0, 0.99], [2, 0.6]), classes, characters);
  expect(confidence).toBeCloseTo(0.7, 6);
  expect(decode(steps([0, 1], [0, 1]), classes, characters)).toEqual({ text: '', confidence: 0, places: [] });
});

test('words lie between the middles of their neighbours', () => {
  const words = wordsOf({ text: 'ab  a', places: [0.1, 0.2, 0.3, 0.4, 0.9] });
  expect(words.map(({ text }) => text)).toEqual(['ab', 'a']);
  // The pitch is 0.2.
  expect(words[0]!.from).toBe(0);
  expect(words[0]!.to).toBeCloseTo(0.3, 9);
  expect(words[1]!.from).toBeCloseTo(0.8, 9);
  expect(words[1]!.to).toBeCloseTo(1, 9);
});

test('a word alone takes the whole line', () => {
  expect(wordsOf({ text: 'a', places: [0.4] })).toEqual([{ text: 'a', from: 0, to: 0.9 }]);
  expect(wordsOf({ text: '  ', places: [0.2, 0.4] })).toEqual([]);
});
