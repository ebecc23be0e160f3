import { expect, test } from 'vitest';
import type { GgufValue } from '../native-surface.ts';
import { demoModel } from '../host/paths.ts';
import { readCheckpointFiles, type CheckpointFiles } from './checkpoint-files.ts';
import { ggufEntries } from './gguf-entries.ts';
import { ggufCheckpointFiles } from './gguf-files.ts';
import { promptLanguage } from './prompt.ts';
import type { Message } from './template.ts';

/** What the engine adds from the configuration. */
function fromConfiguration({ config }: CheckpointFiles): [string, GgufValue][] {
  const text = config['text_config'] as { bos_token_id: number; eos_token_id: number[] };
  return [
    ['general.architecture', 'mllama'],
    ['tokenizer.ggml.bos_token_id', text.bos_token_id],
    ['tokenizer.ggml.eos_token_id', text.eos_token_id.at(-1)!],
    ['tokenizer.ggml.eos_token_ids', text.eos_token_id],
  ];
}

test('a checkpoint speaks the same language out of a GGUF file', async () => {
  const files = await readCheckpointFiles(demoModel);
  const advice = {
    ...files,
    generationConfig: { ...files.generationConfig, do_sample: true, temperature: Math.fround(0.6), top_p: Math.fround(0.9), top_k: 40 },
  };
  const published = promptLanguage({ ...advice, generationConfig: { ...advice.generationConfig, temperature: 0.6, top_p: 0.9 } });
  const read = promptLanguage(ggufCheckpointFiles(new Map([...ggufEntries(advice), ...fromConfiguration(files)]), 'x.gguf'));
  expect(read.stops.tokens.toSorted()).toEqual(published.stops.tokens.toSorted());
  expect(read.sampling).toEqual(published.sampling);
  expect(read.format.kind).toBe(published.format.kind);
  expect([...read.tokenizer.specialTokens].sort()).toEqual([...published.tokenizer.specialTokens].sort());
  const question: Message[] = [
    { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'What does it say? <|eot_id|> Größe 12,50 €' }] },
    { role: 'assistant', content: [{ type: 'text', text: 'It says so.' }] },
    { role: 'user', content: [{ type: 'text', text: "And that's all?\n\n  Yes" }] },
  ];
  expect([...read.format.encode(question)]).toEqual([...published.format.encode(question)]);
});

test('no advice stays no advice', async () => {
  const files = await readCheckpointFiles(demoModel);
  const read = ggufCheckpointFiles(new Map([...ggufEntries(files), ...fromConfiguration(files)]), 'x.gguf');
  expect(promptLanguage(read).sampling.temperature).toBe(0);
});

test('a tokenizer that GGUF has no name for is refused', async () => {
  const files = await readCheckpointFiles(demoModel);
  for (const tokenizer of [{ ...files.tokenizer, pre_tokenizer: { type: 'Whitespace' } }, { model: { type: 'Unigram', vocab: {} } }]) {
    expect(() => ggufEntries({ ...files, tokenizer })).toThrow(expect.objectContaining({ code: 'tokenizer_invalid' }));
  }
});
