import { expect, test } from 'vitest';
import type { EventMessage, TextLine } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { createPictureText } from './picture-text.ts';
import type { OcrPicture, TextRecogniser } from './ports.ts';

const line = (text: string): TextLine => ({
  before: '',
  text,
  confidence: 1,
  quad: [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ],
  words: [],
});
const picture = (name: string): OcrPicture => ({ source: { path: name } });

/** Reads the name of the file, when it is told to. */
function rig() {
  const events: EventMessage[] = [];
  const asked: string[] = [];
  const finish: (() => void)[] = [];
  const recogniser: TextRecogniser = {
    recognise: (given, { onLine, signal } = {}) =>
      new Promise((resolve, reject) => {
        const name = 'source' in given && 'path' in given.source ? given.source.path : '';
        asked.push(name);
        signal?.addEventListener('abort', () => reject(new LoupeError('cancelled', 'stopped')));
        finish.push(() => {
          onLine?.(line(name));
          resolve([line(name)]);
        });
      }),
    close: async () => {},
  };
  return { text: createPictureText({ recogniser, emit: (event) => events.push(event) }), events, asked, finish };
}

test('lines are told while it is read; asked twice it is read once, and remembered', async () => {
  const { text, events, asked, finish } = rig();
  const [first, second] = [text.read('a', picture('a.png')), text.read('a', picture('a.png'))];
  finish[0]!();
  expect(await first).toEqual([line('a.png')]);
  expect(await second).toEqual([line('a.png')]);
  expect(await text.read('a', picture('a.png'))).toEqual([line('a.png')]);
  expect(asked).toEqual(['a.png']);
  expect([text.known('a'), text.known('b')]).toEqual([[line('a.png')], null]);
  expect(asked).toEqual(['a.png']);
  expect(events).toEqual([{ event: 'text.line', payload: { of: 'a', line: line('a.png') } }]);
});

test('what was stopped is read anew', async () => {
  const { text, asked, finish } = rig();
  const stopped = text.read('a', picture('a.png'));
  text.stop('a');
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  const again = text.read('a', picture('a.png'));
  finish[1]!();
  expect(await again).toHaveLength(1);
  expect(asked).toEqual(['a.png', 'a.png']);
});

test('what is seen once is not remembered, and another of the same name takes its place', async () => {
  const { text, asked, events, finish } = rig();
  const told: string[] = [];
  const onLine = ({ text: words }: TextLine): void => void told.push(words);
  const first = text.readOnce('display', picture('a.png'), onLine);
  const second = text.readOnce('display', picture('b.png'), onLine);
  await expect(first).rejects.toMatchObject({ code: 'cancelled' });
  finish[1]!();
  expect(await second).toEqual([line('b.png')]);
  const third = text.readOnce('display', picture('c.png'), onLine);
  finish[2]!();
  expect(await third).toEqual([line('c.png')]);
  expect(asked).toEqual(['a.png', 'b.png', 'c.png']);
  expect(told).toEqual(['b.png', 'c.png']);
  // It is nobody else's.
  expect(events).toEqual([]);
});

test('of many pictures the ones that were wanted last are remembered', async () => {
  const { text, asked, finish } = rig();
  for (let index = 0; index < 17; index++) {
    const read = text.read(`${index}`, picture(`${index}.png`));
    finish[index]!();
    await read;
    // Wanted again and again.
    if (index > 0) await text.read('0', picture('0.png'));
  }
  expect(asked).toHaveLength(17);
  const forgotten = text.read('1', picture('1.png'));
  finish[17]!();
  await forgotten;
  expect(asked.at(-1)).toBe('1.png');
});

test('what nobody waits for is read without events, shared and remembered', async () => {
  const { text, events, asked, finish } = rig();
  const { signal } = new AbortController();
  const [waited, later] = [text.read('a', picture('a.png')), text.readSilently('a', picture('a.png'), { background: true, signal })];
  finish[0]!();
  expect([await waited, await later]).toEqual([[line('a.png')], [line('a.png')]]);
  expect(events).toHaveLength(1);
  const alone = text.readSilently('b', picture('b.png'), { background: true, signal });
  finish[1]!();
  await alone;
  expect(await text.read('b', picture('b.png'))).toEqual([line('b.png')]);
  expect(asked).toEqual(['a.png', 'b.png']);
});
