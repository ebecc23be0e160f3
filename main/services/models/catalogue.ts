/** The models that Loupe knows by name: what they are for, where they are published, how large they are. */
import * as v from 'valibot';
import published from '../../../resources/models/catalogue.json' with { type: 'json' };
import { LoupeError } from '../../errors.ts';
import type { Architecture } from './fit/sizes.ts';

const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const positive = v.pipe(v.number(), v.integer(), v.minValue(1));
const repository = v.pipe(v.string(), v.regex(/^\w[\w.-]*\/\w[\w.-]*$/));

export const licenceIds = ['llama3.1', 'llama3.2', 'llama3.3'] as const;
export type LicenceId = (typeof licenceIds)[number];

const textShape = v.strictObject({
  hidden: positive,
  /** Of both kinds. */
  layers: positive,
  crossLayers: whole,
  heads: positive,
  kvHeads: positive,
  headSize: positive,
  feedForward: positive,
  vocabulary: positive,
  /** The output layer is the embedding again. */
  tied: v.boolean(),
});

const visionShape = v.strictObject({
  hidden: positive,
  layers: positive,
  globalLayers: positive,
  feedForward: positive,
  patch: positive,
  imageSize: positive,
  maxTiles: positive,
  aspectRatios: positive,
  /** States of earlier layers that stand beside the last one. */
  intermediates: whole,
});

const entry = v.strictObject({
  id: v.string(),
  name: v.string(),
  kind: v.picklist(['vision', 'text', 'guard']),
  /** What its prompts are: a conversation, a text to continue, a question of safety. */
  use: v.picklist(['chat', 'complete', 'guard']),
  purpose: v.string(),
  licence: v.picklist(licenceIds),
  /** Tokens. */
  context: positive,
  text: v.string(),
  vision: v.nullable(v.string()),
  /** All tensors as published, without file headers. */
  weightBytes: positive,
  /** Weight files as published. */
  shards: positive,
  /** Gated: its makers want an account that has agreed to the licence. */
  repository,
  /** Open copies of the same files. */
  mirrors: v.array(repository),
  /**
   * Where it is one of Ollama's library, `repository`, ready to use: its tag there, the form of its weights, and its folder here.
   * `weightBytes` is then the size of all its files.
   */
  library: v.optional(v.strictObject({ tag: v.string(), form: v.picklist(['q4_k_m']), folder: v.string() })),
});

const schema = v.strictObject({
  checked: v.string(),
  sources: v.array(v.string()),
  vision: v.record(v.string(), visionShape),
  text: v.record(v.string(), textShape),
  models: v.array(entry),
});

export interface CatalogueModel extends Omit<v.InferOutput<typeof entry>, 'text' | 'vision'> {
  architecture: Architecture;
}

let models: readonly CatalogueModel[] | undefined;

/** In the order in which they are offered. */
export function catalogue(): readonly CatalogueModel[] {
  models ??= parseCatalogue(published);
  return models;
}

/** Throws `not_found`. */
export function catalogueModel(id: string): CatalogueModel {
  const found = catalogue().find((model) => model.id === id);
  if (!found)
    throw new LoupeError(
      'not_found',
      `There is no model "${id}" in the catalogue.`,
      `Known: ${catalogue()
        .map((model) => model.id)
        .join(', ')}.`,
    );
  return found;
}

/** Throws what the schema or a name in it lacks. */
export function parseCatalogue(value: unknown): CatalogueModel[] {
  const { models, text: texts, vision: visions } = v.parse(schema, value);
  return models.map(({ text, vision, ...model }) => {
    const textShape = texts[text];
    const visionShape = vision === null ? null : visions[vision];
    if (!textShape || visionShape === undefined)
      throw new Error(`${model.id} names a shape that the catalogue lacks (${text}, ${vision}).`);
    return { ...model, architecture: { text: textShape, vision: visionShape } };
  });
}
