import { expect, test } from 'vitest';
import { createClient } from './client.ts';
import { decodeFrame, encodeFrame } from './frames.ts';
import { RequestFailure } from './transport.ts';

function client(reply: unknown) {
  let event: (message: unknown) => void = () => {};
  const made = createClient({ request: async () => reply, onEvent: (listener) => (event = listener), onConnection: () => {} });
  return { made, event: (message: unknown) => event(message) };
}

async function failureOf(promise: Promise<unknown>): Promise<RequestFailure> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RequestFailure);
  return error as RequestFailure;
}

test('an answer is parsed', async () => {
  expect(await client({ ok: true, output: { leafId: 3 } }).made.request('conversations.selectBranch', { messageId: 1 })).toEqual({
    leafId: 3,
  });
});

test('a failure keeps its words', async () => {
  const failure = await failureOf(
    client({ ok: false, code: 'not_found', message: 'It is gone.', nextStep: 'Look in the list.' }).made.request('engine.load', {}),
  );
  expect({ ...failure, message: failure.message }).toMatchObject({
    code: 'not_found',
    message: 'It is gone.',
    nextStep: 'Look in the list.',
  });
});

test('an answer of another shape is a failure that names the field', async () => {
  const failure = await failureOf(
    client({ ok: true, output: { leafId: 'x' } }).made.request('conversations.selectBranch', { messageId: 1 }),
  );
  expect(failure.code).toBe('protocol');
  expect(failure.message).toContain('leafId');
});

test('an answer without a shape is a failure', async () => {
  expect((await failureOf(client(null).made.request('engine.load', {}))).code).toBe('protocol');
});

test('events reach those who listen, and only parsed', () => {
  const { made, event } = client(null);
  const heard: number[] = [];
  const stop = made.on('conversation.deleted', ({ id }) => heard.push(id));
  event({ event: 'conversation.deleted', payload: { id: 4 } });
  event({ event: 'conversation.deleted', payload: { id: 'x' } });
  event({ event: 'unheard.of', payload: {} });
  event(undefined);
  stop();
  event({ event: 'conversation.deleted', payload: { id: 5 } });
  expect(heard).toEqual([4]);
});

test('bytes travel as base64, however many', () => {
  const bytes = Uint8Array.from({ length: 100_001 }, (_, at) => at % 251);
  const frame = JSON.parse(encodeFrame({ id: 1, input: { bytes } })) as { input: { bytes: { $bytes: string } } };
  expect(Buffer.from(frame.input.bytes.$bytes, 'base64').equals(Buffer.from(bytes))).toBe(true);
});

test('what is not JSON is nothing', () => {
  expect(decodeFrame('{')).toBeUndefined();
  expect(decodeFrame(new ArrayBuffer(1))).toBeUndefined();
  expect(decodeFrame('{"a":1}')).toEqual({ a: 1 });
});
