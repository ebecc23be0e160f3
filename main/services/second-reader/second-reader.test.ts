import { expect, test } from 'vitest';
import { defaultSettings, type EventMessage, type Message, type Picture, type TextLine } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type { Store } from '../ports.ts';
import { createSecondReader, wholeWords } from './second-reader.ts';

const line = (text: string): TextLine => ({
  before: '\n',
  text,
  confidence: 0.98,
  quad: [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ],
  words: [],
});
const picture = (hash: string): Picture => ({ hash, name: 'a.png', width: 1, height: 1, bytes: 1, origin: { kind: 'paste' } });
const blank: Omit<Message, 'id' | 'role' | 'text'> = {
  ...{ conversationId: 1, parentId: null, pictures: [], state: 'complete', failure: null, finish: null, model: null },
  ...{ statistics: null, judgement: null, scope: null, coverage: null, citations: [], differences: [], createdAt: 1 },
};
const question: Message = { ...blank, id: 1, role: 'user', text: 'What is the total?', pictures: [picture('old'), picture('last')] };
const answer: Message = { ...blank, id: 2, parentId: 1, role: 'assistant', text: 'The total is 1,208.', finish: 'stop', model: 'Llama' };
const stored = { ...answer, differences: [{ offset: 13, length: 5, answer: '1,208', picture: '1,280' }] };

const summary = { title: '', pinned: false, createdAt: 1, updatedAt: 1, messageCount: 2, picture: null, busy: false };

function rig({
  path = [question],
  pinned = null as string | null,
  secondReader = true,
  sees = true,
  instructions = '',
  fault = null as LoupeError | null,
} = {}) {
  const events: EventMessage[] = [];
  const asked: string[] = [];
  const faults: unknown[] = [];
  const state = { text: answer.text };
  const reader = createSecondReader({
    store: {
      settings: () => ({ ...defaultSettings, secondReader }),
      conversations: {
        path: () => path,
        pinnedPicture: () => pinned,
        summary: (id) => ({ ...summary, id, instructions }),
        saveDifferences: (_id, text, differences) => (text === state.text ? { ...answer, differences } : null),
      } as Partial<Store['conversations']> as Store['conversations'],
    },
    read: async (hash) => {
      asked.push(hash);
      if (fault) throw fault;
      return [line('Total 1,280')];
    },
    sees: () => sees,
    emit: (event) => events.push(event),
    onFault: (error) => faults.push(error),
  });
  return { reader, events, asked, faults, state };
}

test('what differs from the picture in force is stored and told', async () => {
  const { reader, events, asked } = rig();
  await reader.check(answer);
  expect(asked).toEqual(['last']);
  expect(events).toEqual([{ event: 'message.changed', payload: stored }]);
  const pinned = rig({ pinned: 'pinned' });
  await pinned.reader.check(answer);
  expect(pinned.asked).toEqual(['pinned']);
});

test('what the conversation was instructed with is no difference', async () => {
  const { reader, asked, events } = rig({ instructions: 'Round to 1,208.' });
  await reader.check(answer);
  expect({ asked, events }).toEqual({ asked: ['last'], events: [] });
});

test('nothing is read for answers that are not about a picture, are being written, or where it is switched off', async () => {
  const document = { ...question, scope: { kind: 'library' } as const };
  const verdict = { by: 'Llama', question: { finding: 'safe' as const, categories: [] }, answer: null, ms: 1 };
  for (const [options, given] of [
    [{ secondReader: false }, answer],
    [{ sees: false }, answer],
    [{ path: [{ ...question, pictures: [] }] }, answer],
    [{ path: [document] }, answer],
    [{}, { ...answer, state: 'streaming' }],
    [{}, { ...answer, state: 'failed', finish: null, text: '' }],
    [{}, { ...answer, judgement: verdict }],
  ] as [Parameters<typeof rig>[0], Message][]) {
    const { reader, events, asked } = rig(options);
    await reader.check(given);
    expect({ asked, events }).toEqual({ asked: [], events: [] });
  }
});

test('an answer that was stopped or cut off is compared up to its last whole word', async () => {
  for (const unfinished of [
    { state: 'stopped', finish: 'cancelled' },
    { state: 'complete', finish: 'length' },
    { state: 'interrupted', finish: null },
  ] as const) {
    const cut = rig();
    await cut.reader.check({ ...answer, ...unfinished, text: 'The total is 1,208' });
    expect({ asked: cut.asked, events: cut.events }).toEqual({ asked: ['last'], events: [] });
    const said = rig();
    said.state.text = 'The total is 1,208. The tax i';
    await said.reader.check({ ...answer, ...unfinished, text: said.state.text });
    expect(said.events).toEqual([{ event: 'message.changed', payload: stored }]);
  }
});

test.each([
  ['The total is 1,208', 'The total is '],
  ['The total is 1 208 eu', 'The total is '],
  ['The total is 1,208. The ta', 'The total is 1,208. The '],
  ['It is 12 ', 'It is '],
  ['no', ''],
  ['', ''],
])('of %j the whole words are %j', (text, words) => {
  expect(wholeWords(text)).toBe(words);
});

test('an answer that agrees, changed meanwhile, or whose app closes is left alone', async () => {
  const agrees = rig();
  await agrees.reader.check({ ...answer, text: 'The total is 1280.00.' });
  const changed = rig();
  changed.state.text = 'Another answer';
  await changed.reader.check(answer);
  const closed = rig();
  const checking = closed.reader.check(answer);
  closed.reader.close();
  await checking;
  for (const { events, asked } of [agrees, changed, closed]) expect({ asked, events }).toEqual({ asked: ['last'], events: [] });
});

test('a picture that cannot be read is reported, one that is gone is not', async () => {
  const broken = rig({ fault: new LoupeError('ocr_failed', 'broken') });
  await broken.reader.check(answer);
  expect(broken.faults).toHaveLength(1);
  const gone = rig({ fault: new LoupeError('not_found', 'gone') });
  await gone.reader.check(answer);
  expect(gone.faults).toEqual([]);
});
