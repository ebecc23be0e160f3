/** A checkpoint's language: tokenizer, format, stop tokens and the sampling that its makers advise. */
import type { SamplingOptions } from '../native-surface.ts';
import { readCheckpointFiles, type CheckpointFiles } from './checkpoint-files.ts';
import { endOfText, llamaEnds, stopsOf, type Stops } from './stops.ts';
import { createPromptFormat, tokenSpelling, type PromptFormat } from './template.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

export interface PromptLanguage {
  tokenizer: Tokenizer;
  format: PromptFormat;
  stops: Stops;
  /** Greedy unless generation_config.json says otherwise. `seed` is left to the caller. */
  sampling: Omit<SamplingOptions, 'seed'>;
}

export async function readPromptLanguage(directory: string): Promise<PromptLanguage> {
  return promptLanguage(await readCheckpointFiles(directory));
}

/** `stops`: what else ends an answer, as the program that keeps the model spells it (Ollama's parameters). */
export function promptLanguage(files: CheckpointFiles, stops: readonly string[] = []): PromptLanguage {
  const tokenizer = createTokenizer(files.tokenizer, files.tokenizerConfig, files.directory);
  const declared = declaredStops(files, tokenizer, stops);
  const format = createPromptFormat(files, tokenizer, declared.tokens);
  return { tokenizer, format, stops: withFormatsOwn(declared, format, tokenizer), sampling: advisedSampling(files) };
}

/** What configuration, tokenizer and keeper say. Words of the vocabulary do not count: 2 ends Llama 2, and is "#" in Llama 3. */
function declaredStops(files: CheckpointFiles, tokenizer: Tokenizer, more: readonly string[]): Stops {
  const eos = tokenSpelling(files.tokenizerConfig?.['eos_token']);
  const { tokens, texts } = stopsOf(more, tokenizer);
  const token = eos === null ? null : tokenizer.specialToken(eos);
  const declared = readStopTokens(files).filter((token) => !tokenizer.isWord(token));
  return { tokens: [...new Set([...declared, ...(token === null ? [] : [token]), ...tokens])], texts };
}

/** Exports of early 2024 declare <|end_of_text|> alone, with which no turn ends. A base model knows no turns and ends as is declared. */
function withFormatsOwn({ tokens, texts }: Stops, { kind, turnEnd }: PromptFormat, tokenizer: Tokenizer): Stops {
  const known = (names: readonly string[]): number[] => names.map((name) => tokenizer.specialToken(name)).filter((token) => token !== null);
  if (kind === 'completion') return { tokens: tokens.length > 0 ? tokens : known([endOfText]), texts };
  const own = stopsOf(turnEnd === null ? [] : [turnEnd], tokenizer);
  const usual = known(llamaEnds);
  return { tokens: [...new Set([...tokens, ...own.tokens, ...usual])], texts: [...new Set([...texts, ...own.texts])] };
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
