/** A checkpoint's language: tokenizer, format, stop tokens and the sampling that its makers advise. */
import type { SamplingOptions } from '../../engine/addon.ts';
import { readCheckpointFiles, type CheckpointFiles } from './checkpoint-files.ts';
import { createPromptFormat, type PromptFormat } from './template.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

export interface PromptLanguage {
  tokenizer: Tokenizer;
  format: PromptFormat;
  stopTokens: number[];
  /** Greedy unless generation_config.json says otherwise. `seed` is left to the caller. */
  sampling: Omit<SamplingOptions, 'seed'>;
}

export async function readPromptLanguage(directory: string): Promise<PromptLanguage> {
  return promptLanguage(await readCheckpointFiles(directory));
}

export function promptLanguage(files: CheckpointFiles): PromptLanguage {
  const tokenizer = createTokenizer(files.tokenizer, files.tokenizerConfig, files.directory);
  const stopTokens = readStopTokens(files);
  return { tokenizer, format: createPromptFormat(files, tokenizer, stopTokens), stopTokens, sampling: advisedSampling(files) };
}

/** generation_config.json is the authority; config.json fills in for it. */
export function readStopTokens({ config, generationConfig }: Pick<CheckpointFiles, 'config' | 'generationConfig'>): number[] {
  const textConfig = config['text_config'] as Record<string, unknown> | undefined;
  const found = generationConfig?.['eos_token_id'] ?? config['eos_token_id'] ?? textConfig?.['eos_token_id'];
  return [found].flat().filter((token): token is number => Number.isInteger(token));
}

function advisedSampling({ generationConfig }: CheckpointFiles): Omit<SamplingOptions, 'seed'> {
  const advice = generationConfig?.['do_sample'] === true ? generationConfig : {};
  const number = (name: string, otherwise: number): number => {
    const value = advice[name];
    return typeof value === 'number' && value >= 0 ? value : otherwise;
  };
  const samples = advice === generationConfig;
  return {
    temperature: samples ? number('temperature', 1) : 0,
    topK: number('top_k', 0),
    topP: number('top_p', 1),
    minP: number('min_p', 0),
    repetitionPenalty: number('repetition_penalty', 1) || 1,
  };
}
