/** Small checkpoints in the layout of every system of the catalogue: fixtures/systems/ with generated weights. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { llama3Words } from '../../../prompt/words.ts';

const fixtures = fileURLToPath(new URL('../../../../fixtures/', import.meta.url));

export interface System {
  /** In the catalogue. */
  id: string;
  seed: number;
  /** Of names and values, by name. */
  weights_crc32: number;
  /** Of the question, with the picture and without. */
  tokens: { text: number[]; picture?: number[] };
}

export const systemsFolder = join(fixtures, 'systems');
export const { question, picture, systems } = JSON.parse(readFileSync(join(systemsFolder, 'cases.json'), 'utf8')) as {
  question: string;
  picture: string;
  systems: System[];
};

export interface Config {
  model_type: 'mllama' | 'llama';
  [key: string]: unknown;
}

/** As its makers publish it. */
export function publishedConfig(id: string): Config {
  return JSON.parse(readFileSync(join(fixtures, 'configs', `${id}.json`), 'utf8')) as Config;
}

export function smallConfig(id: string): Config {
  return JSON.parse(readFileSync(join(systemsFolder, id, 'config.json'), 'utf8')) as Config;
}

interface TextConfig {
  vocab_size: number;
  hidden_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  intermediate_size: number;
  head_dim?: number;
  cross_attention_layers?: number[];
  tie_word_embeddings: boolean;
}

interface VisionConfig {
  hidden_size: number;
  num_hidden_layers: number;
  num_global_layers: number;
  intermediate_size: number;
  image_size: number;
  patch_size: number;
  max_num_tiles: number;
  intermediate_layers_indices: number[];
  supported_aspect_ratios: [height: number, width: number][];
}

type Shapes = Map<string, number[]>;

/** Every tensor of a checkpoint, by its published name. */
export function publishedTensors(config: Config): Shapes {
  const shapes: Shapes = new Map();
  if (config.model_type === 'llama') {
    addText(shapes, config as unknown as TextConfig, '', 0);
    return shapes;
  }
  const text = config['text_config'] as TextConfig;
  const vision = config['vision_config'] as VisionConfig;
  // Eight rows beyond the vocabulary, of which the first is the picture's.
  addText(shapes, text, 'language_model.', 8);
  addVision(shapes, vision);
  shapes.set('multi_modal_projector.weight', [text.hidden_size, vision.hidden_size * (1 + vision.intermediate_layers_indices.length)]);
  shapes.set('multi_modal_projector.bias', [text.hidden_size]);
  return shapes;
}

function addText(shapes: Shapes, text: TextConfig, prefix: string, moreRows: number): void {
  const { hidden_size: hidden, intermediate_size: inner, num_attention_heads: heads, num_key_value_heads: kvHeads } = text;
  const head = text.head_dim ?? hidden / heads;
  shapes.set(`${prefix}model.embed_tokens.weight`, [text.vocab_size + moreRows, hidden]);
  for (let layer = 0; layer < text.num_hidden_layers; layer++) {
    const at = `${prefix}model.layers.${layer}.`;
    const cross = text.cross_attention_layers?.includes(layer) ?? false;
    const attention = `${at}${cross ? 'cross_attn' : 'self_attn'}.`;
    shapes.set(`${at}input_layernorm.weight`, [hidden]).set(`${at}post_attention_layernorm.weight`, [hidden]);
    shapes.set(`${attention}q_proj.weight`, [heads * head, hidden]).set(`${attention}o_proj.weight`, [hidden, heads * head]);
    for (const name of ['k_proj', 'v_proj']) shapes.set(`${attention}${name}.weight`, [kvHeads * head, hidden]);
    for (const name of ['gate_proj', 'up_proj']) shapes.set(`${at}mlp.${name}.weight`, [inner, hidden]);
    shapes.set(`${at}mlp.down_proj.weight`, [hidden, inner]);
    if (cross) {
      for (const name of ['q_norm', 'k_norm']) shapes.set(`${attention}${name}.weight`, [head]);
      for (const name of ['cross_attn_attn_gate', 'cross_attn_mlp_gate']) shapes.set(`${at}${name}`, [1]);
    }
  }
  shapes.set(`${prefix}model.norm.weight`, [hidden]);
  if (!text.tie_word_embeddings) shapes.set(`${prefix}lm_head.weight`, [text.vocab_size, hidden]);
}

