import { expect, test } from 'vitest';
import { marksOf, partsMissing } from './marks.ts';

test('a mark for each page', () => {
  expect(marksOf('ttopbfw').join('')).toBe('ttopbfw');
  expect(marksOf('')).toEqual([]);
});

test('of very many pages several share a mark, which shows what has to be known', () => {
  const states = `${'t'.repeat(2400)}f${'t'.repeat(1200)}${'p'.repeat(1199)}`;
  const marks = marksOf(states);
  expect(marks).toHaveLength(120);
  expect(marks.filter((mark) => mark === 'f')).toHaveLength(1);
  expect(marks.indexOf('f')).toBe(60);
  expect(marks.slice(0, 60).join('')).toBe('t'.repeat(60));
  expect(marks.at(-1)).toBe('p');
});

test('a capital says that a part of the page is missing, and is no other mark', () => {
  expect(marksOf('tTPof').join('')).toBe('ttpof');
  expect(['tTPof', 'topbfw', ''].map(partsMissing)).toEqual([2, 0, 0]);
});
