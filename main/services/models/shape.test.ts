import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { demoModel } from '../../paths.ts';
import { architectureOfConfig, architectureOfGguf } from './shape.ts';
import { parameterCount } from './sizes.ts';

test('of config.json: the demo model, to its last parameter', () => {
  const config = JSON.parse(readFileSync(`${demoModel}/config.json`, 'utf8')) as Record<string, unknown>;
  const bytes = readFileSync(`${demoModel}/model.safetensors`);
  const { __metadata__: _, ...tensors } = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0)))) as Record<string, { shape: number[] }>;
  const stored = Object.values(tensors).reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  expect(parameterCount(architectureOfConfig(config)!)).toBe(stored);
});

test('of a GGUF text model; not of a vision model, nor of half a description', () => {
  const entries = { 'general.architecture': 'llama', 'llama.embedding_length': 3072, 'llama.block_count': 28, 'llama.attention.head_count': 24, 'llama.attention.head_count_kv': 8, 'llama.feed_forward_length': 8192, 'llama.vocab_size': 128_256 };
  expect(architectureOfGguf([new Map(Object.entries(entries))])).toMatchObject({ text: { hidden: 3072, layers: 28, headSize: 128, kvHeads: 8 }, vision: null });
  expect(architectureOfGguf([new Map(Object.entries({ ...entries, 'llama.block_count': 0 }))])).toBeNull();
  expect(architectureOfGguf([new Map(Object.entries({ ...entries, 'general.architecture': 'mllama' }))])).toBeNull();
  expect(architectureOfConfig({ model_type: 'llama', hidden_size: 4096 })).toBeNull();
  expect(architectureOfConfig({ text_config: 5 })).toBeNull();
});
