/** Which words of a page are those that somebody looks for. */
import type { PageWord } from '../../main/contract.ts';

/** Indices into `words`. A quote that is there in one piece is marked as one, else every word that has the stem of one that is wanted. */
export function markedWords(words: readonly PageWord[], wanted: string): number[] {
  const quote = quoteIn(words, wanted);
  if (quote) return quote;
  const stems = wanted
    .split(/\s+/u)
    .map(plain)
    .filter((word) => word !== '');
  return words.flatMap(({ text }, index) => (stems.some((stem) => isSimilar(plain(text), stem)) ? [index] : []));
}

/** Words that follow one another are one piece: what a person steps through. */
export function piecesOf(indices: readonly number[]): number[][] {
  const pieces: number[][] = [];
  for (const index of indices) {
    const last = pieces.at(-1);
    if (last?.at(-1) === index - 1) last.push(index);
    else pieces.push([index]);
  }
  return pieces;
}

/** Letters and digits alone decide: a page breaks lines, and a model sets its own quotation marks. */
function quoteIn(words: readonly PageWord[], wanted: string): number[] | null {
  const quote = plain(wanted);
  if (quote === '' || wanted.trim().split(/\s+/u).length < 2) return null;
  const owners: number[] = [];
  let all = '';
  for (const [index, { text }] of words.entries()) {
    const letters = plain(text);
    all += letters;
    for (let count = 0; count < letters.length; count++) owners.push(index);
  }
  const at = all.indexOf(quote);
  return at < 0 ? null : [...new Set(owners.slice(at, at + quote.length))];
}

function plain(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]/gu, '');
}

/** Endings that differ: terminate, termination; notice, noticed. Digits have to be equal. */
function isSimilar(one: string, other: string): boolean {
  if (one === other) return true;
  if (/\d/.test(one + other)) return false;
  let shared = 0;
  while (shared < one.length && one[shared] === other[shared]) shared++;
  return shared >= 4 && shared >= Math.min(one.length, other.length) - 2 && Math.max(one.length, other.length) - shared <= 4;
}
