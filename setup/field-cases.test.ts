import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inRoot } from './paths.mjs';

const layouts = 'main/services/models/local/layouts.integration.test.ts';
const rows = readFileSync(inRoot('docs/field-cases.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| source'))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));

test('every case from the field has the test that it names', () => {
  const wrong = rows.flatMap(([, , met, , named = '']) => {
    const [, file = layouts, name = named] = /^`([^`]+)`: (.*)$/.exec(named) ?? [];
    if (!existsSync(inRoot(file))) return [`${met}: there is no ${file}`];
    const isWholeFile = name === 'all' || name === 'both';
    return isWholeFile || readFileSync(inRoot(file), 'utf8').includes(name) ? [] : [`${met}: ${file} has no "${name}"`];
  });
  expect(wrong).toEqual([]);
  expect(rows.length).toBeGreaterThan(100);
});
