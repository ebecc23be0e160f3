/**
 * Messages between the app and the engine's process: plain data that a structured clone
 * carries, parsed on receipt at both ends.
 *
 * Each request has an id and is answered by exactly one `done` or `error` of that id, after
 * any number of `progress`, `stage` and `token`. `cancel` and `exit` have no answer of their own. As long as there are
 * requests, a `beat` says at regular intervals where they are.
 */
import * as v from 'valibot';
import { errorCodes, LoupeError } from '../errors.ts';
import type {
  GenerateReply,
  LoadedModel,
  MemoryUse,
  QuantiseReply,
  Score,
  SelfTestReply,
  TraceReply,
  WeighReply,
} from '../services/ports.ts';
import type { DeviceInfo, ModelFacts } from '../native-surface.ts';
import { workStages } from './watch.ts';

const id = v.pipe(v.number(), v.integer(), v.minValue(1));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, 'not a Uint8Array');
const tokens = v.custom<Int32Array>((value) => value instanceof Int32Array, 'not an Int32Array');
const size = v.object({ width: count, height: count });

const imageSource = v.union([v.strictObject({ path: v.string() }), v.strictObject({ bytes, name: v.string() })]);

const engineSettings = v.strictObject({
  device: v.optional(v.string()),
  cacheDirectory: v.optional(v.string()),
  activations: v.optional(v.picklist(['auto', 'f32', 'f16'])),
  memoryBudgetBytes: v.optional(count),
  validation: v.optional(v.boolean()),
});

const samplingFields = {
  temperature: v.pipe(v.number(), v.minValue(0)),
  topK: count,
  topP: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  minP: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  repetitionPenalty: v.pipe(v.number(), v.gtValue(0)),
  seed: count,
};

const message = v.strictObject({
  role: v.picklist(['system', 'user', 'assistant']),
  content: v.array(
    v.variant('type', [
      v.strictObject({ type: v.literal('text'), text: v.string() }),
      v.strictObject({ type: v.literal('image'), image: imageSource }),
    ]),
  ),
});

const messages = v.pipe(v.array(message), v.minLength(1));

const { seed: _, ...adviceFields } = samplingFields;
const ggufPlace = {
  gguf: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(1000)),
  advice: v.optional(v.partial(v.strictObject(adviceFields))),
  stops: v.optional(v.array(v.string())),
};
const weighFields = { contextLength: v.optional(count), engine: engineSettings };
const loadFields = { ...weighFields, hostLayers: v.optional(v.array(count)), embeddingOnHost: v.optional(v.boolean()) };

const requestSchema = v.variant('type', [
  v.strictObject({ type: v.literal('devices'), id }),
  v.strictObject({ type: v.literal('inspect'), id, directory: v.string() }),
  v.strictObject({ type: v.literal('inspect'), id, ...ggufPlace }),
  v.strictObject({ type: v.literal('weigh'), id, directory: v.string(), ...weighFields }),
  v.strictObject({ type: v.literal('weigh'), id, ...ggufPlace, ...weighFields }),
  v.strictObject({ type: v.literal('load'), id, directory: v.string(), ...loadFields }),
  v.strictObject({ type: v.literal('load'), id, ...ggufPlace, ...loadFields }),
  v.strictObject({
    type: v.literal('generate'),
    id,
    messages,
    answerSoFar: v.optional(v.string()),
    maxTokens: count,
    sampling: v.optional(v.partial(v.strictObject(samplingFields))),
  }),
  v.strictObject({ type: v.literal('count-tokens'), id, messages, answerSoFar: v.optional(v.string()) }),
  v.strictObject({
    type: v.literal('score'),
    id,
    messages: v.nullable(messages),
    texts: v.array(v.pipe(v.string(), v.minLength(1))),
    beginnings: v.optional(v.boolean()),
  }),
  v.strictObject({ type: v.literal('trace'), id, tokens, images: v.array(imageSource), continueFor: count }),
  v.strictObject({
    type: v.literal('quantise'),
    id,
    directory: v.string(),
    target: v.string(),
    text: v.picklist(['q4_k_m', 'q8_0']),
    vision: v.picklist(['f16', 'q8_0']),
    threads: v.optional(count),
  }),
  v.strictObject({ type: v.literal('self-test'), id, engine: engineSettings }),
  v.strictObject({ type: v.literal('memory'), id }),
  v.strictObject({ type: v.literal('cancel'), id }),
  v.strictObject({ type: v.literal('exit') }),
]);

const failure = v.strictObject({
  ok: v.literal(false),
  code: v.picklist(errorCodes),
  message: v.string(),
  nextStep: v.string(),
});

