import { expect, test } from 'vitest';
import { beginningOf } from './long-question.ts';

test('a question of ordinary length is shown whole', () => {
  expect(beginningOf('Why?')).toBeNull();
  expect(beginningOf('word '.repeat(280))).toBeNull();
  expect(beginningOf(Array.from({ length: 17 }, (_, line) => `line ${line}`).join('\n'))).toBeNull();
});

test('many lines are cut at a line, and long ones at a word', () => {
  const lines = Array.from({ length: 400 }, (_, line) => `line ${line}`);
  expect(beginningOf(lines.join('\n'))).toBe(lines.slice(0, 14).join('\n'));
  const words = beginningOf('word '.repeat(40_000))!;
  expect(words.length).toBeLessThanOrEqual(1_200);
  expect(words).toMatch(/word$/);
});

test('no character is cut in two', () => {
  expect(beginningOf('😀'.repeat(100_000))!.isWellFormed()).toBe(true);
  expect(beginningOf(`a${'😀'.repeat(100_000)}`)!.isWellFormed()).toBe(true);
});
