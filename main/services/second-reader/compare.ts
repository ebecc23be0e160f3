/**
 * An answer about a picture, compared with the text that was read in it. The rules and what they miss are in
 * docs/text-in-pictures.md: an answer that is right must not be doubted, so whatever has another explanation is left alone.
 */
import type { Difference, TextLine } from '../../contract.ts';
import { haveCommon, isOneStep, numbersIn, type WrittenNumber } from './numbers.ts';
import { differentNames } from './names.ts';
import { isReadable, phraseOf, rowsOf, wordsIn, type PictureRow } from './picture-rows.ts';

/** More would not be read, and mean that something else is wrong. */
const mostDifferences = 8;
/** With more numbers in the picture, nearly every number is the sum of some. */
const mostToCompute = 60;
/** Numbers of an answer that are looked up. */
const mostNumbers = 300;
/** Of a sentence, before and after a number; UTF-16 units. */
const reach = 300;

/** `known`: what was asked, which the answer may repeat. In the order of the answer. */
export function differencesIn(answer: string, lines: readonly TextLine[], known: string): Difference[] {
  const rows = rowsOf(lines);
  if (rows.length === 0) return [];
  const prose = withoutCode(answer);
  const found = [...differentNumbers(prose, rows, known, isReadable(lines)), ...differentNames(prose, lines, known)];
  return found.sort((one, other) => one.offset - other.offset).slice(0, mostDifferences);
}

