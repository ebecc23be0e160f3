/** The language beside published weights as metadata of a GGUF file: what `gguf-files.ts` reads back. */
import type { GgufEntryValue } from '../native-surface.ts';
import { LoupeError } from '../errors.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import { samplingEntries } from './gguf-files.ts';
import { readStopTokens } from './prompt.ts';
import { tokenSpelling } from './template.ts';
import { llama3Words } from './words.ts';

const normal = 1;
const control = 3;
const userDefined = 4;
const unused = 5;

/**
 * Begin and end tokens are among them only where the configuration does not declare them, from which the engine takes them.
 * @throws LoupeError `tokenizer_invalid` for a tokenizer that GGUF has no name for
 */
export function ggufEntries(files: CheckpointFiles): [key: string, value: GgufEntryValue][] {
  const {
    model,
    added_tokens: added = [],
    pre_tokenizer: cut,
  } = files.tokenizer as {
    model?: { type?: unknown; vocab?: Record<string, number>; merges?: (string | [string, string])[] };
    added_tokens?: { id: number; content: string; special: boolean }[];
    pre_tokenizer?: unknown;
  };
  const refuse = (why: string): LoupeError =>
    new LoupeError('tokenizer_invalid', `The tokenizer in ${files.directory} cannot go into a GGUF file: ${why}.`);
  if (model?.type !== 'BPE' || !model.vocab || !Array.isArray(model.merges)) throw refuse('it holds no BPE vocabulary');
  if (!JSON.stringify(cut ?? null).includes(JSON.stringify(llama3Words))) throw refuse('it does not cut words as Llama 3 does');

  const tokens: string[] = [];
  const types: number[] = [];
  const put = (id: number, token: string, type: number): void => {
    [tokens[id], types[id]] = [token, type];
  };
  for (const [token, id] of Object.entries(model.vocab)) put(id, token, normal);
  for (const { id, content, special } of added) put(id, content, special ? control : userDefined);
  // A list has no holes.
  for (let id = 0; id < tokens.length; id++) if (tokens[id] === undefined) put(id, `[unused ${id}]`, unused);

  const entries: [key: string, value: GgufEntryValue][] = [
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'llama-bpe'],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.token_type', types],
    ['tokenizer.ggml.merges', model.merges.map((merge) => (typeof merge === 'string' ? merge : merge.join(' ')))],
    ['tokenizer.ggml.add_bos_token', true],
  ];
  if (files.chatTemplate !== null) entries.push(['tokenizer.chat_template', files.chatTemplate]);
  const turnEnd = added.find(({ content }) => content === tokenSpelling(files.tokenizerConfig?.['eos_token']));
  if (turnEnd && !readStopTokens(files).includes(turnEnd.id)) entries.push(['tokenizer.ggml.eot_token_id', turnEnd.id]);
  if (files.generationConfig?.['do_sample'] === true) {
    for (const [key, name] of Object.entries(samplingEntries)) {
      const value = files.generationConfig[name];
      if (typeof value === 'number') entries.push([key, value]);
    }
  }
  return entries;
}
