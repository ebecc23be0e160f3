/**
 * Every request from the app to the engine's process, once: what it takes, what it returns, what it reports meanwhile. Both
 * ends, the Engine port and their types are derived from this table. Messages are plain data that a structured clone carries,
 * parsed on receipt at both ends.
 *
 * Each request has an id and is answered by exactly one `done` or `error` of that id, after any number of `progress`, `stage`
 * and `token`. `cancel`, `writes` (before the first request: in which folders the process goes on writing) and `exit` have no answer of
 * their own. While there are requests, a `beat` says at regular intervals
 * where they are.
 */
import * as v from 'valibot';
import { errorCodes, LoupeError } from './errors.ts';
import type { DeviceInfo, KernelTime, MemoryReport, ModelInfo, QuantiseReport, SelfTestItem, TraceResult } from './native-surface.ts';

/** What an answer goes through on the device. */
const answerStages = ['encode', 'prefill', 'decode'] as const;

/** Where a request is. `sent`: the process has not said that it has begun. */
export const workStages = [
  'sent',
  'devices',
  'open',
  'language',
  'estimate',
  'load',
  'prompt',
  ...answerStages,
  'score',
  'trace',
  'self-test',
  'kernels',
  'quantise',
] as const;
export type WorkStage = (typeof workStages)[number];

const id = v.pipe(v.number(), v.integer(), v.minValue(1));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const size = v.object({ width: count, height: count });
const bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, 'not a Uint8Array');
const tokens = v.custom<Int32Array>((value) => value instanceof Int32Array, 'not an Int32Array');
const floats = v.custom<Float32Array>((value) => value instanceof Float32Array, 'not a Float32Array');

/** A report of the addon: its type is the one in native-surface.ts, and what arrives is checked by its outline. */
function reported<Report>(outline: v.GenericSchema): v.GenericSchema<unknown, Report> {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const result = v.safeParse(outline, dataset.value);
      if (result.success) return result.output as Report;
      const [issue] = result.issues;
      const path = v.getDotPath(issue);
      addIssue({ message: path ? `${path}: ${issue.message}` : issue.message });
      return NEVER;
    }),
  );
}

const device = reported<DeviceInfo>(v.looseObject({ index: count, name: v.string(), suitable: v.boolean() }));
const memory = { deviceBytes: v.number(), validationErrors: v.number() };

const imageSource = v.union([v.strictObject({ path: v.string() }), v.strictObject({ bytes, name: v.string() })]);
/** A picture file on this machine, or its bytes with the name that messages use. */
export type ImageSource = v.InferOutput<typeof imageSource>;

/** A picture as the picture process prepares it for a model: what the addon asks for, and what the model will see of it. */
export const preparedPicture = v.strictObject({
  hash: v.string(),
  tiles: bytes,
  numTiles: count,
  aspectRatioId: count,
  width: count,
  height: count,
  layout: v.object({ aspectRatioId: count, numTiles: count, resized: size, canvas: size, arrangement: size }),
});
export type PreparedPicture = v.InferOutput<typeof preparedPicture>;

/** Callers name the file; the client replaces it by its tiles, so that the engine's process never decodes a picture. */
const image = v.union([preparedPicture, imageSource]);

const kernelValues = v.record(v.string(), count);
/** What was chosen where several kernels are right for a device. */
export type KernelValues = v.InferOutput<typeof kernelValues>;

const engineSettings = v.strictObject({
  device: v.optional(v.string()),
  cacheDirectory: v.optional(v.string()),
  activations: v.optional(v.picklist(['auto', 'f32', 'f16'])),
  memoryBudgetBytes: v.optional(count),
  validation: v.optional(v.boolean()),
  /** As `kernels` found them. Absent: as the table of devices says. */
  kernels: v.optional(kernelValues),
});
/** Everything that a caller decides about the engine; its process finds the shaders itself. */
export type EngineSettings = v.InferOutput<typeof engineSettings>;

