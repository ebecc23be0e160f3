import { expect, test, vi } from 'vitest';
import { parseEvent, parseRequest, parseResult, requestMethods, requestName, requests, type RequestKind } from './protocol.ts';

const place = { directory: '/model' };
const engine = { device: '0' };
const messages = [{ role: 'user', content: [{ type: 'text', text: 'Hello?' }] }];

/** One valid body of each kind. */
const bodies: Record<RequestKind, unknown> = {
  devices: null,
  confinement: null,
  inspect: { gguf: ['/model.gguf'], stops: ['</s>'] },
  estimate: { ...place, engine },
  load: { ...place, engine, contextLength: 512, hostLayers: [1], embeddingOnHost: true },
  generate: { messages, maxTokens: 5, sampling: { temperature: 0.5 } },
  countTokens: { messages, answerSoFar: 'He' },
  score: { messages: null, texts: ['a'] },
  trace: { tokens: Int32Array.of(1), images: [{ path: '/a.png' }], continueFor: 0 },
  quantise: { directory: '/model', target: '/Llama.gguf', text: 'q8_0', vision: 'f16' },
  measure: { tokens: 4, seed: 1, picture: { tiles: 2, seed: 1 }, maxTokens: 3 },
  copyBandwidth: { engine },
  kernels: { engine: { ...engine, kernels: { matvec_threads: 32 } }, measure: true },
  selfTest: { engine },
  memory: null,
};

test.each(Object.entries(bodies))('%s arrives as it was sent, and not with a field that it does not know', (type, body) => {
  expect(parseRequest({ type, id: 3, body })).toEqual({ type, id: 3, body });
  const wrong = body === null ? { wings: 2 } : { ...body, wings: 2 };
  expect(() => parseRequest({ type, id: 3, body: wrong })).toThrow(expect.objectContaining({ code: 'protocol' }));
});

test('what cannot be read names the field', () => {
  expect(() => parseRequest({ type: 'generate', id: 1, body: { messages, maxTokens: -1 } })).toThrow(/maxTokens/);
  expect(() => parseRequest({ type: 'devices', id: 0, body: null })).toThrow(/id/);
  expect(() => parseEvent({ type: 'token', id: 1 })).toThrow(/text/);
  expect(() => parseResult('memory', { deviceBytes: 1, hostPeakBytes: 1 })).toThrow(/answered memory in an unknown form.*validationErrors/);
  expect(() => parseResult('countTokens', 'many')).toThrow(/answered count-tokens/);
});

test('reports of the addon keep fields that nobody checks', () => {
  const report = { deviceBytes: 1, validationErrors: 0, hostPeakBytes: 2, devicePeakBytes: 3 };
  expect(parseResult('memory', report)).toEqual(report);
});

test('each request is a method; those without a body take the listeners first', async () => {
  const request = vi.fn(async () => 7);
  const methods = requestMethods(request as never);
  expect(Object.keys(methods)).toEqual(Object.keys(requests));
  const { signal } = new AbortController();
  expect(await methods.memory({ signal })).toBe(7);
  await methods.countTokens({ messages: [] }, { signal });
  expect(request.mock.calls).toEqual([
    ['memory', null, { signal }],
    ['countTokens', { messages: [] }, { signal }],
  ]);
});

test('sentences write the kinds of requests as words', () => {
  expect((['devices', 'countTokens', 'selfTest'] as const).map(requestName)).toEqual(['devices', 'count-tokens', 'self-test']);
});
