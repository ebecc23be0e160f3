import { BroadcastChannel } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import type { Quad } from '../contract.ts';
import type { LineReader, ReadLine } from './read-line.ts';
import { createSharedLines, type SharedLines } from './shared-lines.ts';

const picture = { width: 1, height: 1, data: Uint8Array.of(7, 8, 9) };
const quadAt = (x: number): Quad => [
  [x, 0],
  [x + 1, 0],
  [x + 1, 1],
  [x, 1],
];
const quads = Array.from({ length: 12 }, (_, index) => quadAt(index));
const lineOf = (text: string, quad: Quad): ReadLine => ({ text, confidence: 1, words: [], quad });

/** Names the thread and the place. The other threads have their chance first, where `before` waits for them. */
function readerHere(before: () => Promise<void> = () => Promise.resolve()): LineReader {
  return {
    read: async (_picture, quad) => {
      await before();
      // As a run of a model does.
      await new Promise(setImmediate);
      return lineOf(`here ${String(quad[0][0])}`, quad);
    },
    close: () => Promise.resolve(),
  };
}

/** Resolves when a thread has called `tell` so many times in all. */
function toldBy(times: number): { told: () => Promise<void>; more: (times: number) => void } {
  const channel = new BroadcastChannel('shared-lines.test');
  channels.push(channel);
  let heard = 0;
  let wanted = times;
  let done = Promise.withResolvers<void>();
  channel.onmessage = () => {
    if (++heard === wanted) done.resolve();
  };
  return {
    told: () => done.promise,
    more(count) {
      wanted += count;
      done = Promise.withResolvers();
    },
  };
}

/** A thread that runs `body` for each picture, in its scope: `lines`, and `take`, `send` and `tell`. */
const threadThat = (body: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from 'node:worker_threads';
      const channel = new BroadcastChannel('shared-lines.test');
      const tell = () => channel.postMessage('told');
      parentPort.on('message', (lines) => {
        const take = () => Atomics.add(lines.taken, 0, 1);
        const send = (index, text) =>
          parentPort.postMessage({ id: lines.id, index, line: { text, confidence: 1, words: [], quad: lines.quads[index] } });
        ${body}
      });`)}`,
  );

const open: SharedLines[] = [];
const channels: BroadcastChannel[] = [];
afterEach(async () => {
  for (const channel of channels.splice(0)) channel.close();
  await Promise.all(open.splice(0).map((lines) => lines.close()));
});

function share(reader: LineReader, entry: URL, helpers = 1): SharedLines {
  const lines = createSharedLines(reader, { directory: '/nowhere', helpers, entry });
  open.push(lines);
  return lines;
}

async function textsOf(lines: SharedLines, signal?: AbortSignal): Promise<string[]> {
  const texts: string[] = [];
  for await (const { text } of lines.read(picture, quads, signal)) texts.push(text);
  return texts;
}

const all = (where: string): string[] => quads.map((_, index) => `${where} ${index}`);

test('alone, the thread of the caller reads every line in its order', async () => {
  expect(await textsOf(share(readerHere(), threadThat(''), 0))).toEqual(all('here'));
});

test('another thread takes lines too, which come in their order and once', async () => {
  const { told } = toldBy(1);
  const reads = 'for (let line = 0; line < 4; line++) { const at = take(); send(at, "there " + at); } tell();';
  const texts = await textsOf(share(readerHere(told), threadThat(reads)));
  expect(texts.map((text) => text.split(' ')[1])).toEqual(quads.map((_, index) => String(index)));
  expect(texts.slice(1, 5)).toEqual(['there 1', 'there 2', 'there 3', 'there 4']);
});

test('it gets the pixels, and the next picture after this one', async () => {
  const { told, more } = toldBy(1);
  const lines = share(readerHere(told), threadThat('send(take(), [...lines.picture.data].join()); tell();'));
  for (const _ of [1, 2]) {
    expect((await textsOf(lines)).filter((text) => text === '7,8,9')).toHaveLength(1);
    more(1);
  }
});

test('what a thread took with it when it died is read by the caller', async () => {
  const { told } = toldBy(2);
  const lines = share(readerHere(told), threadThat('take(); take(); tell(); setTimeout(() => process.exit(1), 20);'), 2);
  expect(await textsOf(lines)).toEqual(all('here'));
  expect(await textsOf(lines)).toEqual(all('here'));
});

test('a thread that cannot start is none', async () => {
  const lines = share(readerHere(), new URL('data:text/javascript,throw new Error("no model")'));
  expect(await textsOf(lines)).toEqual(all('here'));
});

test('nobody waits for a thread that is still loading', async () => {
  // It never answers, and never takes a line either.
  const lines = share(readerHere(), threadThat(''));
  expect(await textsOf(lines)).toEqual(all('here'));
});

test('stopped, no thread takes another line', async () => {
  const abort = new AbortController();
  let reads = 0;
  const reader = readerHere(() => {
    if (++reads === 3) abort.abort(new Error('stopped'));
    return Promise.resolve();
  });
  await expect(textsOf(share(reader, threadThat('')), abort.signal)).rejects.toThrow('stopped');
  expect(reads).toBe(3);
});
