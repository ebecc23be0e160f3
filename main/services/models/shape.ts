/** What the files of a model say of its shape. Null where they leave out what sizes follow from. */
import * as v from 'valibot';
import type { Architecture } from './sizes.ts';

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

/** Of config.json. */
export function architectureOfConfig(config: Record<string, unknown>): Architecture | null {
  const text = v.safeParse(textConfig, config['text_config'] ?? config);
  const vision = config['vision_config'] === undefined ? null : v.safeParse(visionConfig, config['vision_config']);
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
  const [hidden, layers, heads, feedForward, vocabulary] = ['embedding_length', 'block_count', 'attention.head_count', 'feed_forward_length', 'vocab_size'].map(of);
  if (!hidden || !layers || !heads || !feedForward || !vocabulary) return null;
  const headSize = of('attention.key_length') ?? hidden / heads;
  return { text: { hidden, layers, crossLayers: 0, heads, kvHeads: of('attention.head_count_kv') ?? heads, headSize, feedForward, vocabulary, tied: false }, vision: null };
}
