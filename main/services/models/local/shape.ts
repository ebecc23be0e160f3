/** What the files of a model say of its shape. Null where they leave out what sizes follow from. */
import * as v from 'valibot';
import type { Architecture } from '../fit/sizes.ts';

const whole = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1e7));

const textConfig = v.object({
  hidden_size: whole,
  num_hidden_layers: whole,
  num_attention_heads: whole,
  num_key_value_heads: whole,
  head_dim: v.nullish(whole),
  intermediate_size: whole,
  vocab_size: whole,
  tie_word_embeddings: v.nullish(v.boolean()),
  cross_attention_layers: v.nullish(v.array(v.number())),
});

const visionConfig = v.object({
  hidden_size: whole,
  num_hidden_layers: whole,
  num_global_layers: whole,
  intermediate_size: whole,
  patch_size: whole,
  image_size: whole,
  max_num_tiles: whole,
  supported_aspect_ratios: v.array(v.unknown()),
  intermediate_layers_indices: v.array(v.unknown()),
});

/** What transformers' MllamaTextConfig and MllamaVisionConfig fill in: copies that it has saved leave out whatever equals these. */
const textDefaults = {
  vocab_size: 128_256,
  hidden_size: 4096,
  num_hidden_layers: 40,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  intermediate_size: 14_336,
  cross_attention_layers: [3, 8, 13, 18, 23, 28, 33, 38],
};
const visionDefaults = {
  hidden_size: 1280,
  num_hidden_layers: 32,
  num_global_layers: 8,
  intermediate_size: 5120,
  image_size: 448,
  patch_size: 14,
  max_num_tiles: 4,
  supported_aspect_ratios: [
    [1, 1],
    [1, 2],
    [1, 3],
    [1, 4],
    [2, 1],
    [2, 2],
    [3, 1],
    [4, 1],
  ],
  intermediate_layers_indices: [3, 7, 15, 23, 30],
};

type Section = Record<string, unknown>;

/** The parts of config.json with what they leave out; `vision` is null for text models. */
export function sectionsOf(config: Section): { text: Section; vision: Section | null } {
  const whole = (key: string, defaults: Section): Section | undefined => {
    const given = config[key] as Section | undefined;
    return config['model_type'] === 'mllama' && typeof given === 'object' ? { ...defaults, ...given } : given;
  };
  return { text: whole('text_config', textDefaults) ?? config, vision: whole('vision_config', visionDefaults) ?? null };
}

/** Of config.json. */
export function architectureOfConfig(config: Section): Architecture | null {
  const sections = sectionsOf(config);
  const text = v.safeParse(textConfig, sections.text);
  const vision = sections.vision && v.safeParse(visionConfig, sections.vision);
  if (!text.success || vision?.success === false) return null;
  const { hidden_size: hidden, num_attention_heads: heads, ...rest } = text.output;
  return {
    text: {
      hidden,
      layers: rest.num_hidden_layers,
      crossLayers: rest.cross_attention_layers?.length ?? 0,
      heads,
      kvHeads: rest.num_key_value_heads,
      headSize: rest.head_dim ?? hidden / heads,
      feedForward: rest.intermediate_size,
      vocabulary: rest.vocab_size,
      tied: rest.tie_word_embeddings ?? config['tie_word_embeddings'] === true,
    },
    vision: vision && {
      hidden: vision.output.hidden_size,
      layers: vision.output.num_hidden_layers,
      globalLayers: vision.output.num_global_layers,
      feedForward: vision.output.intermediate_size,
      patch: vision.output.patch_size,
      imageSize: vision.output.image_size,
      maxTiles: vision.output.max_num_tiles,
      aspectRatios: vision.output.supported_aspect_ratios.length,
      intermediates: vision.output.intermediate_layers_indices.length,
    },
  };
}

/** Of the metadata of text models; vision models leave their shape to lists that are not read here. */
export function architectureOfGguf(files: readonly ReadonlyMap<string, string | number | boolean>[]): Architecture | null {
  const [metadata] = files;
  if (metadata?.get('general.architecture') !== 'llama') return null;
  const of = (key: string): number | null => {
    const value = metadata.get(`llama.${key}`);
    return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : null;
  };
  const [hidden, layers, heads, feedForward, vocabulary] = [
    'embedding_length',
    'block_count',
    'attention.head_count',
    'feed_forward_length',
    'vocab_size',
  ].map(of);
  if (!hidden || !layers || !heads || !feedForward || !vocabulary) return null;
  const headSize = of('attention.key_length') ?? hidden / heads;
  return {
    text: {
      hidden,
      layers,
      crossLayers: 0,
      heads,
      kvHeads: of('attention.head_count_kv') ?? heads,
      headSize,
      feedForward,
      vocabulary,
      tied: false,
    },
    vision: null,
  };
}