const adviceFields = {
  temperature: v.pipe(v.number(), v.minValue(0)),
  topK: count,
  topP: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  minP: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  repetitionPenalty: v.pipe(v.number(), v.gtValue(0)),
};
const samplingFields = { ...adviceFields, seed: count };
const samplingAdvice = v.partial(v.strictObject(adviceFields));
/** How to sample, where the caller does not say; the seed is left to chance. */
export type SamplingAdvice = v.InferOutput<typeof samplingAdvice>;

const message = v.strictObject({
  role: v.picklist(['system', 'user', 'assistant']),
  content: v.array(
    v.variant('type', [v.strictObject({ type: v.literal('text'), text: v.string() }), v.strictObject({ type: v.literal('image'), image })]),
  ),
});
const messages = v.pipe(v.array(message), v.minLength(1));
export type ChatMessage = v.InferOutput<typeof message>;
export type ChatPart = ChatMessage['content'][number];
export type Role = ChatMessage['role'];

const folderPlace = { directory: v.string() };
const ggufPlace = {
  gguf: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(1000)),
  advice: v.optional(samplingAdvice),
  stops: v.optional(v.array(v.string())),
};
/** Fields beside the place of a model. */
function atPlace<Fields extends v.ObjectEntries>(fields: Fields) {
  return v.union([v.strictObject({ ...folderPlace, ...fields }), v.strictObject({ ...ggufPlace, ...fields })]);
}
const modelPlace = atPlace({});
/**
 * Where a model lies: a folder in the published layout, or GGUF files (one, a text file and its projector, or all parts),
 * with the advice of whoever keeps them and what else ends an answer, as they spell it.
 */
export type ModelPlace = v.InferOutput<typeof modelPlace>;

/** `contextLength` in tokens. */
const estimateFields = { contextLength: v.optional(count), engine: engineSettings };
const promptFields = {
  messages,
  /** The answer begins with these words, which are not sent again: how an interrupted answer continues. */
  answerSoFar: v.optional(v.string()),
};

const turnStatistics = v.object({
  promptTokens: count,
  reusedTokens: count,
  generatedTokens: count,
  /** Tokens that were checked before they were said, and those of them that the model then said. */
  proposedTokens: count,
  acceptedTokens: count,
  imagesEncoded: count,
  imagesCached: count,
  /** Reading and tiling the pictures, and tokenising. Part of firstTokenMs. */
  prepareMs: v.number(),
  encodeMs: v.number(),
  prefillMs: v.number(),
  /** From the request to the first token. */
  firstTokenMs: v.number(),
  decodeMs: v.number(),
});
/** One turn, from the request to its last token. */
export type TurnStatistics = v.InferOutput<typeof turnStatistics>;

/** What the model saw of a picture, in pixels; `arrangement` in tiles. */
const imageSeen = v.object({ hash: v.string(), width: count, height: count, resized: size, canvas: size, arrangement: size });
export type ImageSeen = v.InferOutput<typeof imageSeen>;

/** Of one text: for each of its tokens a natural logarithm. NaN where the model computed no number. */
const score = v.object({
  logProbabilities: floats,
  /** Of the token that the model finds likeliest in that place. */
  best: floats,
});

/**
 * The most that the engine's process held at once, pages of mapped files included. Software Vulkan keeps the device's memory
 * there, too.
 */
interface HostPeak {
  hostPeakBytes: number;
}

interface RequestDefinition {
  body: v.GenericSchema;
  result: v.GenericSchema;
  /** Which reports come before the answer. */
  reports?: 'progress' | 'text';
  /**
   * What it means for the loaded model. `used`: needs it, so that it is loaded again after a restart. `set`: loads another.
   * `given-up`: may take its place on the device; it does not come back by itself. `unloaded`: likewise, and it comes back
   * when it is used. `kept`: nothing.
   */
  model: 'used' | 'set' | 'given-up' | 'unloaded' | 'kept';
  /** False: runs beside other requests, and nobody waits for it once it is cancelled. */
  takesTurn: boolean;
  /** The stages that a request with this result has gone through. */
  stages: readonly WorkStage[] | ((result: unknown) => readonly WorkStage[]);
}

/** The body of a request that takes none. */
const nothing = v.null();

