/** The engine: one model, which answers. */
import type {
  DeviceInfo,
  EngineOptions,
  GenerateResult,
  GenerateStatistics,
  MemoryReport,
  ModelFacts,
  ModelInfo,
  ModelSizes,
  QuantiseOptions,
  QuantiseReport,
  SamplingOptions,
  SelfTestItem,
  TraceResult,
} from '../../native-surface.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Role } from '../../prompt/template.ts';
import type { ImageSource, Loose, Abortable } from './common.ts';

export type ChatPart = { type: 'text'; text: string } | { type: 'image'; image: ImageSource };

export interface ChatMessage {
  role: Role;
  content: ChatPart[];
}

/** Everything of `EngineOptions` that a caller decides; the host finds the shaders itself. */
export type EngineSettings = Loose<Omit<EngineOptions, 'shaderDirectory'>>;

/** How to sample, where the caller does not say; the seed is left to chance. */
export type SamplingAdvice = Loose<Omit<SamplingOptions, 'seed'>>;

/**
 * Where a model lies: a folder in the published layout, or GGUF files (one, a text file and its projector, or all parts),
 * with the advice of whoever keeps them and what else ends an answer, as they spell it.
 */
export type ModelPlace = { directory: string } | { gguf: string[]; advice?: SamplingAdvice | undefined; stops?: string[] | undefined };

export type WeighRequest = ModelPlace & {
  /** Tokens. */
  contextLength?: number | undefined;
  engine: EngineSettings;
};

export interface WeighReply extends ModelSizes {
  device: DeviceInfo;
}

/** With a plan of `services/models/placement.ts`, or without: the engine then fills the device first. */
export type LoadRequest = WeighRequest & {
  hostLayers?: number[] | undefined;
  embeddingOnHost?: boolean | undefined;
};

export interface LoadedModel {
  model: ModelInfo;
  device: DeviceInfo;
  paths: Record<string, string>;
  /** How conversations become prompts; null when the checkpoint has no tokenizer (it can only be traced). */
  promptFormat: 'template' | 'llama3' | 'completion' | 'guard' | null;
}

export interface GenerateRequest {
  messages: ChatMessage[];
  /** The answer begins with these words, which are not sent again: how a broken-off answer goes on. */
  answerSoFar?: string | undefined;
  maxTokens: number;
  /** What is absent comes from the checkpoint's generation_config.json; `seed` from chance. */
  sampling?: Loose<SamplingOptions> | undefined;
}

/** What the model saw of a picture, in pixels; `arrangement` in tiles. */
export interface ImageSeen {
  hash: string;
  width: number;
  height: number;
  resized: { width: number; height: number };
  canvas: { width: number; height: number };
  arrangement: { width: number; height: number };
}

/** One turn, from the request to its last token. */
export interface TurnStatistics extends GenerateStatistics {
  /** Reading and tiling the pictures, and tokenising. Part of firstTokenMs. */
  prepareMs: number;
}

export interface GenerateReply {
  text: string;
  tokens: Int32Array;
  finish: GenerateResult['finish'];
  statistics: TurnStatistics;
  sampling: SamplingOptions;
  images: ImageSeen[];
}

/** `entries` are the host's business: it reads the language beside the weights. */
export type QuantiseRequest = Loose<Pick<QuantiseOptions, 'threads'>> & Pick<QuantiseOptions, 'directory' | 'target' | 'text' | 'vision'>;

/** Most that the engine's process held at once, pages of mapped files included. Software Vulkan keeps the device's memory there, too. */
interface HostPeak {
  hostPeakBytes: number;
}

export type QuantiseReply = QuantiseReport & HostPeak;

export type MemoryUse = MemoryReport & HostPeak;

/** How likely does the model find these texts, each by itself, after all that is before them? */
export interface ScoreRequest {
  /** Null: the texts stand at the beginning of everything. */
  messages: ChatMessage[] | null;
  texts: string[];
  /** Only the first token of each: one run for all. */
  beginnings?: boolean | undefined;
}

/** Of one text: for each of its tokens a natural logarithm. NaN where the model computed no number. */
export interface Score {
  logProbabilities: Float32Array;
  /** Of the token that the model finds likeliest in that place. */
  best: Float32Array;
}

export interface TraceRequest {
  tokens: Int32Array;
  images: ImageSource[];
  continueFor: number;
}

export interface TraceReply extends TraceResult {
  aspectRatioIds: Int32Array;
  numTiles: Int32Array;
}

export interface SelfTestReply {
  device: DeviceInfo;
  paths: Record<string, string>;
  items: SelfTestItem[];
  memory: MemoryReport;
}

export type Stage = 'encode' | 'prefill' | 'decode';

/** A request that a dying engine took with it. */
export interface EngineLoss {
  requestId: number;
  kind: string;
  code: Extract<ErrorCode, 'engine_crashed'>;
  /** "exit code 3" or "signal SIGKILL". */
  exit: string;
}

/**
 * One model at a time, one request at a time. Every method rejects with `LoupeError`; after
 * `engine_crashed` the next request starts a fresh engine and loads the last model again. An
 * aborted request rejects with `cancelled` unless it says otherwise, and none is waited for
 * without end: an engine that stands still is ended and counts as crashed.
 */
export interface Engine {
  devices(options?: Abortable): Promise<DeviceInfo[]>;
  /** What the files are, if a load would take them; rejects with what it would reject with. Needs no device, and a loaded model stays. */
  inspect(place: ModelPlace, options?: Abortable): Promise<ModelFacts>;
  /** What a load would take, and what there is. A loaded model may be gone afterwards, until it is needed. */
  weigh(request: WeighRequest, options?: Abortable): Promise<WeighReply>;
  /** An aborted load rejects with `cancelled` and leaves no model loaded. */
  load(
    request: LoadRequest,
    options?: { signal?: AbortSignal; onProgress?: (doneBytes: number, totalBytes: number) => void },
  ): Promise<LoadedModel>;
  /** `onText` gets whole characters, in order. An aborted request resolves with what it has and `finish: 'cancelled'`. */
  generate(
    request: GenerateRequest,
    options?: { signal?: AbortSignal; onText?: (text: string) => void; onStage?: (stage: Stage, done: number, total: number) => void },
  ): Promise<GenerateReply>;
  /** Tokens of the prompt that `generate` would read. */
  countTokens(request: Pick<GenerateRequest, 'messages' | 'answerSoFar'>, options?: Abortable): Promise<number>;
  trace(request: TraceRequest, options?: Abortable): Promise<TraceReply>;
  /** Computed from an empty cache, and leaves one: the next question is read from its first token. */
  score(request: ScoreRequest, options?: Abortable): Promise<Score[]>;
  /** Writes a GGUF file; an aborted one rejects with `cancelled` and is gone on with by the same request. Takes the whole engine for minutes: use one of its own. */
  quantise(
    request: QuantiseRequest,
    options?: { signal?: AbortSignal; onProgress?: (doneBytes: number, totalBytes: number) => void },
  ): Promise<QuantiseReply>;
  selfTest(settings: EngineSettings, options?: Abortable): Promise<SelfTestReply>;
  /** Of the loaded model's engine. */
  memory(options?: Abortable): Promise<MemoryUse>;
  onLost(listener: (loss: EngineLoss) => void): void;
  /** Ends the engine; pending requests reject with `cancelled`. */
  close(): Promise<void>;
}
