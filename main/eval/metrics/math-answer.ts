import { nearestOption } from './choice.ts';
import { finalAnswer } from './final-answer.ts';
import { numbersIn } from './open-answer.ts';

export interface MathAnswer {
  answer: string;
  type: 'integer' | 'float' | 'list' | 'text';
  /** Decimals that count; null where the set names none. */
  precision: number | null;
  /** Null: nothing to choose from. */
  choices: readonly string[] | null;
}

/**
 * 1 or 0, as Lu et al. 2024, "MathVista", compare answers: options by their text, integers without their fraction, decimals rounded to
 * the precision that is asked for, lists as they are written. Their program has a language model of another maker take the answer out of
 * the reply; here it is what the reply marks as its answer, and of it the last number.
 */
export function mathAccuracy(reply: string, { answer, type, precision, choices }: MathAnswer): number {
  if (choices) return choices[nearestOption(reply, choices)] === answer ? 1 : 0;
  const given = finalAnswer(reply);
  if (type === 'text') return tidy(given) === tidy(answer) ? 1 : 0;
  if (type === 'list') return listOf(given) === listOf(answer) ? 1 : 0;
  const [value, wanted] = [numbersIn(given).at(-1), Number(answer)];
  if (value === undefined || !Number.isFinite(wanted)) return 0;
  const shown = (number: number): string => (type === 'integer' ? String(Math.trunc(number)) : number.toFixed(precision ?? 2));
  return shown(value) === shown(wanted) ? 1 : 0;
}

function listOf(text: string): string {
  return numbersIn(text).join(',');
}

function tidy(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, ' ');
}
