/** Tokens -> text while they arrive. */
import type { Tokenizer } from './tokenizer.ts';

export interface Detokenizer {
  /** The text that this token completes; empty while a character is unfinished. */
  push(token: number): string;
}

/**
 * A character may be spread over several tokens: its bytes wait until it is whole. Bytes of
 * a character that never becomes whole are dropped at the end; bytes that can begin no
 * character come out as U+FFFD, as every decoder shows them.
 */
export function createDetokenizer(tokenizer: Pick<Tokenizer, 'tokenBytes'>): Detokenizer {
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  return { push: (token) => utf8.decode(tokenizer.tokenBytes(token), { stream: true }) };
}

export function decodeTokens(tokenizer: Pick<Tokenizer, 'tokenBytes'>, tokens: Iterable<number>): string {
  const detokenizer = createDetokenizer(tokenizer);
  let text = '';
  for (const token of tokens) text += detokenizer.push(token);
  return text;
}
