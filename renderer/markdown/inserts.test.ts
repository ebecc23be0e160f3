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

test.each([
  ['cat, category and concat: cat', ['cat'], [0, ', category and concat: ', 0]],
  ['1,280 and 21,280 and 1,280.50; 1,280.', ['1,280'], [0, ' and 21,280 and 1,280.50; ', 0, '.']],
  ['Total is Total 12', ['Total', 'Total 12'], [0, ' is ', 1]],
  ['Totals 12, Total 123', ['Total', 'Total 12'], ['Totals 12, ', 0, ' 123']],
  ['𝐀cat cat', ['cat'], ['𝐀cat ', 0]],
])('whole words: %j', (text, sources, parts) => {
  expect(
    withInserts(
      text,
      sources.map((source) => ({ source, whole: true })),
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