export const requests = {
  devices: { body: nothing, result: v.array(device), model: 'kept', takesTurn: false, stages: ['devices'] },

  /** Null where the process has given up what no driver needs (decision 52); otherwise why it has not. Linux on x64 and arm64. */
  confinement: { body: nothing, result: v.nullable(v.string()), model: 'kept', takesTurn: false, stages: ['sent'] },

  /** What the files are, if a load would take them; rejects with what it would reject with. Needs no device. */
  inspect: {
    body: modelPlace,
    result: v.object({
      architecture: v.picklist(['mllama', 'llama']),
      precision: v.string(),
      files: v.array(v.string()),
      fileBytes: count,
      deviceBytes: count,
    }),
    model: 'kept',
    takesTurn: false,
    stages: ['language'],
  },

  /** The memory that a load would take, and what there is. Bytes. */
  estimate: {
    body: atPlace(estimateFields),
    result: v.object({
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
      device,
    }),
    model: 'given-up',
    takesTurn: true,
    stages: ['open', 'estimate'],
  },

  /**
   * With a plan of `services/models/fit/placement.ts`, or without: the engine then fills the device first. An aborted load
   * rejects with `cancelled` and leaves no model loaded.
   */
  load: {
    body: atPlace({ ...estimateFields, hostLayers: v.optional(v.array(count)), embeddingOnHost: v.optional(v.boolean()) }),
    result: v.object({
      model: reported<ModelInfo>(v.looseObject({ contextLength: count })),
      device,
      paths: v.record(v.string(), v.string()),
      /** How conversations become prompts; null when the checkpoint has no tokenizer (it can only be traced). */
      promptFormat: v.nullable(v.picklist(['template', 'llama3', 'completion', 'guard'])),
    }),
    reports: 'progress',
    model: 'set',
    takesTurn: true,
    stages: ['open', 'load'],
  },

  /** `onText` gets whole characters, in order. An aborted request resolves with what it has and `finish: 'cancelled'`. */
  generate: {
    body: v.strictObject({
      ...promptFields,
      maxTokens: count,
      /** What is absent comes from the checkpoint's generation_config.json; `seed` from chance. */
      sampling: v.optional(v.partial(v.strictObject(samplingFields))),
    }),
    result: v.object({
      text: v.string(),
      tokens,
      finish: v.picklist(['stop', 'length', 'context', 'cancelled']),
      statistics: turnStatistics,
      sampling: v.object(samplingFields),
      images: v.array(imageSeen),
    }),
    reports: 'text',
    model: 'used',
    takesTurn: true,
    stages: (result: unknown) =>
      (result as { statistics?: Partial<TurnStatistics> } | null)?.statistics?.imagesEncoded ? answerStages : ['prefill', 'decode'],
  },

  /**
   * Tokens of the prompt that `generate` would read. With `prompts`: of the first that has at most `most` tokens, or of the
   * last where none has; each is shorter than the one before. `prompt` says which.
   */
  countTokens: {
    body: v.strictObject({
      ...promptFields,
      /** Of each prompt, which of `messages` it consists of. Absent: one prompt of them all. */
      prompts: v.optional(v.pipe(v.array(tokens), v.minLength(1))),
      most: v.optional(count),
    }),
    result: v.object({ prompt: count, tokens: count }),
    model: 'used',
    takesTurn: false,
    stages: ['prompt'],
  },

  /**
   * How likely does the model find these texts, each by itself, after all that is before them? Computed from an empty cache,
   * and leaves one: the next question is read from its first token.
   */
  score: {
    body: v.strictObject({
      /** Null: the texts stand at the beginning of everything. */
      messages: v.nullable(messages),
      texts: v.array(v.pipe(v.string(), v.minLength(1))),
      /** Only the first token of each: one run for all. */
      beginnings: v.optional(v.boolean()),
    }),
    result: v.array(score),
    model: 'used',
    takesTurn: true,
    stages: ['score'],
  },

  trace: {
    body: v.strictObject({ tokens, images: v.array(image), continueFor: count }),
    result: reported<TraceResult & { aspectRatioIds: Int32Array; numTiles: Int32Array }>(
      v.looseObject({ logits: floats, greedyTokens: tokens, aspectRatioIds: tokens, numTiles: tokens }),
    ),
    model: 'used',
    takesTurn: true,
    stages: ['trace'],
  },

  /**
   * Writes a GGUF file; an aborted one rejects with `cancelled`, and the same request resumes it. To be the first that an engine is asked:
   * afterwards its process can write nowhere but in its cache.
   */
  quantise: {
    body: v.strictObject({
      directory: v.string(),
      target: v.string(),
      text: v.picklist(['q4_k_m', 'q8_0']),
      vision: v.picklist(['f16', 'q8_0']),
      threads: v.optional(count),
    }),
    result: reported<QuantiseReport & HostPeak>(
      v.looseObject({
        bytes: count,
        resumed: v.boolean(),
        classes: v.array(
          v.looseObject({ name: v.string(), types: v.string(), tensors: count, elements: count, bytes: count, relativeError: v.number() }),
        ),
        hostPeakBytes: count,
      }),
    ),
    reports: 'progress',
    model: 'kept',
    takesTurn: true,
    stages: ['quantise'],
  },

  /** How fast is the loaded model? One answer to a prompt without meaning, which nothing ends before `maxTokens`. */
  measure: {
    body: v.strictObject({
      /** Of the prompt. Another `seed` is another prompt from its first token on. */
      tokens: v.pipe(count, v.minValue(1)),
      seed: count,
      /** One in front of the prompt, of as many tiles. Another `seed` is another picture. */
      picture: v.optional(v.strictObject({ tiles: v.pipe(count, v.minValue(1)), seed: count })),
      maxTokens: count,
      /** Absent: as the checkpoint says. */
      sampling: v.optional(v.strictObject(samplingFields)),
    }),
    result: v.object({
      statistics: v.omit(turnStatistics, ['prepareMs']),
      token: v.object({ dispatches: v.number(), barriers: v.number(), submissions: v.number(), hostUs: v.number() }),
      sampling: v.object(samplingFields),
    }),
    model: 'used',
    takesTurn: true,
    stages: (result: unknown) =>
      (result as { statistics?: Partial<TurnStatistics> } | null)?.statistics?.imagesEncoded ? answerStages : ['prefill', 'decode'],
  },

  /** Bytes a second that copies within the device's memory move: what kernels are compared with. */
  copyBandwidth: {
    body: v.strictObject({ engine: engineSettings }),
    result: v.object({ device, bytesPerSecond: v.number() }),
    model: 'unloaded',
    takesTurn: true,
    stages: ['open', 'self-test'],
  },

  /**
   * Which kernels are left to a measurement on the device, and with `measure` what it found: seconds, once. `onProgress` counts
   * questions. An aborted measurement rejects with `cancelled` and changes nothing.
   */
  kernels: {
    body: v.strictObject({ engine: engineSettings, measure: v.boolean() }),
    result: v.object({
      device,
      questions: v.array(v.object({ name: v.string(), values: v.array(count) })),
      /** Empty unless it was measured. */
      times: v.array(reported<KernelTime>(v.object({ name: v.string(), chosen: count, values: v.array(v.looseObject({ value: count })) }))),
    }),
    reports: 'progress',
    model: 'unloaded',
    takesTurn: true,
    stages: ['open', 'kernels'],
  },

  /** Operations against their scalar twins. */
  selfTest: {
    body: v.strictObject({ engine: engineSettings }),
    result: v.object({
      device,
      paths: v.record(v.string(), v.string()),
      items: v.array(reported<SelfTestItem>(v.object({ name: v.string(), ok: v.boolean(), detail: v.string() }))),
      memory: reported<MemoryReport>(v.looseObject(memory)),
    }),
    model: 'unloaded',
    takesTurn: true,
    stages: ['open', 'self-test'],
  },

  /** Of the loaded model's engine. */
  memory: {
    body: nothing,
    result: reported<MemoryReport & HostPeak>(v.looseObject({ ...memory, hostPeakBytes: v.number() })),
    model: 'kept',
    takesTurn: false,
    stages: ['sent'],
  },
} as const satisfies Record<string, RequestDefinition>;

