import { describe, expect, test } from 'vitest';
import { anls } from './anls.ts';
import { chosenOption, nearestOption } from './choice.ts';
import { editDistance } from './edit-distance.ts';
import { finalAnswer } from './final-answer.ts';
import { mathAccuracy } from './math-answer.ts';
import { numberOf, numbersIn, openAccuracy } from './open-answer.ts';
import { relaxedAccuracy } from './relaxed-accuracy.ts';
import { normaliseVqaAnswer, vqaAccuracy } from './vqa-accuracy.ts';

test.each([
  ['kitten', 'sitting', 3],
  ['', 'abc', 3],
  ['same', 'same', 0],
  ['naïve', 'naive', 1],
  // One character, though two UTF-16 units.
  ['a😀', 'ab', 1],
])('%s -> %s takes %d edits', (from, to, distance) => {
  expect([editDistance(from, to), editDistance(to, from)]).toEqual([distance, distance]);
});

describe('ANLS', () => {
  test.each([
    ['the same, but for case and spaces', ' Dr.  John SMITH ', ['dr. john smith'], 1],
    ['one of ten characters misread', 'abcdefghix', ['abcdefghij'], 0.9],
    ['the nearest answer counts', '1,234', ['1234', '1,234 units'], 0.8],
    ['two of five wrong: 3/5', 'abcxy', ['abcde'], 0.6],
    ['half of it wrong is another answer', 'abxy', ['abcd'], 0],
    ['nothing said', '', ['word'], 0],
    ['far too long a reply', 'The total amount is 12', ['12'], 0],
  ])('%s', (_, reply, answers, score) => {
    expect(anls(reply, answers)).toBeCloseTo(score, 12);
  });
});

describe('relaxed accuracy', () => {
  test.each([
    ['95', '100', 1],
    ['105', '100', 1],
    ['94.9', '100', 0],
    ['105.1', '100', 0],
    ['-95', '-100', 1],
    ['95', '-100', 0],
    // Binary fractions: 1.05 is more than 5 % from 1 by its last bit.
    ['1.05', '1', 1],
    ['0', '0', 1],
    ['0.01', '0', 0],
    ['1,234,567', '1234567', 1],
    ['$3.10', '3', 1],
    ['64%', '64', 1],
    ['64 %', '0.64', 1],
    ['0.64', '64', 0],
    ['Red', 'red', 1],
    ['U.S', 'U.S.', 1],
    ['dark red', 'red', 0],
    ['2,5', '25', 0],
    ['', '5', 0],
  ])('%j for %j: %d', (reply, answer, score) => {
    expect(relaxedAccuracy(reply, answer)).toBe(score);
  });
});

describe('VQA accuracy', () => {
  const people = (...counts: [string, number][]): string[] => counts.flatMap(([answer, count]) => Array<string>(count).fill(answer));

  // Of ten people k agree. Without one of them k - 1 are left, k times; without another k, 10 - k times:
  // (k * min(1, (k - 1) / 3) + (10 - k) * min(1, k / 3)) / 10.
  test.each([
    [0, 0],
    [1, 0.3],
    [2, 0.6],
    [3, 0.9],
    [4, 1],
    [10, 1],
  ])('%d of 10 agree: %d', (agree, score) => {
    expect(vqaAccuracy('Yes', people(['yes', agree], ['no', 10 - agree]))).toBeCloseTo(score, 12);
  });

  test('a single answer is compared as it is', () => {
    expect([vqaAccuracy('the cat', ['cat']), vqaAccuracy('dog', ['cat'])]).toEqual([1, 0]);
  });

  test.each([
    ['The Two dogs.', '2 dogs'],
    ['none', '0'],
    ['an apple, a pear', 'apple pear'],
    // A mark between letters becomes a space, beside a space it goes.
    ['black-white', 'black white'],
    ['black - white', 'black white'],
    // With thousands every mark goes.
    ['1,000', '1000'],
    ['$ 1,000-2', '$ 10002'],
    ['3.5', '3.5'],
    ['st. john', 'st john'],
    ["don't", 'dont'],
    ["dog's", "dog's"],
    [' line\nbreak ', 'line break'],
  ])('%j is compared as %j', (answer, normal) => {
    expect(normaliseVqaAnswer(answer)).toBe(normal);
  });
});

