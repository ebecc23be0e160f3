import { expect, test } from 'vitest';
import { coloursOf, mostAtOnce, mostCoded, piecesOf } from './colours.ts';

const shown = (text: string, language: string): string[] =>
  coloursOf(text, language).map(({ kind, from, to }) => `${kind} ${text.slice(from, to)}`);

test('the words of code by what they are, whatever the language is called', () => {
  expect(shown('const x = 42; // why', 'js')).toEqual(['keyword const', 'number 42', 'comment // why']);
  expect(shown('def f(a):\n    return "b"', 'Python')).toEqual(['keyword def', 'name f', 'keyword return', 'string "b"']);
  expect(shown('{"a": null}', 'json')).toEqual(['name "a"', 'keyword null']);
  expect(shown('x = 1', 'python title="a.py"')).toEqual(['number 1']);
});

test('what is not known, or too long, has no colours', () => {
  expect(shown('const x', '')).toEqual([]);
  expect(shown('const x', 'klingon')).toEqual([]);
  expect(shown('const x', '__proto__')).toEqual([]);
  expect(coloursOf('const x = 1;\n'.repeat(mostCoded / 10), 'js')).toEqual([]);
});

test('long code is coloured in pieces, since the time for one grows with its square', () => {
  const words = 'a'.repeat(mostCoded);
  expect(piecesOf(words).map(({ length }) => length)).toEqual(Array.from({ length: mostCoded / mostAtOnce }, () => mostAtOnce));
  const block = `${'x = 1\n'.repeat(100)}\n`;
  const code = block.repeat(20);
  const pieces = piecesOf(code);
  expect(pieces.join('')).toBe(code);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(mostAtOnce);
  expect(pieces.every((piece) => piece.endsWith('\n\n') || piece === '')).toBe(true);
  expect(piecesOf('short')).toEqual(['short']);
});

test('places of colours count from the beginning of the code, in a later piece, too', () => {
  const code = `${'value = 1\n'.repeat(900)}return 7\n`;
  const last = coloursOf(code, 'python').filter(({ from }) => from > mostAtOnce * 2);
  expect(last.slice(-2).map(({ kind, from, to }) => `${kind} ${code.slice(from, to)}`)).toEqual(['keyword return', 'number 7']);
});
