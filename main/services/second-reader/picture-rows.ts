/** The text of a picture, row by row, as the second reader looks things up in it. */
import type { TextLine } from '../../contract.ts';
import { numbersIn, type WrittenNumber } from './numbers.ts';

export interface PictureRow {
  text: string;
  words: Set<string>;
  /** Of lines that were read surely. */
  numbers: WrittenNumber[];
  /** Those of them that stand between two words. */
  phrases: { phrase: string; number: WrittenNumber }[];
  /** Everything that may be a digit, in a row: also those that were read as letters. */
  digits: string;
  /** Groups of digits, numbers of months, hours of the other clock. */
  parts: Set<string>;
}

/** Below it, a piece of text proves nothing against an answer. */
export const sure = 0.9;

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** Letters that the recogniser takes for digits, and the other way round. */
const lookalikes: Record<string, string> = { o: '0', O: '0', l: '1', I: '1', '|': '1', S: '5', B: '8', Z: '2' };

export function rowsOf(lines: readonly TextLine[]): PictureRow[] {
  const rows: TextLine[][] = [];
  for (const line of lines) {
    if (rows.length === 0 || line.before.includes('\n')) rows.push([line]);
    else rows.at(-1)!.push(line);
  }
  return rows.map((pieces) => {
    const certain = pieces
      .filter(({ confidence }) => confidence >= sure)
      .flatMap((piece) => numbersIn(piece.text).map((number) => ({ number, phrase: phraseOf(piece.text, number) })));
    const text = pieces.map((piece) => piece.text).join('  ');
    const asDigits = text.replace(/\S*\d\S*/g, (word) => word.replace(/[oOlI|SBZ]/g, (letter) => lookalikes[letter]!));
    return {
      text,
      words: new Set(wordsIn(text).map(({ word }) => word)),
      numbers: certain.map(({ number }) => number),
      phrases: certain.flatMap(({ number, phrase }) => (phrase ? [{ phrase, number }] : [])),
      digits: asDigits.replace(/\D/g, ''),
      parts: partsOf(asDigits),
    };
  });
}

function partsOf(text: string): Set<string> {
  const parts = new Set<string>();
  // The 041 of 1,041.60 is no 41.
  for (const group of text.replace(/(?<=\d[.,'’\u00a0\u202f])0\d\d(?!\d)/g, ' ').match(/\d+/g) ?? []) {
    const value = Number(group);
    parts.add(String(value));
    if (/^(?:19|20)\d\d$/.test(group)) parts.add(String(value % 100));
    if (group.length <= 2 && value < 24) parts.add(String((value + 12) % 24));
  }
  for (const { word } of wordsIn(text)) {
    const month = months.indexOf(word.slice(0, 3));
    if (month >= 0) parts.add(String(month + 1));
  }
  return parts;
}

/** Of a word, UTF-16 units. */
const longestWord = 40;

/** The words right before and right behind a number, in small letters: "within days". Null where there are not both. */
export function phraseOf(text: string, { offset, written }: WrittenNumber): string | null {
  const end = offset + written.length;
  const before = /(\p{L}{2,})[ *]+$/u.exec(text.slice(Math.max(0, offset - longestWord), offset))?.[1];
  const behind = /^[ *]+(\p{L}{2,})/u.exec(text.slice(end, end + longestWord))?.[1];
  return before !== undefined && behind !== undefined ? `${before} ${behind}`.toLowerCase() : null;
}

export interface Word {
  /** In small letters. */
  word: string;
  offset: number;
}

const common = new Set(
  (
    'the and for with are was were has have that this from its not but you your says say said shows show shown reads read states state ' +
    'listed picture image photo screenshot text number numbers value there which about all can per'
  ).split(' '),
);

/** `word`: in small letters. */
export const isCommon = (word: string): boolean => common.has(word);

/** Those that say what a number is about. */
export function wordsIn(text: string): Word[] {
  return [...text.matchAll(/\p{L}{3,}/gu)].flatMap(({ 0: written, index }) => {
    const word = written.toLowerCase();
    return common.has(word) ? [] : [{ word, offset: index }];
  });
}

/** Nearly all of it was read surely, so that what is not in it is not in the picture. */
export function isReadable(lines: readonly TextLine[]): boolean {
  const length = (some: readonly TextLine[]): number => some.reduce((sum, { text }) => sum + text.length, 0);
  const all = length(lines);
  return all >= 20 && length(lines.filter(({ confidence }) => confidence >= sure)) >= all * 0.9;
}
