import { describe, expect, test, vi } from 'vitest';
import type { ChatMessage } from '../protocol.ts';
import { createPromptEncoder } from './encoder.ts';
import type { Message } from './template.ts';

/** A token a character. */
function begin() {
  const encode = vi.fn((messages: Message[]) =>
    Int32Array.from(
      messages.flatMap(({ content }) => content.flatMap((part) => (part.type === 'text' ? [...part.text] : ['i']))),
      (c) => c.charCodeAt(0),
    ),
  );
  const encodeText = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));
  const tokenizer = { encodeText, specialToken: (name: string) => (name === '<|begin_of_text|>' ? 9 : null) };
  const encoder = createPromptEncoder({ format: { kind: 'template', turnEnd: null, encode }, tokenizer } as never);
  return { encoder, encode };
}

const says = (text: string): ChatMessage[] => [{ role: 'user', content: [{ type: 'text', text }] }];
const spelled = (tokens: Int32Array): string => String.fromCharCode(...tokens);

test('pictures are tokens in their place, and the words of the answer come last', () => {
  const { encoder } = begin();
  const messages: ChatMessage[] = [{ role: 'user', content: [{ type: 'image', image: { path: '/a.png' } }, ...says('what?')[0]!.content] }];
  expect(spelled(encoder.encode(messages, 'It '))).toBe('iwhat?It ');
  expect(spelled(encoder.encode(messages))).toBe('iwhat?');
  expect(encoder.beginning()).toEqual(Int32Array.of(9));
});

describe('the longest prompt that fits', () => {
  const prompts = Array.from({ length: 40 }, (_, index) => says('x'.repeat(200 - 5 * index)));

  test.each([0, 4, 5, 6, 99, 100, 101, 199, 200, 1000])('of at most %i tokens', (most) => {
    const { encoder, encode } = begin();
    const { prompt, tokens } = encoder.choose(prompts, most);
    const right = prompts.findIndex((_, index) => 200 - 5 * index <= most);
    expect(prompt).toBe(right === -1 ? 39 : right);
    expect(tokens).toBe(200 - 5 * prompt);
    // None twice, and no more than halving takes.
    const asked = encode.mock.calls.map(([messages]) => JSON.stringify(messages));
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked.length).toBeLessThanOrEqual(7);
  });

  test('is not rendered again when it is answered', () => {
    for (const most of [1000, 123, 5, 0]) {
      const { encoder, encode } = begin();
      const { prompt, tokens } = encoder.choose(prompts, most, 'so far');
      const rendered = encode.mock.calls.length;
      expect(encoder.encode(prompts[prompt]!, 'so far')).toHaveLength(tokens);
      expect(encode).toHaveBeenCalledTimes(rendered);
    }
  });

  test('another conversation, or another beginning of the answer, is rendered', () => {
    const { encoder, encode } = begin();
    encoder.encode(says('a'));
    encoder.encode(says('a'), 'b');
    encoder.encode(says('b'));
    expect(encode).toHaveBeenCalledTimes(3);
  });
});
