import { expect, test } from 'vitest';
import { randomNumbers } from '../../test/random.ts';
import { eventsOf, StreamTooLarge } from './event-stream.ts';

const limits = { eventLength: 1_000, bytes: 10_000 };

async function* pieces(...texts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield typeof text === 'string' ? Buffer.from(text) : text;
}

async function read(body: AsyncIterable<Uint8Array>): Promise<string[]> {
  const events: string[] = [];
  for await (const data of eventsOf(body, limits)) events.push(data);
  return events;
}

test('data of events; comments and other fields are none', async () => {
  const text = ': hello\n\nevent: x\ndata: one\n\ndata:two\r\ndata: lines\r\n\r\nid: 3\n\ndata: cr\r\rdata: last';
  expect(await read(pieces(text))).toEqual(['one', 'two\nlines', 'cr', 'last']);
});

test('however the bytes are cut, also within a letter and between CR and LF', async () => {
  const bytes = Buffer.from('data: žluťoučký 🐎\r\n\r\ndata: {"a": 1}\r\n: comment\r\ndata: 2\r\n\r\ndata: x\n\n');
  const whole = await read(pieces(bytes));
  expect(whole).toEqual(['žluťoučký 🐎', '{"a": 1}\n2', 'x']);
  const seed = Number(process.env['LOUPE_SEED'] ?? 16);
  const random = randomNumbers(seed);
  for (let round = 0; round < 50; round++) {
    const cut: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = 1 + Math.floor(random() * 4);
      cut.push(bytes.subarray(at, at + length));
      at += length;
    }
    expect(await read(pieces(...cut)), `seed ${seed}`).toEqual(whole);
  }
});

test('an event, and all of them, have an end', async () => {
  await expect(read(pieces(`data: ${'x'.repeat(1_001)}`))).rejects.toThrow(StreamTooLarge);
  // Lines without a name are no way around it.
  await expect(read(pieces(...Array<string>(300).fill('data: xyz\n')))).rejects.toThrow(StreamTooLarge);
  await expect(read(pieces(...Array<string>(2_000).fill(': keep\n')))).rejects.toThrow(StreamTooLarge);
  expect(await read(pieces(...Array<string>(1_000).fill(': keep\n'), 'data: y\n\n'))).toEqual(['y']);
});