function addVision(shapes: Shapes, vision: VisionConfig): void {
  const { hidden_size: hidden, intermediate_size: inner, max_num_tiles: tiles } = vision;
  const patches = (vision.image_size / vision.patch_size) ** 2 + 1;
  const ratios = vision.supported_aspect_ratios.length + 1;
  const norm = (name: string): void => void shapes.set(`vision_model.${name}.weight`, [hidden]).set(`vision_model.${name}.bias`, [hidden]);
  shapes.set('vision_model.patch_embedding.weight', [hidden, 3, vision.patch_size, vision.patch_size]);
  shapes.set('vision_model.class_embedding', [hidden]);
  shapes.set('vision_model.gated_positional_embedding.embedding', [patches, hidden]);
  shapes.set('vision_model.gated_positional_embedding.gate', [1]);
  shapes.set('vision_model.gated_positional_embedding.tile_embedding.weight', [ratios, tiles * patches * hidden]);
  for (const side of ['pre', 'post']) {
    shapes.set(`vision_model.${side}_tile_positional_embedding.embedding.weight`, [ratios, tiles * hidden]);
    shapes.set(`vision_model.${side}_tile_positional_embedding.gate`, [1]);
  }
  norm('layernorm_pre');
  norm('layernorm_post');
  for (const [stack, layers] of [
    ['transformer', vision.num_hidden_layers],
    ['global_transformer', vision.num_global_layers],
  ] as const) {
    for (let layer = 0; layer < layers; layer++) {
      const at = `vision_model.${stack}.layers.${layer}.`;
      for (const name of ['q_proj', 'k_proj', 'v_proj', 'o_proj']) shapes.set(`${at}self_attn.${name}.weight`, [hidden, hidden]);
      shapes.set(`${at}mlp.fc1.weight`, [inner, hidden]).set(`${at}mlp.fc1.bias`, [inner]);
      shapes.set(`${at}mlp.fc2.weight`, [hidden, inner]).set(`${at}mlp.fc2.bias`, [hidden]);
      norm(`${stack}.layers.${layer}.input_layernorm`);
      norm(`${stack}.layers.${layer}.post_attention_layernorm`);
      if (stack === 'global_transformer') shapes.set(`${at}gate_attn`, [1]).set(`${at}gate_ffn`, [1]);
    }
  }
}

// --- weights, as fixtures/reference/README.md defines them

const golden = 0x9e3779b97f4a7c15n;
const mask = (1n << 64n) - 1n;

function seedOf(name: string, seed: number): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(name)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & mask;
  return hash ^ ((BigInt(seed) * golden) & mask);
}

function offsetAndAmplitude(name: string, shape: number[]): [offset: number, amplitude: number] {
  if (/(gate|gate_attn|gate_ffn)$/.test(name)) return [0.5, 0.25];
  if (name.split('.').at(-2)!.includes('norm') && name.endsWith('weight')) return [1, 0.1];
  if (name.endsWith('bias')) return [0, 0.02];
  if (/(embed_tokens\.weight|class_embedding)$/.test(name)) return [0, 1];
  if (name.includes('embedding') && !name.endsWith('patch_embedding.weight')) return [0, 0.5];
  return [0, Math.sqrt(3 / shape.slice(1).reduce((product, size) => product * size, 1))];
}

const count = (shape: number[]): number => shape.reduce((product, size) => product * size, 1);

/** bfloat16 bits. splitmix64 in 32-bit halves: BigInt would take minutes. */
function syntheticTensor(name: string, shape: number[], seed: number): Uint16Array<ArrayBuffer> {
  const [offset, amplitude] = offsetAndAmplitude(name, shape).map(Math.fround) as [number, number];
  const start = seedOf(name, seed);
  const values = new Uint16Array(count(shape));
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  let high = Number(start >> 32n) >>> 0;
  let low = Number(start & 0xffffffffn);
  for (let i = 0; i < values.length; i++) {
    low += 0x7f4a7c15;
    high = (high + 0x9e3779b9 + (low > 0xffffffff ? 1 : 0)) >>> 0;
    low = low >>> 0;
    let [h, l] = mixed(high, low, 30, 0xbf58476d, 0x1ce4e5b9);
    [h, l] = mixed(h, l, 27, 0x94d049bb, 0x133111eb);
    // The last xor, of which the top 24 bits are kept, needs the high half alone.
    const unit = ((h ^ (h >>> 31)) >>> 8) * 2 ** -24;
    float[0] = Math.fround(offset + Math.fround(amplitude * Math.fround(2 * unit - 1)));
    values[i] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) >>> 16;
  }
  return values;
}

/** (z xor z >> shift) * factor, modulo 2^64; shift below 32. */
function mixed(high: number, low: number, shift: number, factorHigh: number, factorLow: number): [high: number, low: number] {
  const h = high ^ (high >>> shift);
  const l = low ^ ((low >>> shift) | (high << (32 - shift)));
  const [a, b] = [(l >>> 16) & 0xffff, l & 0xffff];
  const [c, d] = [factorLow >>> 16, factorLow & 0xffff];
  const middle = a * d + ((b * d) >>> 16);
  const other = b * c + (middle & 0xffff);
  const carried = a * c + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000);
  return [(carried + Math.imul(h, factorLow) + Math.imul(l, factorHigh)) >>> 0, Math.imul(l, factorLow) >>> 0];
}

