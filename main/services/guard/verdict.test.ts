import { describe, expect, test } from 'vitest';
import { isVerdict, type Message } from '../../contract.ts';
import type { ChatMessage, ChatPart } from '../ports.ts';
import { guardMessages, parseVerdict, withoutVerdicts } from './verdict.ts';

describe('a verdict', () => {
  test.each([
    ['safe', 'safe', []],
    ['\n\nsafe\n', 'safe', []],
    ['\n\nunsafe\nS1', 'unsafe', ['S1']],
    ['unsafe\nS1,S9, S13 ', 'unsafe', ['S1', 'S9', 'S13']],
    ['unsafe\nS2,S2', 'unsafe', ['S2']],
    ['unsafe', 'unsafe', []],
    ['unsafe\nS14', 'unsafe', ['S14']],
  ])('%j', (text, finding, categories) => {
    expect(parseVerdict(text)).toEqual({ finding, categories });
  });

  test.each([
    '',
    'Safe',
    'It is safe.',
    'safe\nS1',
    'unsafe S1',
    'unsafe\nviolence',
    'unsafe\nS1,',
    'safe\n\nand more',
    'not safe',
    'unsafe\nS1\nbecause',
    'safeunsafe',
    'safe\u0000',
  ])('%j is none, so it is not called safe', (text) => {
    expect(parseVerdict(text)).toEqual({ finding: 'unclear', categories: [] });
  });
});

function message(id: number, role: Message['role'], fields: Partial<Message> = {}): Message {
  return {
    id,
    conversationId: 1,
    parentId: id === 1 ? null : id - 1,
    role,
    text: `${role} ${id}`,
    pictures: [],
    state: 'complete',
    failure: null,
    finish: null,
    model: role === 'assistant' ? 'Llama' : null,
    statistics: null,
    judgement: null,
    scope: null,
    coverage: null,
    citations: [],
    differences: [],
    createdAt: 0,
    ...fields,
  };
}

const verdict = { by: 'Guard', question: { finding: 'safe', categories: [] }, answer: null, ms: 1 } satisfies Message['judgement'];

test('verdicts and what they were about are no part of the conversation that a guard sees', () => {
  const path = [
    message(1, 'user'),
    message(2, 'assistant', { model: 'Guard', judgement: verdict }),
    message(3, 'user'),
    message(4, 'assistant', { judgement: verdict }),
    message(5, 'user'),
  ];
  expect(path.map(isVerdict)).toEqual([false, true, false, false, false]);
  expect(withoutVerdicts(path)).toEqual(path.slice(2));

  const picture = (name: string): Message['pictures'][number] => ({
    hash: 'a'.repeat(64),
    name,
    width: 1,
    height: 1,
    bytes: 1,
    origin: { kind: 'file' },
  });
  const seen = (pictures: string[][]): string[][] =>
    withoutVerdicts(path.map((each, index) => ({ ...each, pictures: (pictures[index] ?? []).map(picture) }))).map((each) =>
      each.pictures.map(({ name }) => name),
    );
  expect(seen([['one']])).toEqual([['one'], [], []]);
  expect(seen([['one'], [], ['two']])).toEqual([['two'], [], []]);
  expect(seen([['one'], [], [], [], ['three']])).toEqual([['one'], [], ['three']]);
});

test('roles by turns, no instructions, one picture', () => {
  const image = (path: string): ChatPart => ({ type: 'image', image: { path } });
  const text = (words: string): ChatPart => ({ type: 'text', text: words });
  const messages: ChatMessage[] = [
    { role: 'system', content: [text('Be brief.')] },
    { role: 'user', content: [image('a'), text('one')] },
    { role: 'user', content: [image('b'), text('two')] },
    { role: 'assistant', content: [text('three')] },
  ];
  expect(guardMessages(messages)).toEqual([
    { role: 'user', content: [text('one'), image('b'), text('two')] },
    { role: 'assistant', content: [text('three')] },
  ]);
  expect(messages[1]!.content).toHaveLength(2);
});
