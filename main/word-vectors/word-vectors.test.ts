import { hash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { wordVectorsDirectory } from '../host/paths.ts';
import { createWordPieces } from './word-pieces.ts';
import { readWordVectors } from './word-vectors.ts';

const readme = readFileSync(join(wordVectorsDirectory, 'README.md'), 'utf8');

test.each(['vectors.bin', 'vocabulary.txt'])('%s is the file that the README describes', (name) => {
  const bytes = readFileSync(join(wordVectorsDirectory, name));
  const [, length, digest] = new RegExp(`\`${name}\` \\| ([\\d,]+) \\| \`(\\w+)\``).exec(readme)!;
  expect([bytes.length, hash('sha256', bytes)]).toEqual([Number(length!.replaceAll(',', '')), digest]);
});

test('vectors of what means much the same are alike', async () => {
  const { dimensions, add } = await readWordVectors(wordVectorsDirectory);
  const vectorOf = (word: string): Float32Array => {
    const sum = new Float32Array(dimensions);
    add(word, sum);
    return sum;
  };
  const product = (one: Float32Array, other: Float32Array): number => one.reduce((sum, value, index) => sum + value * other[index]!, 0);
  const cosine = (one: string, other: string): number => {
    const [a, b] = [vectorOf(one), vectorOf(other)];
    return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
  };
  expect(cosine('landlord', 'tenant')).toBeGreaterThan(cosine('landlord', 'bicycle'));
  expect(cosine('Pets', 'animals')).toBeGreaterThan(cosine('Pets', 'payment'));
});

test('a word that is not known whole has the sum of its parts', async () => {
  const { dimensions, add } = await readWordVectors(wordVectorsDirectory);
  const [sum, whole, parts] = [new Float32Array(dimensions), new Float32Array(dimensions), new Float32Array(dimensions)];
  expect([add('sub', sum), add('notice', whole), add('subletting', parts)]).toEqual([true, true, false]);
  expect(add('notice', sum)).toBe(true);
  expect(parts).not.toEqual(new Float32Array(dimensions));
  // What is added is added to what is there.
  add('sub', whole);
  expect(whole).toEqual(sum);
});

test('files that are missing or do not fit each other are named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-vectors-'));
  cpSync(wordVectorsDirectory, folder, { recursive: true });
  truncateSync(join(folder, 'vectors.bin'), 1280);
  const named = {
    code: 'file_missing',
    message: `The vectors of words cannot be loaded from ${folder}.`,
    nextStep: 'Install Loupe again.',
  };
  await expect(readWordVectors(folder)).rejects.toMatchObject(named);
  rmSync(join(folder, 'vocabulary.txt'));
  await expect(readWordVectors(folder)).rejects.toMatchObject(named);
  rmSync(folder, { recursive: true });
});

// What Hugging Face's tokenizers 0.23.3 (Python) makes of these words with the model's own tokenizer.json.
test.each([
  ['notice', [5060]],
  ['Landlord', [18196]],
  ['subletting', [4942, 20897, 2075]],
  ['Naïveté', [15743, 2618]],
  ['GARÇON', [11721, 29566, 2078]],
  ['Kündigungsfrist', [28919, 4305, 12734, 5620, 19699, 2923]],
  ['antihyperglycemic', [3424, 10536, 4842, 25643, 3401, 7712]],
  ['2400', [11212, 2692]],
  ['B12', [29491, 2475]],
  ['ﬁnance', [1984, 7229, 3401]],
  ['İstanbul', [9960]],
  ['Straße', [2358, 27807]],
  ['ὀδός', [1169, 29722, 15297]],
  ['한국어', [1469, 30006, 30021, 29991, 30014, 30020, 29999, 30008]],
])('%s is cut as the model expects', (word, expected) => {
  const vocabulary = readFileSync(join(wordVectorsDirectory, 'vocabulary.txt'), 'utf8').trimEnd().split('\n');
  expect(createWordPieces(vocabulary)(word)).toEqual(expected);
});

test('a word that the vocabulary cannot write has no pieces', () => {
  const piecesOf = createWordPieces(['a', '##b', 'ab']);
  expect(piecesOf('ab')).toEqual([2]);
  expect(piecesOf('abb')).toEqual([2, 1]);
  expect([piecesOf('abc'), piecesOf('b'), piecesOf(`a${'b'.repeat(100)}`)]).toEqual([[], [], []]);
});