/** Published checkpoints hold zeros for tiles that an aspect ratio does not use, and for id 0. */
function zeroUnusedTiles(table: Uint16Array, { supported_aspect_ratios: ratios, max_num_tiles: tiles }: VisionConfig): void {
  const row = table.length / (ratios.length + 1);
  table.fill(0, 0, row);
  for (const [index, [height, width]] of ratios.entries())
    table.fill(0, (index + 1) * row + (height * width * row) / tiles, (index + 2) * row);
}

// --- files

/** Llama 3's special tokens as of 3.2; the others are reserved. */
const specialNames: Record<number, string> = {
  0: 'begin_of_text',
  1: 'end_of_text',
  4: 'finetune_right_pad_id',
  6: 'start_header_id',
  7: 'end_header_id',
  8: 'eom_id',
  9: 'eot_id',
  10: 'python_tag',
};

/** Each byte is a word; special tokens in their published order after them. */
function tokenizerJson(sees: boolean): object {
  const vocab: Record<string, number> = {};
  let more = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    vocab[String.fromCharCode(visible ? byte : more++)] = byte;
  }
  let reserved = 0;
  const names = Array.from({ length: 256 }, (_, index) => specialNames[index] ?? `reserved_special_token_${reserved++}`);
  if (sees) names.push('image');
  return {
    version: '1.0',
    added_tokens: names.map((name, index) => ({
      id: 256 + index,
      content: `<|${name}|>`,
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
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
      ignore_merges: true,
      vocab,
      merges: [],
    },
  };
}

function templateOf(id: string): 'vision' | 'text' | 'guard' | null {
  if (id.includes('guard')) return 'guard';
  if (!id.includes('instruct')) return null;
  return id.includes('vision') ? 'vision' : 'text';
}

/** Files of the language, where its makers put them. */
export function languageFiles(id: string, config: Config): Record<string, string> {
  const sees = config.model_type === 'mllama';
  const kind = templateOf(id);
  const template = kind && readFileSync(join(systemsFolder, 'templates', `${kind}.jinja`), 'utf8');
  const ends = (config['text_config'] as Config | undefined)?.['eos_token_id'] ?? config['eos_token_id'];
  const tokenizerConfig = {
    bos_token: '<|begin_of_text|>',
    eos_token: kind ? '<|eot_id|>' : '<|end_of_text|>',
    tokenizer_class: 'PreTrainedTokenizerFast',
    ...(!sees && template ? { chat_template: template } : {}),
  };
  return {
    'config.json': JSON.stringify(config),
    'generation_config.json': JSON.stringify({ bos_token_id: 256, do_sample: true, eos_token_id: ends, temperature: 0.6, top_p: 0.9 }),
    'tokenizer.json': JSON.stringify(tokenizerJson(sees)),
    'tokenizer_config.json': JSON.stringify(tokenizerConfig),
    ...(sees && template ? { 'chat_template.json': JSON.stringify({ chat_template: template }) } : {}),
    ...(sees ? { 'preprocessor_config.json': JSON.stringify(preprocessor(config['vision_config'] as VisionConfig)) } : {}),
  };
}

function preprocessor({ image_size: edge, max_num_tiles: tiles }: VisionConfig): object {
  return {
    do_convert_rgb: true,
    do_normalize: true,
    do_pad: true,
    do_rescale: true,
    do_resize: true,
    image_mean: [0.48145466, 0.4578275, 0.40821073],
    image_processor_type: 'MllamaImageProcessor',
    image_std: [0.26862954, 0.26130258, 0.27577711],
    max_image_tiles: tiles,
    resample: 2,
    rescale_factor: 1 / 255,
    size: { height: edge, width: edge },
  };
}

/** Returns the CRC-32 of names and values, by name. */
export function writeSystem(folder: string, { id, seed }: Pick<System, 'id' | 'seed'>, config = smallConfig(id)): number {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(languageFiles(id, config))) writeFileSync(join(folder, name), text);
  const tensors = [...publishedTensors(config)].sort(([a], [b]) => (a < b ? -1 : 1));
  const head: Record<string, object> = {};
  const parts: Buffer[] = [];
  let offset = 0;
  let crc = 0;
  for (const [name, shape] of tensors) {
    const values = syntheticTensor(name, shape, seed);
    if (/(tile_positional_embedding\.embedding|tile_embedding)\.weight$/.test(name))
      zeroUnusedTiles(values, config['vision_config'] as VisionConfig);
    const bytes = Buffer.from(values.buffer);
    head[name] = { dtype: 'BF16', shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    crc = crc32(bytes, crc32(name, crc));
    parts.push(bytes);
  }
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([length, json, ...parts]));
  return crc;
}
