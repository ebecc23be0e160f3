/** How much pages are about what is asked, in other words too: by vectors of words, which are alike where words mean much the same. */
import { setImmediate } from 'node:timers/promises';
import { LoupeError } from '../../errors.ts';
import type { Abortable, StoredPage, WordVectors } from '../ports.ts';
import { wordsOf } from './question-words.ts';

/** Words that are compared as one sentence: tables have no full stops. */
const longestSentence = 40;
/** Of the longer words of all pages, that are in the vocabulary; with fewer the pages are in a language that it does not have. */
const leastKnown = 0.35;
/** In letters; many short words are in several languages. */
const longerWord = 5;
/** Pages between which others get their turn. */
const atOnce = 8;

/** Of each page, by its number, the cosine of its likest sentence; null where nothing can be said. Rejects with `cancelled`. */
export async function pageLikeness(
  vectors: WordVectors,
  words: readonly string[],
  pages: readonly Pick<StoredPage, 'number' | 'text'>[],
  { signal }: Abortable = {},
): Promise<ReadonlyMap<number, number> | null> {
  const question = vectorOf(vectors, words);
  if (!question) return null;
  const found = new Map<number, number>();
  let longer = 0;
  let known = 0;
  for (const [index, { number, text }] of pages.entries()) {
    if (index % atOnce === 0) await setImmediate();
    if (signal?.aborted) throw new LoupeError('cancelled', 'The question was stopped.');
    let best = 0;
    for (const sentence of sentencesOf(text)) {
      const isKnown = (word: string, whole: boolean): void => {
        if (word.length < longerWord) return;
        longer++;
        if (whole) known++;
      };
      const vector = vectorOf(vectors, sentence, isKnown);
      if (vector) best = Math.max(best, cosine(question, vector));
    }
    found.set(number, best);
  }
  return known < leastKnown * longer ? null : found;
}

/** The words of each sentence that say what it is about. */
function sentencesOf(text: string): string[][] {
  return text.split(/(?<=[.?!])\s+|\n\s*\n/u).flatMap((sentence) => {
    const words = wordsOf(sentence);
    return Array.from({ length: Math.ceil(words.length / longestSentence) }, (_, index) =>
      words.slice(index * longestSentence, (index + 1) * longestSentence),
    );
  });
}

interface Vector {
  numbers: Float32Array;
  length: number;
}

function vectorOf(vectors: WordVectors, words: readonly string[], onWord?: (word: string, whole: boolean) => void): Vector | null {
  const numbers = new Float32Array(vectors.dimensions);
  for (const word of words) {
    const whole = vectors.add(word, numbers);
    onWord?.(word, whole);
  }
  const length = Math.sqrt(product(numbers, numbers));
  return length > 0 ? { numbers, length } : null;
}

function product(one: Float32Array, other: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < one.length; index++) sum += one[index]! * other[index]!;
  return sum;
}

function cosine(one: Vector, other: Vector): number {
  return product(one.numbers, other.numbers) / (one.length * other.length);
}
