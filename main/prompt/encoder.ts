/** Conversations -> tokens, each rendered once: the prompt that was chosen by its length is the one that is answered. */
import { LoupeError } from '../errors.ts';
import type { ChatMessage } from '../protocol.ts';
import type { PromptLanguage } from './prompt.ts';
import type { Message } from './template.ts';

export interface PromptEncoder {
  /** The prompt, and the words that the answer has already. */
  encode(messages: readonly ChatMessage[], answerSoFar?: string): Int32Array;
  /**
   * The first of `prompts` that has at most `most` tokens, or the last where none has. They get shorter from the first to the
   * last, so that few are rendered: the first, then by halves.
   */
  choose(prompts: readonly ChatMessage[][], most: number, answerSoFar?: string): { prompt: number; tokens: number };
  /** What every text begins with. */
  beginning(): Int32Array;
}

export function createPromptEncoder({ format, tokenizer }: Pick<PromptLanguage, 'format' | 'tokenizer'>): PromptEncoder {
  let latest: { key: string; tokens: Int32Array } | null = null;

  function encode(messages: readonly ChatMessage[], answerSoFar = ''): Int32Array {
    const parts = messages.map(({ role, content }): Message => ({
      role,
      content: content.map((part) => (part.type === 'image' ? { type: 'image' } : part)),
    }));
    const key = JSON.stringify([parts, answerSoFar]);
    if (latest?.key === key) return latest.tokens;
    const prompt = format.encode(parts);
    const tokens = answerSoFar === '' ? prompt : Int32Array.from([...prompt, ...tokenizer.encodeText(answerSoFar)]);
    latest = { key, tokens };
    return tokens;
  }

  return {
    encode,
    choose(prompts, most, answerSoFar) {
      const last = prompts.length - 1;
      let low = 0;
      let high = last;
      let best: { prompt: number; tokens: number; kept: typeof latest } | null = null;
      let lastTokens: number | null = null;
      while (low <= high) {
        // Most conversations fit whole.
        const middle: number = low === 0 && high === last && best === null ? 0 : Math.floor((low + high) / 2);
        const tokens: number = encode(prompts[middle]!, answerSoFar).length;
        if (middle === last) lastTokens = tokens;
        if (tokens <= most) {
          best = { prompt: middle, tokens, kept: latest };
          high = middle - 1;
        } else low = middle + 1;
      }
      if (!best) return { prompt: last, tokens: lastTokens ?? encode(prompts[last]!, answerSoFar).length };
      latest = best.kept;
      return { prompt: best.prompt, tokens: best.tokens };
    },
    beginning() {
      const token = tokenizer.specialToken('<|begin_of_text|>');
      if (token !== null) return Int32Array.of(token);
      throw new LoupeError(
        'tokenizer_invalid',
        'The tokenizer of the loaded model has no <|begin_of_text|>, with which every text of Llama 3 begins.',
      );
    },
  };
}
