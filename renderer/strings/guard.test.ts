import { expect, test } from 'vitest';
import { guard } from './guard.ts';

test('verdicts in words', () => {
  expect(guard.verdict('Question', { finding: 'safe', categories: [] })).toBe('Question: safe');
  expect(guard.verdict('Answer', { finding: 'unsafe', categories: [] })).toBe('Answer: not safe');
  expect(guard.verdict('Answer', { finding: 'unsafe', categories: ['S1', 'S14'] })).toBe(
    'Answer: not safe, violent crimes (S1), abuse of code interpreters (S14)',
  );
  expect(guard.verdict('Answer', { finding: 'unsafe', categories: ['S99'] })).toBe('Answer: not safe, S99');
  expect(
    guard.judged({ by: 'Guard', question: { finding: 'unclear', categories: [] }, answer: { finding: 'safe', categories: [] }, ms: 1 }),
  ).toBe('Question: no clear verdict. Answer: safe.');
  expect(guard.by({ by: 'Guard', question: { finding: 'safe', categories: [] }, answer: null, ms: 1500 })).toBe('Guard, 1.5 s');
});
