import { expect, test } from 'vitest';
import { withInserts } from './inserts.ts';

test.each([
  ['no marks here', ['[p. 1 "a"]'], ['no marks here']],
  ['It is [p. 1 "a"].', ['[p. 1 "a"]'], ['It is ', 0, '.']],
  ['[p. 2 "b"][p. 1 "a"]', ['[p. 1 "a"]', '[p. 2 "b"]'], [1, 0]],
  ['twice [p. 1 "a"] and [p. 1 "a"]', ['[p. 1 "a"]', '[p. 1 "a"]'], ['twice ', 0, ' and ', 0]],
  ['the longer [p. 1]!', ['[p. 1', '[p. 1]'], ['the longer ', 1, '!']],
  ['', ['[p. 1]'], []],
  ['nothing stands for nothing', [''], ['nothing stands for nothing']],
])('%j', (text, sources, parts) => {
  expect(
    withInserts(
      text,
      sources.map((source) => ({ source })),
    ),
  ).toEqual(parts);
});

test('a long text with many of them takes as long as it is', () => {
  const inserts = Array.from({ length: 50 }, (_, index) => ({ source: `[p. ${index} "words"]` }));
  const text = inserts
    .map(({ source }) => `Some words ${source} `)
    .join('')
    .repeat(40);
  expect(withInserts(text, inserts)).toHaveLength(50 * 40 * 2 + 1);
});
