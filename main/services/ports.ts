/** What services ask of the outside. Implementations are chosen in the composition root. */
import type {
  DeviceInfo,
  EngineOptions,
  GenerateResult,
  GenerateStatistics,
  MemoryReport,
  ModelInfo,
  SamplingOptions,
  SelfTestItem,
  TraceResult,
} from '../engine/addon.ts';
import type { ErrorCode } from './errors.ts';
import type { Role } from './prompt/template.ts';

/** A picture file on this machine, or its bytes with the name that messages use. */
export type ImageSource = { path: string } | { bytes: Uint8Array; name: string };

export type ChatPart = { type: 'text'; text: string } | { type: 'image'; image: ImageSource };

export interface ChatMessage {
  role: Role;
  content: ChatPart[];
}

/** Fields that may be absent, or present and undefined. */
export type Loose<T> = { [Key in keyof T]?: T[Key] | undefined };

/** Everything of `EngineOptions` that a caller decides; the host finds the shaders itself. */
export type EngineSettings = Loose<Omit<EngineOptions, 'shaderDirectory'>>;

export interface LoadRequest {
  directory: string;
  /** Tokens. */
  contextLength?: number | undefined;
  engine: EngineSettings;
}

export interface LoadedModel {
  model: ModelInfo;
  device: DeviceInfo;
  paths: Record<string, string>;
  /** How conversations become prompts; null when the checkpoint has no tokenizer (it can only be traced). */
  promptFormat: 'template' | 'llama3' | 'completion' | null;
}

export interface GenerateRequest {
  messages: ChatMessage[];
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
 * `engine_crashed` the next request starts a fresh engine and loads the last model again.
 */
export interface Engine {
  devices(): Promise<DeviceInfo[]>;
  /** An aborted load rejects with `cancelled` and leaves no model loaded. */
  load(request: LoadRequest, options?: { signal?: AbortSignal; onProgress?: (doneBytes: number, totalBytes: number) => void }): Promise<LoadedModel>;
  /** `onText` gets whole characters, in order. An aborted request resolves with what it has and `finish: 'cancelled'`. */
  generate(
    request: GenerateRequest,
    options?: { signal?: AbortSignal; onText?: (text: string) => void; onStage?: (stage: Stage, done: number, total: number) => void },
  ): Promise<GenerateReply>;
  trace(request: TraceRequest, options?: { signal?: AbortSignal }): Promise<TraceReply>;
  selfTest(settings: EngineSettings): Promise<SelfTestReply>;
  /** Of the loaded model's engine. */
  memory(): Promise<MemoryReport>;
  onLost(listener: (loss: EngineLoss) => void): void;
  /** Ends the engine; pending requests reject with `cancelled`. */
  close(): Promise<void>;
}
