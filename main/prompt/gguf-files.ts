/** The language of a GGUF file: its metadata in the shape of the files beside published weights. */
import type { GgufValue } from '../native-surface.ts';
import { LoupeError } from '../errors.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import { llamaEnds } from './stops.ts';
import { llama3Words } from './words.ts';

/** Tokens as `tokenizer.ggml.token_type` numbers them. */
const tokenTypes = { unknown: 2, control: 3, userDefined: 4, unused: 5 } as const;

/**
 * How `tokenizer.ggml.pre` spells it, and whether a word that is a token as a whole is taken as it is. Converters call what
 * fine-tunes of 2024 saved without that sentence "smaug-bpe", after the first of them. Others ("dbrx", "falcon3") cut alike, but
 * belong to other families. Source: llama.cpp, src/llama-vocab.cpp.
 */
const llama3Names = new Map([
  ['llama-bpe', true],
  ['llama3', true],
  ['llama-v3', true],
  ['smaug-bpe', false],
]);

/**
 * @param metadata entries of the file, or of a text file and its projector together
 * @param origin the file, for messages
 * @throws LoupeError `tokenizer_missing` without a token list, `tokenizer_invalid` for another kind of tokenizer
 */
export function ggufCheckpointFiles(metadata: ReadonlyMap<string, GgufValue>, origin: string): CheckpointFiles {
  const tokens = metadata.get('tokenizer.ggml.tokens');
  if (tokens === undefined)
    throw new LoupeError(
      'tokenizer_missing',
      `${origin} holds no tokens, so text cannot become numbers.`,
      'Use another copy of the model.',
    );
  if (!areTexts(tokens)) throw invalid(origin, 'its token list is malformed');
  const merges = metadata.get('tokenizer.ggml.merges');
  const kind = metadata.get('tokenizer.ggml.model');
  if (kind !== 'gpt2')
    throw invalid(origin, `it is of the kind ${JSON.stringify(kind ?? null)}, and Loupe reads byte-level BPE as Llama 3 has it`);
  const words = metadata.get('tokenizer.ggml.pre') ?? 'llama-bpe';
  const ignoreMerges = llama3Names.get(String(words));
  if (ignoreMerges === undefined) throw invalid(origin, `it cuts words as ${JSON.stringify(words)}, and Loupe knows how Llama 3 does`);
  if (!areTexts(merges)) throw invalid(origin, 'its merges are missing or malformed');

  const spelling = (key: string): string | undefined => {
    const id = metadata.get(`tokenizer.ggml.${key}`);
    return typeof id === 'number' ? tokens[id] : undefined;
  };
  return {
    directory: origin,
    config: { model_type: metadata.get('general.architecture') },
    generationConfig: { eos_token_id: endTokens(metadata, tokens), ...advisedSampling(metadata) },
    tokenizer: tokenizerJson(tokens, tokenTypesOf(metadata, tokens, origin), merges, ignoreMerges),
    tokenizerConfig: { bos_token: spelling('bos_token_id'), eos_token: spelling('eos_token_id') },
    chatTemplate: chatTemplate(metadata),
  };
}

function invalid(origin: string, why: string): LoupeError {
  return new LoupeError('tokenizer_invalid', `The tokenizer in ${origin} cannot be used: ${why}.`, 'Use another copy of the model.');
}

function areTexts(value: GgufValue | undefined): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

/** One type a token; where the file gives none, what is spelled <|like this|> is special. */
function tokenTypesOf(metadata: ReadonlyMap<string, GgufValue>, tokens: string[], origin: string): number[] {
  const types = metadata.get('tokenizer.ggml.token_type');
  if (types === undefined) return tokens.map((token) => (/^<\|.*\|>$/s.test(token) ? tokenTypes.control : 1));
  if (!Array.isArray(types) || types.length !== tokens.length || !types.every((type) => typeof type === 'number'))
    throw invalid(origin, 'its token types do not fit its tokens');
  return types;
}

function tokenizerJson(tokens: string[], types: number[], merges: string[], ignoreMerges: boolean): Record<string, unknown> {
  // Without a prototype: a token may be spelled __proto__.
  const vocab = Object.create(null) as Record<string, number>;
  const added: object[] = [];
  for (const [id, token] of tokens.entries()) {
    const type = types[id];
    if (type === tokenTypes.unknown || type === tokenTypes.unused) continue;
    if (type === tokenTypes.control || type === tokenTypes.userDefined) {
      if (token !== '')
        added.push({
          id,
          content: token,
          special: type === tokenTypes.control,
          single_word: false,
          lstrip: false,
          rstrip: false,
          normalized: false,
        });
    } else {
      vocab[token] = id;
    }
  }
  return {
    version: '1.0',
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: llama3Words }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
      vocab,
      merges,
    },
  };
}

/**
 * What ends an answer. A model that ends its turns also ends at what ends a message or a text; that it does, a template that is
 * of no use here tells, too.
 */
function endTokens(metadata: ReadonlyMap<string, GgufValue>, tokens: string[]): number[] {
  const ends = new Set<number>();
  for (const key of ['eos_token_ids', 'eos_token_id', 'eot_token_id', 'eom_token_id']) {
    for (const id of [metadata.get(`tokenizer.ggml.${key}`)].flat()) if (typeof id === 'number') ends.add(id);
  }
  const template = metadata.get('tokenizer.chat_template');
  if (ends.has(tokens.indexOf('<|eot_id|>')) || (typeof template === 'string' && template.includes('<|eot_id|>'))) {
    for (const name of llamaEnds) if (tokens.includes(name)) ends.add(tokens.indexOf(name));
  }
  return [...ends];
}

/** generation_config.json's name of each entry that advises how to sample. */
export const samplingEntries = {
  'general.sampling.temp': 'temperature',
  'general.sampling.top_k': 'top_k',
  'general.sampling.top_p': 'top_p',
  'general.sampling.min_p': 'min_p',
  'general.sampling.penalty_repeat': 'repetition_penalty',
} as const;

/** As generation_config.json says it; empty where the file gives no advice. */
function advisedSampling(metadata: ReadonlyMap<string, GgufValue>): Record<string, GgufValue> {
  const found = Object.entries(samplingEntries).flatMap(([key, name]) => {
    const value = metadata.get(key);
    // Stored as float32: 0.6 comes back as 0.60000002.
    return typeof value === 'number' ? [[name, Number(value.toPrecision(6))] as const] : [];
  });
  return found.length > 0 ? { do_sample: true, ...Object.fromEntries(found) } : {};
}

/** A vision model's template must know pictures; where it does not, Meta's documented format serves. */
function chatTemplate(metadata: ReadonlyMap<string, GgufValue>): string | null {
  const template = metadata.get('tokenizer.chat_template');
  if (typeof template !== 'string') return null;
  return metadata.get('general.architecture') === 'mllama' && !template.includes('<|image|>') ? null : template;
}
