/** The WordVectors port over the files of resources/word-vectors: one vector for each piece of a word. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LoupeError } from '../errors.ts';
import type { WordVectors } from '../services/ports.ts';
import { createWordPieces } from './word-pieces.ts';

/** Numbers of a vector. */
const dimensions = 128;

/** Reads them when they are first needed, once. */
export function wordVectorsOf(directory: string): () => Promise<WordVectors> {
  let vectors: Promise<WordVectors> | undefined;
  return () => (vectors ??= readWordVectors(directory));
}

/** `directory`: as resources/word-vectors. Rejects with `file_missing` where its files cannot be read or do not fit each other. */
export async function readWordVectors(directory: string): Promise<WordVectors> {
  const broken = (cause: unknown): LoupeError =>
    new LoupeError('file_missing', `The vectors of words cannot be loaded from ${directory}.`, 'Install Loupe again.', { cause });
  const files = [readFile(join(directory, 'vocabulary.txt'), 'utf8'), readFile(join(directory, 'vectors.bin'))] as const;
  const [vocabulary, bytes] = await Promise.all(files).catch((error: unknown) => {
    throw broken(error);
  });
  const pieces = vocabulary.trimEnd().split('\n');
  if (bytes.length !== pieces.length * dimensions)
    throw broken(`${bytes.length} bytes do not fit a vocabulary of ${pieces.length} pieces.`);
  const vectors = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const piecesOf = createWordPieces(pieces);

  return {
    dimensions,
    add(word, sum) {
      const found = piecesOf(word);
      for (const piece of found) {
        const start = piece * dimensions;
        for (let index = 0; index < dimensions; index++) sum[index]! += vectors[start + index]!;
      }
      return found.length === 1;
    },
  };
}
