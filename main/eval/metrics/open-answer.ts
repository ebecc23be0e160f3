import { finalAnswer } from './final-answer.ts';

/**
 * 1 or 0 for an answer in words or numbers, as the authors of MMMU judge: one of `answers` as a number equals, to two decimals, a number
 * of the reply's answer; as a text it stands in it. Case does not count.
 */
export function openAccuracy(reply: string, answers: readonly string[]): number {
  const given = finalAnswer(reply).toLowerCase();
  const numbers = numbersIn(given).map(toHundredths);
  const isRight = (answer: string): boolean => {
    const wanted = answer.trim().toLowerCase();
    const value = numberOf(wanted);
    return value === null ? wanted !== '' && given.includes(wanted) : numbers.includes(toHundredths(value));
  };
  return answers.some(isRight) ? 1 : 0;
}

/** Of a text that is a number and nothing else; commas may part thousands. */
export function numberOf(text: string): number | null {
  const [only, ...more] = numbersIn(text);
  return only !== undefined && more.length === 0 && /^[-+\d.,eE]+$/.test(text.trim()) ? only : null;
}

/** In order. */
export function numbersIn(text: string): number[] {
  const written = text.match(/(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+|(?<=\d))(?:e[-+]?\d+)?/gi) ?? [];
  return written.map((number) => Number(number.replaceAll(',', ''))).filter(Number.isFinite);
}

function toHundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