/** With blanks in the place of code, markers of lists and addresses: their numbers are the model's own. */
function withoutCode(answer: string): string {
  const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
  return answer
    .replace(/```[^]*?(?:```|$)/g, blank)
    .replace(/`[^`\n]*`/g, blank)
    .replace(/^[ \t]*\d+[.)](?=\s)/gm, blank)
    .replace(/\bhttps?:\/\/\S+/g, blank);
}

function differentNumbers(answer: string, rows: readonly PictureRow[], known: string, readable: boolean): Difference[] {
  const stated = numbersIn(answer);
  const asked = numbersIn(known);
  const statedDigits = new Set(stated.map(({ digits }) => digits));
  const statedValues = new Set(stated.flatMap(({ values }) => values));
  const values = new Set(rows.flatMap(({ numbers }) => numbers.flatMap((number) => number.values)));
  const askedValues = new Set(asked.flatMap((number) => number.values));
  /** Numbers of the picture that the answer does not have. */
  const isLeft = (number: WrittenNumber): boolean => !statedDigits.has(number.digits) && !haveCommon(number.values, statedValues);

  return stated.slice(0, mostNumbers).flatMap((number): Difference[] => {
    const { offset, written, digits } = number;
    if (digits.length < 2 || haveCommon(number.values, askedValues) || asked.some((other) => other.digits === digits)) return [];
    if (isIn(number, rows, values)) return [];
    const context = contextOf(answer, number);
    if (context.isRounded) return [];
    const result = (picture: string | null): Difference[] => [{ offset, length: written.length, answer: written, picture }];
    const likely = contradictionOf(number, context, rows, isLeft);
    if (likely?.isSimilar) return result(likely.number.written);
    if (context.isSupposed || isComputed(number, values)) return [];
    const other = likely?.number ?? betweenSameWords(number, phraseOf(answer, number), rows, isLeft);
    if (other) return result(other.written);
    return readable && values.size > 0 && isMissing(number, context, rows) ? result(null) : [];
  });
}

function isIn(number: WrittenNumber, rows: readonly PictureRow[], values: ReadonlySet<number>): boolean {
  if (haveCommon(number.values, values)) return true;
  if (number.digits.length >= 3 && rows.some(({ digits }) => digits.includes(number.digits))) return true;
  if (number.digits.length < 3 && rows.some(({ parts }) => parts.has(number.digits.replace(/^0+(?=\d)/, '')))) return true;
  if (number.parts.length > 1 && rows.some(({ parts }) => number.parts.every((part) => parts.has(part)))) return true;
  // Rounded to as many places as are written.
  return number.values.some((value) => {
    const places = String(value).split('.')[1]?.length ?? 0;
    return [...values].some((other) => other.toFixed(places) === value.toFixed(places));
  });
}

interface Context {
  /** Words of its sentence, the nearest before it first; `steps` counts all words between. */
  before: { word: string; steps: number }[];
  sentence: Set<string>;
  /** About, nearly, 2 million, 12 %: not meant to be in the picture as it is. */
  isRounded: boolean;
  /** If, for example: of the model's own. */
  isSupposed: boolean;
  /** The word or sign right behind it; empty where there is none. */
  unit: string;
}

const rounding = /(?:\b(?:about|approximately|approx\.?|around|nearly|almost|roughly|over|under|than|up to|at least)|[~≈<>])[\s*$€£]*$/i;
const scaled = /^[\s*]*(?:thousand|million|billion|trillion|k|m|bn)\b/i;
const supposed =
  /\b(?:if|e\.g\.|example|suppose|would|could|sum|sums|adds?|adding|difference|average|mean|increase|decrease|converted|equals|altogether|combined)\b|[=≈×+]/i;

function contextOf(answer: string, { offset, written }: WrittenNumber): Context {
  const end = offset + written.length;
  const near = answer.slice(Math.max(offset - reach, 0), offset);
  const from = Math.max(...[...near.matchAll(/[.!?;]\s|\n/g)].map(({ index }) => index + 1), 0);
  const rest = answer.slice(end, end + reach);
  const stop = /[.!?;](?:\s|$)|\n/.exec(rest)?.index ?? rest.length;
  const front = near.slice(from);
  const sentence = front + written + rest.slice(0, stop);
  const before = wordsIn(front).map(({ word, offset: at }) => ({ word, steps: (front.slice(at).match(/[\p{L}\p{N}]+/gu) ?? []).length }));
  return {
    before: before.reverse(),
    sentence: new Set(wordsIn(sentence).map(({ word }) => word)),
    isRounded: rounding.test(front) || scaled.test(rest),
    isSupposed: supposed.test(sentence),
    unit: /^[\s*]*(%|\p{L}+)/u.exec(rest.slice(0, stop))?.[1]!.toLowerCase() ?? '',
  };
}

/** A number of the picture that has the same words beside it, and that the answer does not state. */
function contradictionOf(
  number: WrittenNumber,
  { before }: Context,
  rows: readonly PictureRow[],
  isLeft: (number: WrittenNumber) => boolean,
): { number: WrittenNumber; isSimilar: boolean } | null {
  const isShort = number.digits.length < 3;
  const labels = before.filter(({ steps }) => steps <= (isShort ? 2 : 6));
  for (const { word, steps } of labels) {
    const labelled = rows.filter(({ words }) => words.has(word));
    const left = labelled.flatMap((row) => row.numbers.filter(isLeft));
    const alike = left.filter((other) => isShape(other, number) && isOneStep(other.digits, number.digits));
    if (alike.length === 1 && (!isShort || left.length === 1)) return { number: alike[0]!, isSimilar: true };
    const [only] = left;
    const isOnly = labelled.length === 1 && labelled[0]!.numbers.length === 1 && only !== undefined;
    if (isOnly && steps <= 3 && !isShort && only.digits.length >= 3 && isShape(only, number)) return { number: only, isSimilar: false };
  }
  return null;
}

/** "Within 41 days" where the picture says "within 14 days", and nothing else between these words that the answer leaves out. */
function betweenSameWords(
  number: WrittenNumber,
  phrase: string | null,
  rows: readonly PictureRow[],
  isLeft: (number: WrittenNumber) => boolean,
): WrittenNumber | null {
  const alike = rows.flatMap(({ phrases }) => phrases.filter((other) => other.phrase === phrase)).map((other) => other.number);
  const [only] = alike;
  const isLikely = alike.length === 1 && isLeft(only!) && isShape(only!, number) && isOneStep(only!.digits, number.digits);
  return isLikely ? only! : null;
}

/** Both are dates, times and the like, or neither is; short ones have as many digits. */
function isShape(one: WrittenNumber, other: WrittenNumber): boolean {
  const shorter = Math.min(one.digits.length, other.digits.length);
  const isSameKind = one.values.length > 0 === other.values.length > 0;
  return isSameKind && (shorter >= 3 || (shorter === 2 && one.digits.length === other.digits.length));
}

/** Sums, differences and products of two, and sums of those that follow one another. */
function isComputed({ values: given }: WrittenNumber, of: ReadonlySet<number>): boolean {
  const values = [...of];
  if (values.length > mostToCompute) return true;
  const is = (result: number): boolean => given.some((value) => Math.abs(value - result) < 0.006);
  return values.some((one, index) => {
    let sum = one;
    const inRun = values.slice(index + 1).some((next) => is((sum += next)));
    return inRun || values.some((other) => is(one + other) || is(one - other) || is(one * other));
  });
}

/** A whole number or an amount of three digits and more, in a sentence that is about something in the picture. */
function isMissing({ digits, values }: WrittenNumber, { sentence, unit }: Context, rows: readonly PictureRow[]): boolean {
  if (values.length === 0 || digits.length < 3) return false;
  // Measured in something that the picture does not name: it is not of the picture.
  if (unit !== '' && !rows.some(({ words }) => words.has(unit))) return false;
  // A year may be what the model knows.
  if (/^(?:19|20)\d\d$/.test(digits)) return false;
  return rows.some(({ words, numbers }) => numbers.length > 0 && [...sentence].some((word) => words.has(word)));
}
