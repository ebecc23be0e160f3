/** Shape of a model -> parameters and bytes of its parts. Pure. */

export interface TextShape {
  hidden: number;
  /** Of both kinds. */
  layers: number;
  crossLayers: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  feedForward: number;
  vocabulary: number;
  /** The output layer is the embedding again. */
  tied: boolean;
}

export interface VisionShape {
  hidden: number;
  layers: number;
  globalLayers: number;
  feedForward: number;
  patch: number;
  imageSize: number;
  maxTiles: number;
  aspectRatios: number;
  intermediates: number;
}

export interface Architecture {
  text: TextShape;
  vision: VisionShape | null;
}

export const quantisations = ['bf16', 'q8_0', 'q4_k_m'] as const;
export type Quantisation = (typeof quantisations)[number];

/** Bytes a parameter, scales included: blocks of 32 (Q8_0) and 256 (Q4_K, Q6_K). */
const q8 = 34 / 32;
const q4k = 144 / 256;
const q6k = 210 / 256;

/** How many bytes a parameter takes, by what it is part of. Norms, biases and gates stay float32 beside quantised weights. */
const bytesPerParameter: Record<
  Quantisation,
  { matrix: number; precise: number; embedding: number; output: number; vision: number; small: number }
> = {
  bf16: { matrix: 2, precise: 2, embedding: 2, output: 2, vision: 2, small: 2 },
  q8_0: { matrix: q8, precise: q8, embedding: q8, output: q8, vision: 2, small: 4 },
  // The usual mix: value and down projections of half the layers, and the output, in Q6_K.
  q4_k_m: { matrix: q4k, precise: (q4k + q6k) / 2, embedding: q4k, output: q6k, vision: 2, small: 4 },
};

interface Part {
  /** Query, key, output, gate and up projections. */
  matrix?: number;
  /** Value and down projections. */
  precise?: number;
  embedding?: number;
  output?: number;
  vision?: number;
  /** Norms, biases, gates. */
  small?: number;
}

/** Parameters of one part of each kind. */
export function parts({ text, vision }: Architecture): { embedding: Part; output: Part; selfLayer: Part; crossLayer: Part; vision: Part } {
  const { hidden, heads, kvHeads, headSize, feedForward, vocabulary, tied } = text;
  const query = hidden * heads * headSize;
  const keyOrValue = hidden * kvHeads * headSize;
  const matrix = 2 * query + keyOrValue + 2 * hidden * feedForward;
  const precise = keyOrValue + hidden * feedForward;
  // The picture's own tokens stand after the vocabulary.
  const rows = vocabulary + (vision ? 8 : 0);
  return {
    embedding: { embedding: rows * hidden },
    output: { small: hidden, ...(tied ? {} : { output: vocabulary * hidden }) },
    selfLayer: { matrix, precise, small: 2 * hidden },
    crossLayer: { matrix, precise, small: 2 * hidden + 2 * headSize + 2 },
    vision: vision ? visionPart(vision, hidden) : {},
  };
}

function visionPart(vision: VisionShape, textHidden: number): Part {
  const { hidden, layers, globalLayers, feedForward, patch, maxTiles, aspectRatios, intermediates } = vision;
  const tokens = tokensPerTile(vision);
  const features = hidden * (intermediates + 1);
  const tileEmbedding = (aspectRatios + 1) * maxTiles * hidden;
  const matrices =
    (layers + globalLayers) * (4 * hidden * hidden + 2 * hidden * feedForward) +
    hidden * 3 * patch * patch +
    tokens * hidden +
    (aspectRatios + 1) * maxTiles * tokens * hidden +
    features * textHidden;
  const small =
    (layers + globalLayers) * (4 * hidden + feedForward + hidden) +
    globalLayers * 2 +
    // Class token, two tile embeddings, their gates and the position's, norms before and after, the projector's bias.
    hidden +
    2 * tileEmbedding +
    3 +
    4 * hidden +
    textHidden;
  return { vision: matrices, small };
}

/** Patches and the class token. */
export function tokensPerTile({ imageSize, patch }: VisionShape): number {
  return (imageSize / patch) ** 2 + 1;
}

export function parameterCount(architecture: Architecture): number {
  const { embedding, output, selfLayer, crossLayer, vision } = parts(architecture);
  const { layers, crossLayers } = architecture.text;
  const count = (part: Part): number => Object.values(part).reduce((sum, number) => sum + number, 0);
  return count(embedding) + count(output) + (layers - crossLayers) * count(selfLayer) + crossLayers * count(crossLayer) + count(vision);
}

export interface WeightBytes {
  embedding: number;
  /** With the last norm. Zero but for that where the embedding serves as output. */
  output: number;
  selfLayer: number;
  crossLayer: number;
  vision: number;
  total: number;
}

export function weightBytes(architecture: Architecture, quantisation: Quantisation): WeightBytes {
  const per = bytesPerParameter[quantisation];
  const of = (part: Part): number => Object.entries(part).reduce((sum, [kind, count]) => sum + count * per[kind as keyof Part], 0);
  const { embedding, output, selfLayer, crossLayer, vision } = parts(architecture);
  const { layers, crossLayers } = architecture.text;
  const bytes = { embedding: of(embedding), output: of(output), selfLayer: of(selfLayer), crossLayer: of(crossLayer), vision: of(vision) };
  return {
    ...bytes,
    total: bytes.embedding + bytes.output + (layers - crossLayers) * bytes.selfLayer + crossLayers * bytes.crossLayer + bytes.vision,
  };
}

/** The same parts in the same proportions, `total` together. */
export function scaledTo(total: number, weights: WeightBytes): WeightBytes {
  const factor = total / weights.total;
  const { embedding, output, selfLayer, crossLayer, vision } = weights;
  return {
    embedding: embedding * factor,
    output: output * factor,
    selfLayer: selfLayer * factor,
    crossLayer: crossLayer * factor,
    vision: vision * factor,
    total,
  };
}

/** Of a key's or value's element, in bytes: 16 bits where matrix units take halves, else 32. */
type KvElement = 2 | 4;

/** Keys and values of earlier tokens. */
export function selfKvBytes({ text }: Architecture, tokens: number, element: KvElement): number {
  return (text.layers - text.crossLayers) * 2 * text.kvHeads * text.headSize * element * tokens;
}

/** Keys and values of a picture's tokens, all tiles. */
export function crossKvBytes({ text, vision }: Architecture, element: KvElement): number {
  return vision ? text.crossLayers * 2 * text.kvHeads * text.headSize * element * vision.maxTiles * tokensPerTile(vision) : 0;
}

/** Tokens of a prompt that are computed at once. */
const chunk = 512;

/**
 * Working memory of the larger of the two: a picture being encoded (the residual stream, the
 * intermediate states, and one layer's norm, queries, keys and values, float32, for matrix units keys
 * and values once more in float16; all tiles, rows padded to a multiple of 8) or a piece of the prompt being read.
 */
export function scratchBytes({ text, vision }: Architecture): number {
  const prompt = chunk * (2 * text.feedForward + 6 * text.hidden) * 4;
  if (!vision) return prompt;
  const rows = vision.maxTiles * Math.ceil(tokensPerTile(vision) / 8) * 8;
  const encoder = rows * vision.hidden * 4 * (vision.intermediates + 1 + 5);
  return Math.max(prompt, encoder);
}
