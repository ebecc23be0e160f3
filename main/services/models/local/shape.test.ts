import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { demoModel } from '../../../host/paths.ts';
import { architectureOfConfig, architectureOfGguf, sectionsOf } from './shape.ts';
import { parameterCount } from '../fit/sizes.ts';

test('of config.json: the demo model, to its last parameter', () => {
  const config = JSON.parse(readFileSync(`${demoModel}/config.json`, 'utf8')) as Record<string, unknown>;
  const bytes = readFileSync(`${demoModel}/model.safetensors`);
  const { __metadata__: _, ...tensors } = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0)))) as Record<
    string,
    { shape: number[] }
  >;
  const stored = Object.values(tensors).reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  expect(parameterCount(architectureOfConfig(config)!)).toBe(stored);
});

test.each(['llama-3.2-11b-vision', 'llama-3.2-11b-vision-instruct', 'llama-3.2-90b-vision-instruct', 'llama-guard-3-11b-vision'])(
  'of %s as transformers saves it again: without what equals its defaults',
  (id) => {
    const published = JSON.parse(readFileSync(new URL(`../../../../fixtures/configs/${id}.json`, import.meta.url), 'utf8')) as Record<
      'text_config' | 'vision_config',
      Record<string, unknown>
    >;
    const saved = structuredClone(published);
    const defaults = sectionsOf({ model_type: 'mllama', text_config: {}, vision_config: {} });
    for (const [section, known] of [
      ['text_config', defaults.text],
      ['vision_config', defaults.vision!],
    ] as const) {
      for (const [key, value] of Object.entries(known)) if (isDeepStrictEqual(saved[section][key], value)) delete saved[section][key];
    }
    expect(Object.keys(saved.vision_config).length).toBeLessThan(Object.keys(published.vision_config).length - 5);
    expect(architectureOfConfig(saved)).toEqual(architectureOfConfig(published));
  },
);

test('of a GGUF text model; not of a vision model, nor of half a description', () => {
  const entries = {
    'general.architecture': 'llama',
    'llama.embedding_length': 3072,
    'llama.block_count': 28,
    'llama.attention.head_count': 24,
    'llama.attention.head_count_kv': 8,
    'llama.feed_forward_length': 8192,
    'llama.vocab_size': 128_256,
  };
  expect(architectureOfGguf([new Map(Object.entries(entries))])).toMatchObject({
    text: { hidden: 3072, layers: 28, headSize: 128, kvHeads: 8 },
    vision: null,
  });
  expect(architectureOfGguf([new Map(Object.entries({ ...entries, 'llama.block_count': 0 }))])).toBeNull();
  expect(architectureOfGguf([new Map(Object.entries({ ...entries, 'general.architecture': 'mllama' }))])).toBeNull();
  expect(architectureOfConfig({ model_type: 'llama', hidden_size: 4096 })).toBeNull();
  expect(architectureOfConfig({ text_config: 5 })).toBeNull();
});
