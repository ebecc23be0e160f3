import { expect, test } from 'vitest';
import { coloursOf, mostCoded } from './colours.ts';

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
