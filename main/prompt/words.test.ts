import { expect, test } from 'vitest';
import { createTokenizer } from './tokenizer.ts';
import { cutsWordsAsKnown, llama3Words } from './words.ts';

const split = (pattern: unknown): object => ({
  type: 'Sequence',
  pretokenizers: [{ type: 'Split', pattern, behavior: 'Isolated', invert: false }],
});
const endless = { Regex: '(a+)+$' };

test('Llama 3’s pattern, a plain text and none are known', () => {
  for (const cut of [split({ Regex: llama3Words }), split({ String: ' ' }), { type: 'ByteLevel' }, null, undefined])
    expect(cutsWordsAsKnown({ pre_tokenizer: cut })).toBe(true);
});

test.each([
  ['pre_tokenizer', split(endless)],
  ['normalizer', { type: 'Replace', pattern: endless, content: '' }],
  ['decoder', { type: 'Sequence', decoders: [{ type: 'ByteLevel' }, { type: 'Replace', pattern: endless, content: '' }] }],
])('a pattern of a stranger in %s is not run', (part, value) => {
  const json = { model: { type: 'BPE', vocab: { a: 0 }, merges: [] }, decoder: { type: 'ByteLevel' }, [part]: value };
  expect(() => createTokenizer(json, null, 'model')).toThrow('cuts words by a pattern that Loupe does not know');
});
