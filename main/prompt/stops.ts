/** What ends an answer: tokens, and words that an answer may spell with ordinary tokens. */
import type { Tokenizer } from './tokenizer.ts';

export interface Stops {
  tokens: number[];
  texts: string[];
}

export const endOfText = '<|end_of_text|>';
/** What ends a turn, a message or a text in every generation of Llama 3. Where a model chats, none of them is part of an answer. */
export const llamaEnds = ['<|eot_id|>', '<|eom_id|>', endOfText] as const;

/** Of spelled ends: one that holds a special token ends the answer at that token, the others where their text is written. */
export function stopsOf(spelled: readonly string[], tokenizer: Pick<Tokenizer, 'specialTokens'>): Stops {
  const stops: Stops = { tokens: [], texts: [] };
  for (const spelling of spelled) {
    const special = firstSpecial(spelling, tokenizer);
    if (special) stops.tokens.push(special.token);
    else if (spelling !== '') stops.texts.push(spelling);
  }
  return stops;
}

/**
 * How the end of a turn is spelled, out of what a template writes between an answer and the next question: the special
 * token that follows the answer, a tag that is not one (<|im_end|> where the vocabulary lacks it), or the line that begins
 * the next turn. Null where nothing of that kind follows.
 */
export function turnEnd(between: string, tokenizer: Pick<Tokenizer, 'specialTokens'>): string | null {
  const special = firstSpecial(between, tokenizer);
  const text = special ? between.slice(0, special.at) : between;
  if (text.trim() === '') return special?.spelling ?? null;
  return /^\s*(<[^<>\s]+>)/.exec(text)?.[1] ?? /^\s*\n\S[^\n]*/.exec(text)?.[0] ?? null;
}

function firstSpecial(
  text: string,
  { specialTokens }: Pick<Tokenizer, 'specialTokens'>,
): { token: number; spelling: string; at: number } | null {
  let first: { token: number; spelling: string; at: number } | null = null;
  // The longest spellings come first and win where two begin together.
  for (const [spelling, token] of specialTokens) {
    const at = text.indexOf(spelling);
    if (at >= 0 && (!first || at < first.at)) first = { token, spelling, at };
  }
  return first;
}

export interface StopTexts {
  /** What can be shown of the answer by now; `ended` once an end was spelled, of which nothing is shown. */
  push(piece: string): { text: string; ended: boolean };
  /** What was held back because an end might have begun in it. */
  rest(): string;
}

/** Looks for `texts` in an answer that arrives in pieces. The earliest end counts. */
export function createStopTexts(texts: readonly string[]): StopTexts {
  let held = '';
  return {
    push(piece) {
      held += piece;
      const ends = texts.map((text) => held.indexOf(text)).filter((at) => at >= 0);
      const ended = ends.length > 0;
      const end = ended ? Math.min(...ends) : held.length - Math.max(0, ...texts.map((text) => begun(held, text)));
      const text = held.slice(0, end);
      held = ended ? '' : held.slice(end);
      return { text, ended };
    },
    rest() {
      const rest = held;
      held = '';
      return rest;
    },
  };
}

/** Characters at the end of `text` with which `stop` may have begun. */
function begun(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