type Requests = typeof requests;
export type RequestKind = keyof Requests;
export type Body<Kind extends RequestKind> = v.InferOutput<Requests[Kind]['body']>;
export type Result<Kind extends RequestKind> = v.InferOutput<Requests[Kind]['result']>;

export type LoadedModel = Result<'load'>;
export type GenerateReply = Result<'generate'>;
export type Score = v.InferOutput<typeof score>;

/** What a caller may listen to, by what the request reports. */
interface Reports {
  progress: { onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined };
  text: {
    onText?: ((text: string) => void) | undefined;
    onStage?: ((stage: AnswerStage, done: number, total: number) => void) | undefined;
  };
}
export type AnswerStage = (typeof answerStages)[number];
export type Listeners = { signal?: AbortSignal | undefined } & Reports['progress'] & Reports['text'];
type ListenersOf<Definition> = { signal?: AbortSignal | undefined } & (Definition extends { reports: infer Report extends keyof Reports }
  ? Reports[Report]
  : unknown);

/** A method for each request: the Engine port without what concerns the process itself. */
export type EngineRequests = {
  -readonly [Kind in keyof Requests]: Body<Kind> extends null
    ? (listeners?: ListenersOf<Requests[Kind]>) => Promise<Result<Kind>>
    : (body: Body<Kind>, listeners?: ListenersOf<Requests[Kind]>) => Promise<Result<Kind>>;
};