const eventSchema = v.variant('type', [
  v.strictObject({ type: v.literal('ready') }),
  v.strictObject({ type: v.literal('progress'), id, doneBytes: count, totalBytes: count }),
  v.strictObject({ type: v.literal('stage'), id, stage: v.picklist(['encode', 'prefill', 'decode']), done: count, total: count }),
  v.strictObject({ type: v.literal('token'), id, text: v.string() }),
  /** `waiting`: for a device that does not answer. */
  v.strictObject({
    type: v.literal('beat'),
    waiting: v.boolean(),
    work: v.array(v.strictObject({ id, stage: v.picklist(workStages), steps: count })),
  }),
  v.strictObject({ type: v.literal('done'), id, result: v.unknown() }),
  /** `id` is null when the request could not be read. */
  v.strictObject({ type: v.literal('error'), id: v.nullable(id), failure }),
]);

export type Request = v.InferOutput<typeof requestSchema>;
export type Event = v.InferOutput<typeof eventSchema>;

/** What `done` carries, by the kind of request. */
export interface Results {
  devices: DeviceInfo[];
  inspect: ModelFacts;
  weigh: WeighReply;
  load: LoadedModel;
  generate: GenerateReply;
  'count-tokens': number;
  score: Score[];
  trace: TraceReply;
  quantise: QuantiseReply;
  'self-test': SelfTestReply;
  memory: MemoryUse;
}

export type RequestKind = keyof Results;
export type RequestOf<Kind extends RequestKind> = Extract<Request, { type: Kind }>;

const statistics = v.object({
  promptTokens: count,
  reusedTokens: count,
  generatedTokens: count,
  imagesEncoded: count,
  imagesCached: count,
  prepareMs: v.number(),
  encodeMs: v.number(),
  prefillMs: v.number(),
  firstTokenMs: v.number(),
  decodeMs: v.number(),
});

/** Answers are stored and shown, so they are read in full; native reports only by their outline. */
const resultSchemas = {
  devices: v.array(v.looseObject({ index: count, name: v.string(), suitable: v.boolean() })),
  inspect: v.object({
    architecture: v.picklist(['mllama', 'llama']),
    precision: v.string(),
    files: v.array(v.string()),
    fileBytes: count,
    deviceBytes: count,
  }),
  weigh: v.object({
    layers: v.array(v.object({ cross: v.boolean(), bytes: count })),
    embeddingBytes: count,
    outputBytes: count,
    visionBytes: count,
    contextLength: count,
    selfKvBytesPerToken: count,
    crossKvBytes: count,
    scratchBytes: count,
    deviceBudgetBytes: count,
    hostBudgetBytes: count,
    hostIsApart: v.boolean(),
    device: v.looseObject({ name: v.string() }),
  }),
  load: v.looseObject({
    model: v.looseObject({ contextLength: count }),
    device: v.looseObject({ name: v.string() }),
    paths: v.record(v.string(), v.string()),
  }),
  generate: v.object({
    text: v.string(),
    tokens,
    finish: v.picklist(['stop', 'length', 'context', 'cancelled']),
    statistics,
    sampling: v.object(samplingFields),
    images: v.array(v.object({ hash: v.string(), width: count, height: count, resized: size, canvas: size, arrangement: size })),
  }),
  'count-tokens': count,
  score: v.array(v.object({ logProbabilities: v.instance(Float32Array), best: v.instance(Float32Array) })),
  trace: v.looseObject({ logits: v.instance(Float32Array), greedyTokens: tokens, aspectRatioIds: tokens, numTiles: tokens }),
  quantise: v.looseObject({
    bytes: count,
    resumed: v.boolean(),
    classes: v.array(
      v.looseObject({ name: v.string(), types: v.string(), tensors: count, elements: count, bytes: count, relativeError: v.number() }),
    ),
    hostPeakBytes: count,
  }),
  'self-test': v.looseObject({
    device: v.looseObject({ name: v.string() }),
    items: v.array(v.object({ name: v.string(), ok: v.boolean(), detail: v.string() })),
  }),
  memory: v.looseObject({ deviceBytes: v.number(), hostPeakBytes: count, validationErrors: v.number() }),
} satisfies Record<RequestKind, unknown>;

export function parseRequest(value: unknown): Request {
  return parse(requestSchema, value, 'The engine received a message that it does not know');
}

export function parseEvent(value: unknown): Event {
  return parse(eventSchema, value, 'The engine sent a message that is not known');
}

export function parseResult<Kind extends RequestKind>(kind: Kind, value: unknown): Results[Kind] {
  return parse(resultSchemas[kind], value, `The engine answered ${kind} in an unknown form`) as unknown as Results[Kind];
}

function parse<Schema extends v.GenericSchema>(schema: Schema, value: unknown, complaint: string): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw new LoupeError('protocol', `${complaint} (${path ? `${path}: ` : ''}${issue.message}).`);
}
