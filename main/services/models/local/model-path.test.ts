import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { modelPaths } from '../../../contract.ts';
import { joinPaths, pathsNamed } from './model-path.ts';
import { oddNames } from '../test/odd-names.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe, paths-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(...parts: string[]): string {
  const path = join(folder, ...parts);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, 'GGUF');
  return path;
}

test.each(oddNames)('%j: a folder, a file in it, and two', (name) => {
  const [text, projector] = [file(name, 'text.gguf'), file(`${name} too`, 'mmproj.gguf')];
  expect(pathsNamed(join(folder, name))).toEqual([join(folder, name)]);
  expect(pathsNamed(text)).toEqual([text]);
  for (const pair of [`${text},${projector}`, `${text}, ${projector}`, joinPaths([text, projector])])
    expect(pathsNamed(pair)).toEqual([text, projector]);
  expect(modelPaths(joinPaths([text, projector]))).toEqual([text, projector]);
});

describe('a comma', () => {
  test('what is there under the whole name is one path', () => {
    const [, , both] = [file('a.gguf'), file('b.gguf'), file('a.gguf,b.gguf')];
    expect(pathsNamed(both)).toEqual([both]);
    mkdirSync(join(folder, 'models, vision'));
    expect(pathsNamed(join(folder, 'models, vision'))).toEqual([join(folder, 'models, vision')]);
  });

  test('read in two ways, it is not guessed', () => {
    const [a, b] = [file('a'), file('b')];
    // One file whose path is what stands between two commas and behind them.
    const odd = file(`b,${folder}`, 'c');
    const c = file('c');
    const named = `${a},${b},${c}`;
    expect(named).toBe(`${a},${odd}`);
    expect(() => pathsNamed(named)).toThrow(
      expect.objectContaining({
        code: 'model_missing',
        message: expect.stringContaining(' can be read as ') as string,
        nextStep: expect.stringContaining('its own --model') as string,
      }),
    );
    expect(pathsNamed(joinPaths([a, b, c]))).toEqual([a, b, c]);
    expect(pathsNamed(joinPaths([a, odd]))).toEqual([a, odd]);
  });

  test('the file that is missing of two is the one that is named', () => {
    const text = file('text.gguf');
    const gone = join(folder, 'gone, too.gguf');
    expect(pathsNamed(`${text},${gone}`)).toEqual([text, gone]);
    expect(pathsNamed(`${gone},${text}`)).toEqual([gone, text]);
    expect(pathsNamed('neither,nor')).toEqual(['neither,nor']);
  });

  test('a text full of them is no riddle', () => {
    expect(pathsNamed(','.repeat(5_000))).toHaveLength(1);
    expect(pathsNamed(Array(32).fill('a').join(','))).toHaveLength(1);
    expect(pathsNamed('a\0b,c')).toEqual(['a\0b,c']);
    expect(pathsNamed('')).toEqual(['']);
  });
});

test('what begins like a list and is none is a path', () => {
  for (const text of ['[', '[]', '[1]', '["a", 2]', '[""]', '[x]']) expect(modelPaths(text)).toEqual([text]);
});