/** The methods, each as a call of `request`. */
export function requestMethods(
  request: <Kind extends RequestKind>(kind: Kind, body: Body<Kind>, listeners?: Listeners) => Promise<Result<Kind>>,
): EngineRequests {
  const method = (kind: RequestKind): unknown =>
    requests[kind].body === nothing
      ? (listeners?: Listeners) => request(kind, null, listeners)
      : (body: Body<typeof kind>, listeners?: Listeners) => request(kind, body, listeners);
  return Object.fromEntries(requestKinds.map((kind) => [kind, method(kind)])) as unknown as EngineRequests;
}

const requestKinds = Object.keys(requests) as RequestKind[];

const envelope = v.variant('type', [
  v.strictObject({ type: v.picklist(requestKinds), id, body: v.unknown() }),
  v.strictObject({ type: v.literal('cancel'), id }),
  v.strictObject({ type: v.literal('writes'), folders: v.array(v.string()) }),
  v.strictObject({ type: v.literal('exit') }),
]);

export type Request = { [Kind in RequestKind]: { type: Kind; id: number; body: Body<Kind> } }[RequestKind];
export type RequestOf<Kind extends RequestKind> = Extract<Request, { type: Kind }>;

const failure = v.strictObject({
  ok: v.literal(false),
  code: v.picklist(errorCodes),
  message: v.string(),
  nextStep: v.string(),
});

const eventSchema = v.variant('type', [
  v.strictObject({ type: v.literal('ready') }),
  v.strictObject({ type: v.literal('progress'), id, doneBytes: count, totalBytes: count }),
  v.strictObject({ type: v.literal('stage'), id, stage: v.picklist(answerStages), done: count, total: count }),
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
export type Event = v.InferOutput<typeof eventSchema>;

type Order = { type: 'cancel'; id: number } | { type: 'writes'; folders: string[] } | { type: 'exit' };

export function parseRequest(value: unknown): Request | Order {
  const complaint = 'The engine received a message that it does not know';
  const read = parse(envelope, value, complaint);
  if (read.type === 'cancel' || read.type === 'writes' || read.type === 'exit') return read;
  return { ...read, body: parse(requests[read.type].body, read.body, complaint) } as Request;
}

export function parseEvent(value: unknown): Event {
  return parse(eventSchema, value, 'The engine sent a message that is not known');
}

export function parseResult<Kind extends RequestKind>(kind: Kind, value: unknown): Result<Kind> {
  const schema: v.GenericSchema<unknown, Result<Kind>> = requests[kind].result;
  return parse(schema, value, `The engine answered ${requestName(kind)} in an unknown form`);
}

/** As sentences and the log write it: "count-tokens". */
export function requestName(kind: RequestKind): string {
  return kind.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function parse<Schema extends v.GenericSchema>(schema: Schema, value: unknown, complaint: string): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw new LoupeError('protocol', `${complaint} (${path ? `${path}: ` : ''}${issue.message}).`);
}
