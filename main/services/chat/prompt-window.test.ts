import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Message, Picture } from '../../contract.ts';
import type { ChatMessage } from '../ports.ts';
import { roomForAnswer } from '../answer-room.ts';
import { fitPrompt, poolMessages, promptFrom, promptsFrom, type ChoosePrompt, type PromptParts } from './prompt-window.ts';

const picture = (letter: string): Picture => ({
  hash: letter.repeat(64),
  name: letter,
  width: 1,
  height: 1,
  bytes: 1,
  origin: { kind: 'paste' },
});

/** Questions and answers in turn; `[a]` before a question attaches picture a. */
function conversation(...texts: string[]): Message[] {
  return texts.map((text, index) => {
    const [, letters = '', words = ''] = /^(?:\[(\w+)\])?(.*)$/.exec(text)!;
    return {
      id: index + 1,
      conversationId: 1,
      parentId: index || null,
      role: index % 2 === 0 ? 'user' : 'assistant',
      text: words,
      pictures: [...letters].map(picture),
      state: 'complete',
      failure: null,
      finish: null,
      model: null,
      statistics: null,
      judgement: null,
      scope: null,
      coverage: null,
      citations: [],
      differences: [],
      createdAt: 0,
    };
  });
}

function parts(path: Message[], more: Partial<PromptParts> = {}): PromptParts {
  return { systemPrompt: '', path, pinned: null, sees: true, image: (hash) => ({ path: hash[0]! }), ...more };
}

/** As in `conversation`. */
function spelled(messages: ChatMessage[]): string[] {
  return messages.map(({ content }) =>
    content.map((part) => (part.type === 'text' ? part.text : `[${'path' in part.image ? part.image.path : ''}]`)).join(''),
  );
}

describe('what the engine is asked', () => {
  const path = conversation('[ab]one', 'A', '[c]two', 'B', 'three');

  test('of several pictures in a message, the last', () => {
    expect(spelled(promptFrom(parts(path), 0))).toEqual(['[b]one', 'A', '[c]two', 'B', 'three']);
  });

  test('the system prompt comes first, unless it is blank', () => {
    expect(promptFrom(parts(path, { systemPrompt: 'Be brief.' }), 0)[0]).toEqual({
      role: 'system',
      content: [{ type: 'text', text: 'Be brief.' }],
    });
    expect(promptFrom(parts(path, { systemPrompt: ' \n' }), 0)[0]!.role).toBe('user');
  });

  test('a picture whose message was forgotten moves to the first that stays', () => {
    expect(spelled(promptFrom(parts(path), 4))).toEqual(['[c]three']);
    expect(spelled(promptFrom(parts(conversation('[a]one', 'A', 'two', 'B', 'three')), 2))).toEqual(['[a]two', 'B', 'three']);
  });

  test('a pinned picture is looked at last, whatever came later', () => {
    const pinned = 'a'.repeat(64);
    expect(spelled(promptFrom(parts(path, { pinned }), 0)).at(-1)).toBe('[a]three');
    expect(spelled(promptFrom(parts(conversation('one', 'A', '[b]two'), { pinned }), 0))).toEqual(['one', 'A', '[a]two']);
    // It is in force already.
    expect(spelled(promptFrom(parts(conversation('[a]one', 'A', 'two'), { pinned }), 0))).toEqual(['[a]one', 'A', 'two']);
  });

  test('a text model gets no pictures', () => {
    expect(spelled(promptFrom(parts(path, { sees: false }), 0))).toEqual(['one', 'A', 'two', 'B', 'three']);
  });

  test('an answer that was stopped before its first word is left out', () => {
    expect(spelled(promptFrom(parts(conversation('one', '', 'two')), 0))).toEqual(['one', 'two']);
  });
});

describe('what the context holds', () => {
  // A token a character.
  const lengthOf = (messages: ChatMessage[]): number =>
    spelled(messages)
      .join('')
      .replaceAll(/\[\w\]/g, '').length;
  const count = vi.fn<ChoosePrompt>(async (prompts, most) => {
    const fitting = prompts.findIndex((messages) => lengthOf(messages) <= most);
    const prompt = fitting === -1 ? prompts.length - 1 : fitting;
    return { prompt, tokens: lengthOf(prompts[prompt]!) };
  });
  beforeEach(() => void count.mockClear());
  const path = conversation('[a]12345', '12345', '12345', '12345', '12345');

  test.each([
    [25, 0],
    [24, 2],
    [15, 2],
    [14, 4],
    [5, 4],
  ])('of %i tokens: %i messages are forgotten', async (room, forgotten) => {
    const fitted = await fitPrompt(parts(path), { contextLength: room + 10, answer: 10 }, count);
    expect(fitted.forgottenMessages).toBe(forgotten);
    expect(fitted.promptTokens).toBe(25 - 5 * forgotten);
    expect(spelled(fitted.messages)[0]).toMatch(/^\[a\]/);
  });

  test('every length of a long conversation', async () => {
    const long = conversation(...Array.from({ length: 41 }, () => '12345'));
    for (let room = 5; room <= 205; room++) {
      count.mockClear();
      const { forgottenMessages, promptTokens } = await fitPrompt(parts(long), { contextLength: room, answer: 0 }, count);
      expect(count).toHaveBeenCalledTimes(1);
      const kept = 41 - forgottenMessages;
      expect(promptTokens).toBe(kept * 5);
      // Two more would not have fitted.
      expect(kept === 41 || (kept + 2) * 5 > room).toBe(true);
    }
  });

  test('a question that leaves little room for the answer is asked all the same; one that leaves none is refused', async () => {
    expect(await fitPrompt(parts(path), { contextLength: 6, answer: 4 }, count)).toMatchObject({ promptTokens: 5, forgottenMessages: 4 });
    await expect(fitPrompt(parts(path), { contextLength: 5, answer: 4 }, count)).rejects.toMatchObject({ code: 'context_full' });
  });

  test('prompts share their messages, so that each is sent once', () => {
    const long = conversation('[a]one', 'A', 'two', 'B', 'three', 'C', 'four');
    const prompts = promptsFrom(parts(long, { systemPrompt: 'Be brief.' }), [0, 2, 4, 6]);
    const pool = poolMessages(prompts);
    // The system prompt, seven messages, and the three questions that the picture moves to.
    expect(pool.messages).toHaveLength(1 + 7 + 3);
    expect(pool.prompts.map((indices) => Array.from(indices, (index) => pool.messages[index]!))).toEqual(prompts);
    expect(prompts.map((messages) => spelled(messages)[1])).toEqual(['[a]one', '[a]two', '[a]three', '[a]four']);
  });

  test('the answer gets what was asked for, or a quarter', () => {
    expect(roomForAnswer(100, 8192)).toBe(100);
    expect(roomForAnswer(4096, 8192)).toBe(2048);
    expect(roomForAnswer(4096, 128)).toBe(64);
  });
});