test.each([
  ['First 3, then 4.\n\n**Answer:** 12', '12'],
  ['Answer: B.', 'B'],
  ['Answer: 3\nNo. Answer: "4"', '4'],
  ['So the answer is 3.5.', '3.5'],
  ['Answer:\n7 apples', '7 apples'],
  ['Just a word.', 'Just a word'],
  ['Answer: $\\boxed{9}$', '9'],
])('the answer of %j is %j', (reply, answer) => {
  expect(finalAnswer(reply)).toBe(answer);
});

describe('options', () => {
  const options = ['ears', 'nose', 'white cell', 'cell'];
  test.each([
    ['B', 1],
    ['(C)', 2],
    ['B. nose', 1],
    ['It is not (A) but (D)', 3],
    ['I think it is B, because the nose is long', 1],
    ['A dog has a nose', 1],
    ['The right one: a white cell.', 2],
    ['Could be A or B.\nAnswer: C', 2],
    ['NOSE', 1],
    ['F', null],
    ['noses', null],
    ['', null],
  ])('%j chooses %s', (reply, index) => {
    expect(chosenOption(reply, options)).toBe(index);
  });

  test('of MathVista the nearest one counts where none is named', () => {
    expect([nearestOption('Answer: 4.1 cm', ['9 m', '4.0 cm']), nearestOption('(A)', ['9 m', '4.0 cm'])]).toEqual([1, 0]);
  });
});

test('numbers are found in texts, and texts told from numbers', () => {
  expect(numbersIn('from -3 to 1,250.5, x2, 1e3 and .5')).toEqual([-3, 1250.5, 1000, 0.5]);
  expect([numberOf('1,250'), numberOf('12 cm'), numberOf('1 2'), numberOf('')]).toEqual([1250, null, null, null]);
});

describe('open answers of MMMU', () => {
  test.each([
    ['Answer: 3.429', ['24/7', '3.429'], 1],
    // 3.4286 is 3.43 to two decimals.
    ['Answer: 3.4286 V', ['3.429'], 1],
    ['Answer: 3.44', ['3.429'], 0],
    ['Answer: the Left Ventricle', ['left ventricle'], 1],
    ['I took 8 steps.\nAnswer: 9', ['8'], 0],
    ['', ['8'], 0],
  ])('%j for %j: %d', (reply, answers, score) => {
    expect(openAccuracy(reply, answers)).toBe(score);
  });
});

describe('answers of MathVista', () => {
  const free = { precision: null, choices: null };
  test.each([
    ['Answer: 12', { answer: '12', type: 'integer' as const, ...free }, 1],
    ['Answer: 12.7', { answer: '12', type: 'integer' as const, ...free }, 1],
    ['Answer: 2 + 10 = 12 years', { answer: '12', type: 'integer' as const, ...free }, 1],
    ['Answer: 13', { answer: '12', type: 'integer' as const, ...free }, 0],
    ['Answer: 1.24', { answer: '1.2', type: 'float' as const, precision: 1, choices: null }, 1],
    ['Answer: 1.26', { answer: '1.2', type: 'float' as const, precision: 1, choices: null }, 0],
    ['Answer: [0, 2,  0, 2]', { answer: '[0, 2, 0, 2]', type: 'list' as const, ...free }, 1],
    ['Answer: [0, 2, 0]', { answer: '[0, 2, 0, 2]', type: 'list' as const, ...free }, 0],
    ['Answer: B', { answer: '145°', type: 'text' as const, precision: null, choices: ['135°', '145°'] }, 1],
    ['Answer: 135°', { answer: '145°', type: 'text' as const, precision: null, choices: ['135°', '145°'] }, 0],
    ['nothing', { answer: '12', type: 'integer' as const, ...free }, 0],
  ])('%j for %j: %d', (reply, wanted, score) => {
    expect(mathAccuracy(reply, wanted)).toBe(score);
  });
});
