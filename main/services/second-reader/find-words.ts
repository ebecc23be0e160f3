/**
 * Words of an answer that are in the text of its picture, and where. Only what is there to the letter counts, and numbers
 * of the same value: a word that leads nowhere is better than one that leads to the wrong place.
 */
import type { FoundWords, PageWord } from '../../contract.ts';
import { numbersIn } from './numbers.ts';
import { isCommon } from './picture-rows.ts';

/** Of one answer, and of the same words in one picture. */
const mostFound = 300;
const mostPlaces = 50;
/** Of one word in the picture, where it is looked whether the next ones follow: it bounds the work. */
const mostTried = 200;
/** Words that follow one another. */
const mostInARow = 12;
const leastLetters = 3;
const leastDigits = 2;

type Box = PageWord['box'];

interface Token {
  /** In UTF-16 units. */
  from: number;
  to: number;
  /** Letters and digits alone. */
  plain: string;
  /** What it may mean as a number. */
  values: number[];
  /** It says something by itself; the others only among those that do. */
  isTelling: boolean;
}

interface PlacedToken extends Token {
  box: Box;
}

/** A number with its separators, or a word with those within it. */
const pattern = /\p{N}+(?:[.,:/'’\u00a0\u202f-]\p{N}+)*(?![\p{L}\p{M}])|[\p{L}\p{M}\p{N}]+(?:['’-][\p{L}\p{M}\p{N}]+)*/gu;
/** Between words of one piece: spaces and a mark, but no end of a sentence, and no mark of Markdown, which ends what is shown as one. */
const joins = /^(?:\.|[^\S\n]*(?:[,:;/&+@–—-][^\S\n]*)?[$€£#("“]?)$/u;

/** `words`: of the picture, in the order of reading. In the order of the answer, each wording once. */
export function findWords(answer: string, words: readonly PageWord[]): FoundWords[] {
  const said = tokensOf(answer);
  const read = words.flatMap(({ text, box }) => tokensOf(text).map((token): PlacedToken => ({ ...token, box })));
  const byWord = groupBy(read, ({ plain }) => [plain]);
  const byValue = groupBy(read, ({ values }) => values);
  /** Indices into `read`. The value counts where the picture does not write it in the same way. */
  const placesOf = ({ plain, values }: Token): readonly number[] =>
    byWord.get(plain) ?? [...new Set(values.flatMap((value) => byValue.get(value) ?? []))];

  const found = new Map<string, FoundWords>();
  for (let at = 0; at < said.length && found.size < mostFound;) {
    const run = longestRun(answer, said, read, at, placesOf(said[at]!));
    const telling = trimmed(said.slice(at, at + run.length));
    const first = telling && said[at + telling.from];
    if (first) {
      const wording = answer.slice(first.from, said[at + telling.to - 1]!.to);
      const places = run.starts.slice(0, mostPlaces).map((start) => boxesOf(read.slice(start + telling.from, start + telling.to)));
      if (!found.has(wording)) found.set(wording, { words: wording, places });
    }
    at += Math.max(1, run.length);
  }
  return [...found.values()];
}

function tokensOf(text: string): Token[] {
  return [...text.matchAll(pattern)].map(({ 0: written, index }) => {
    const plain = written
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}]/gu, '');
    const digits = plain.replace(/\P{N}/gu, '').length;
    const isTelling = digits > 0 ? digits >= leastDigits || plain.length >= leastLetters : plain.length >= leastLetters && !isCommon(plain);
    const values = digits >= leastDigits ? numbersIn(written).flatMap((number) => number.values) : [];
    return { from: index, to: index + written.length, plain, values, isTelling };
  });
}

function groupBy<Key>(tokens: readonly PlacedToken[], keysOf: (token: PlacedToken) => readonly Key[]): Map<Key, number[]> {
  const groups = new Map<Key, number[]>();
  for (const [index, token] of tokens.entries())
    for (const key of keysOf(token)) {
      const group = groups.get(key);
      if (group) group.push(index);
      else groups.set(key, [index]);
    }
  return groups;
}

/** How many words from `at` on stand in the picture one after the other, and where that begins. */
function longestRun(
  answer: string,
  said: readonly Token[],
  read: readonly PlacedToken[],
  at: number,
  starts: readonly number[],
): { length: number; starts: number[] } {
  let best: { length: number; starts: number[] } = { length: 0, starts: [] };
  for (const start of starts.slice(0, mostTried)) {
    let length = 1;
    while (length < mostInARow && follows(answer, said, at + length) && said[at + length]!.plain === read[start + length]?.plain) length++;
    if (length > best.length) best = { length, starts: [start] };
    else if (length === best.length) best.starts.push(start);
  }
  return best;
}

function follows(answer: string, said: readonly Token[], at: number): boolean {
  return at < said.length && joins.test(answer.slice(said[at - 1]!.to, said[at]!.from));
}

/** Without words at either end that say nothing; null where none says anything. */
function trimmed(run: readonly Token[]): { from: number; to: number } | null {
  const from = run.findIndex(({ isTelling }) => isTelling);
  return from < 0 ? null : { from, to: run.findLastIndex(({ isTelling }) => isTelling) + 1 };
}

/** One for words that stand beside each other, and of a word that was taken apart its box once. */
function boxesOf(tokens: readonly PlacedToken[]): Box[] {
  const boxes: Box[] = [];
  for (const { box } of tokens) {
    const last = boxes.at(-1);
    if (last && isBeside(last, box)) boxes[boxes.length - 1] = around(last, box);
    else boxes.push(box);
  }
  return boxes;
}

/** In the same line, with no more than a space between them. */
function isBeside(one: Box, other: Box): boolean {
  const height = Math.min(one[3] - one[1], other[3] - other[1]);
  const shared = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  return shared > height / 2 && Math.max(one[0], other[0]) - Math.min(one[2], other[2]) < height;
}

function around(one: Box, other: Box): Box {
  return [Math.min(one[0], other[0]), Math.min(one[1], other[1]), Math.max(one[2], other[2]), Math.max(one[3], other[3])];
}
