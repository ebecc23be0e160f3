/**
 * The whole native surface, typed. `process/addon.ts` loads it.
 *
 * Native failures are thrown (or rejected) as `Error` with `code` (an engine code of
 * `errors.ts`) and `nextStep` (may be empty).
 */

export type DeviceKind = 'discrete' | 'integrated' | 'virtual' | 'cpu' | 'other';

/** What Vulkan reports of one device. Sizes in bytes. */
export interface DeviceInfo {
  index: number;
  name: string;
  kind: DeviceKind;
  driver: string;
  /** "1.3.230" */
  apiVersion: string;
  vendorId: number;
  deviceId: number;
  /** Sum of the device-local heaps. */
  memoryBytes: number;
  /** What the driver says is still free for us; null without VK_EXT_memory_budget. */
  budgetBytes: number | null;
  maxBindingBytes: number;
  maxSharedMemoryBytes: number;
  subgroupSize: number;
  features: {
    float16: boolean;
    storage16: boolean;
    storage8: boolean;
    int8: boolean;
    subgroupArithmetic: boolean;
    cooperativeMatrix: boolean;
    timestamps: boolean;
    memoryBudget: boolean;
  };
  suitable: boolean;
  /** Why not, when `suitable` is false. */
  reason: string;
}

/** `f32`: exact path. `f16`: products and attention of many rows round their inputs for cooperative matrices, sums stay float32. */
export type Activations = 'f32' | 'f16';

export interface EngineOptions {
  /** Index ("0") or part of the name; empty chooses discrete > integrated > virtual > cpu. */
  device?: string;
  /** Folder of compiled .spv files. */
  shaderDirectory: string;
  /** Where the pipeline cache lives; absent = no cache on disk. */
  cacheDirectory?: string;
  /** `auto` takes f16 where the device has usable cooperative matrices and is not a processor, else f32. */
  activations?: 'auto' | Activations;
  /** Device memory that the engine may take; absent = what the device reports, with headroom. */
  memoryBudgetBytes?: number;
  /** Load VK_LAYER_KHRONOS_validation; its messages count in `memory().validationErrors`. */
  validation?: boolean;
}

export interface EstimateOptions {
  /** Folder with config.json and *.safetensors; this or `gguf`. */
  directory?: string;
  /** One GGUF file, a text file and its projector in any order, or all parts of a split one. */
  gguf?: string[];
  /** Upper bound of the self KV cache in tokens; absent = the checkpoint's, at most 8192. */
  contextLength?: number;
}

/** What a model and a conversation with it would take of this device, and what there is. Bytes. */
export interface ModelSizes {
  /** Weights of the text model's layers, from the first. */
  layers: { cross: boolean; bytes: number }[];
  /** Zero where the embedding is the output, too. */
  embeddingBytes: number;
  outputBytes: number;
  visionBytes: number;
  /** Tokens that the self KV cache would hold. */
  contextLength: number;
  selfKvBytesPerToken: number;
  /** Of one picture with all its tiles. */
  crossKvBytes: number;
  /** Activations and small buffers. */
  scratchBytes: number;
  /** What the engine may take of the device, a loaded model's part included, since another one would replace it. */
  deviceBudgetBytes: number;
  /** Likewise of the computer's memory. */
  hostBudgetBytes: number;
  /** False where both are one memory: then nothing is slower in the host's part of it. */
  hostIsApart: boolean;
}

export interface LoadOptions extends EstimateOptions {
  /**
   * Layers of the text model to leave in the computer's memory, where the device reads them over the bus.
   * What then still does not fit the device follows them.
   */
  hostLayers?: number[];
  /** Likewise the token embedding. */
  embeddingOnHost?: boolean;
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export interface ModelInfo {
  architecture: 'mllama' | 'llama';
  vocabularySize: number;
  contextLength: number;
  weightBytes: number;
  placement: WeightPlacement;
  parameters: number;
  /** Token that stands for a picture; null for text models. */
  imageToken: number | null;
  /** Null for text models. */
  vision: { tileSize: number; maxTiles: number; patchesPerTile: number } | null;
  stopTokens: number[];
}

/** Where the weights are. */
export interface WeightPlacement {
  deviceBytes: number;
  /** In the computer's memory. */
  hostBytes: number;
  /** Layers with any weight there. */
  hostLayers: number[];
  embeddingOnHost: boolean;
  outputOnHost: boolean;
  visionOnHost: boolean;
  /** False when the device had less room than was planned with. */
  asPlanned: boolean;
}

/** A picture prepared by `image/prepare.ts`. */
export interface ImageInput {
  /** Identifies the prepared picture; equal hash = equal tiles. Cached cross KV is found by it. */
  hash: string;
  /** RGB, uint8, [numTiles, tileSize, tileSize, 3], padding black. Tiles row by row. */
  tiles: Uint8Array;
  numTiles: number;
  /** 1 .. 8, index + 1 into the supported (height, width) arrangements. */
  aspectRatioId: number;
}

export interface SamplingOptions {
  /** 0 = greedy. */
  temperature: number;
  /** 0 = off. */
  topK: number;
  /** 1 = off. */
  topP: number;
  /** 0 = off. */
  minP: number;
  /** 1 = off. */
  repetitionPenalty: number;
  seed: number;
}

export interface GenerateOptions {
  /** The whole prompt from its first token; the session reuses the prefix that it has cached. */
  tokens: Int32Array;
  /** One per image token in `tokens`, in order. */
  images: ImageInput[];
  maxTokens: number;
  /** Generation ends before one of these. */
  stopTokens: number[];
  sampling: SamplingOptions;
  /**
   * Whether tokens are proposed from what the conversation says already, and checked several at a time: where that is measured to be
   * faster (the default), never, or always. The answer is the same.
   */
  speculation?: 'auto' | 'off' | 'always';
  /** Called in order, on the event loop. */
  onToken?: (token: number) => void;
  /** `encode` counts vision layers, `prefill` prompt tokens. */
  onStage?: (stage: 'encode' | 'prefill' | 'decode', done: number, total: number) => void;
}

export interface GenerateStatistics {
  promptTokens: number;
  /** Prompt tokens found in the self KV cache. */
  reusedTokens: number;
  generatedTokens: number;
  /** By speculation: tokens that were checked before they were said, and those of them that the model then said. */
  proposedTokens: number;
  acceptedTokens: number;
  imagesEncoded: number;
  imagesCached: number;
  encodeMs: number;
  prefillMs: number;
  /** From the call to the first token. */
  firstTokenMs: number;
  /** From the first token to the last. */
  decodeMs: number;
  token: TokenWork;
}

/** What each token after the first asks for, drawing it included; zeros where there is none. */
export interface TokenWork {
  dispatches: number;
  /** How often a dispatch waits for those before it; beginnings and ends of submissions not counted. */
  barriers: number;
  submissions: number;
  /** Of the host, besides waiting for the device: microseconds. */
  hostUs: number;
}

export interface GenerateResult {
  tokens: Int32Array;
  /** `stop`: a stop token; `length`: maxTokens; `context`: the KV cache is full; `cancelled`: by cancel(). */
  finish: 'stop' | 'length' | 'context' | 'cancelled';
  statistics: GenerateStatistics;
}

export interface TraceOptions {
  tokens: Int32Array;
  images: ImageInput[];
  /** Greedy tokens to append; end tokens do not stop it. */
  continueFor: number;
}

/** Float tensors, flattened row by row; shapes as in docs/trace.md. */
export interface TraceResult {
  /** [images, maxTiles, 3, size, size]; absent without images, as the two below. */
  pixelValues?: Float32Array;
  /** [images, maxTiles, patches + 1, features] */
  visionOutput?: Float32Array;
  /** [images * maxTiles * (patches + 1), hidden] */
  crossAttentionStates?: Float32Array;
  /** Width of one row of visionOutput / crossAttentionStates. */
  visionWidth?: number;
  hiddenSize: number;
  /** [tokens, vocabulary] */
  logits: Float32Array;
  greedyTokens: Int32Array;
  /** [continueFor, vocabulary] */
  greedyLogits: Float32Array;
}

export interface MemoryReport {
  /** Of the device: weights, caches and activations. */
  deviceBytes: number;
  devicePeakBytes: number;
  /** Weights in the computer's memory that the device reads there. */
  hostWeightBytes: number;
  /** Buffers for what goes to the device and comes back. */
  hostVisibleBytes: number;
  largestAllocationBytes: number;
  /** On the device and in the computer's memory. */
  weightBytes: number;
  selfKvBytes: number;
  crossKvBytes: number;
  /** Longest submission so far, by the device's own clock where it has one. */
  longestSubmissionMs: number;
  validationErrors: number;
}

export interface SelfTestItem {
  name: string;
  ok: boolean;
  detail: string;
}

/** A setting of kernels that more than one value is right for on this device; the first is what the table of devices says. */
export interface KernelQuestion {
  name: string;
  values: number[];
}

/** What a measurement on the device found. */
export interface KernelTime {
  /** Of the question. */
  name: string;
  chosen: number;
  /** `ms`: the shortest run, 0 where the time was over; `whyNot`: what rules it out, or nothing. */
  values: { value: number; ms: number; whyNot: string }[];
}

export interface NativeEngine {
  readonly device: DeviceInfo;
  /** Which variant each kind of operation runs: { matmul: 'coopmat 8x8x8 f16', ... }. */
  readonly paths: Record<string, string>;
  /** What the table of devices leaves to a measurement; nothing on processors, whose row was measured. */
  readonly questions: KernelQuestion[];
  /** Answers by the name of a question; without one, or with one that is not among its values, the table's. Throws where a model is loaded. */
  settle(answers: Record<string, number>): void;
  /**
   * Compares and times what the questions leave open, and settles it. Seconds: what is left after `budgetMs` (4,000) stays as the table
   * has it. Rejects where a model is loaded, and with `cancelled`: then nothing has changed.
   */
  timeVariants(options: { budgetMs?: number; onProgress?: (doneQuestions: number, questions: number) => void }): Promise<KernelTime[]>;
  /** Reads headers only, and keeps a loaded model. Rejects with what is wrong with the files, and `context_full`. */
  estimate(options: EstimateOptions): Promise<ModelSizes>;
  load(options: LoadOptions): Promise<ModelInfo>;
  /** One at a time; a second call while one runs rejects with `internal`. */
  generate(options: GenerateOptions): Promise<GenerateResult>;
  trace(options: TraceOptions): Promise<TraceResult>;
  /** Ops against their scalar twins on this device. */
  selfTest(): Promise<SelfTestItem[]>;
  /** Bytes a second, read and written, that copies within the device's memory move at best. Takes half a second. */
  copyBandwidth(): Promise<number>;
  /** Ends the running generate or load within one step. */
  cancel(): void;
  memory(): MemoryReport;
  /** Releases everything; the object is unusable from now on. */
  close(): Promise<void>;
}

/** A metadata value. Integers beyond 2^53 are rounded, those beyond 2^63 null. */
export type GgufValue = string | number | boolean | null | GgufValue[];

/** What GGUF files of one model say besides the weights. */
export interface GgufInfo {
  /** Entries in the order of their keys; the text file's go before its projector's. */
  metadata: [key: string, value: GgufValue][];
  /** `shape` outermost first; `type` as GGUF spells it. */
  tensors: { name: string; type: string; shape: number[]; bytes: number }[];
}

/** What a load would find, for a model that it would take. */
export interface ModelFacts {
  architecture: 'mllama' | 'llama';
  /** Of most matrices: "BF16", "Q4_K". */
  precision: string;
  /** Weight files. */
  files: string[];
  /** Of these files. */
  fileBytes: number;
  /** Of the weights on a device. */
  deviceBytes: number;
}

/** Whole numbers below 2^32 are written as such, others as float32. */
export type GgufEntryValue = string | string[] | number | number[] | boolean;

export interface QuantiseOptions {
  /** A folder in the published layout. */
  directory: string;
  /** Written as `target`.part and renamed when whole. Its name begins with "Llama" and ends with ".gguf". */
  target: string;
  /** `q4_k_m`: 4 bits, 6 for the output and half of the value and down projections. */
  text: 'q4_k_m' | 'q8_0';
  vision: 'f16' | 'q8_0';
  /** Metadata that the configuration does not give: `main/prompt/gguf-entries.ts`. */
  entries: [key: string, value: GgufEntryValue][];
  /** Absent = all of the computer's. */
  threads?: number;
  /** Bytes of weights read. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** Tensors that do the same work, and what rounding them cost. */
export interface TensorClass {
  name: string;
  /** "Q4_K, Q6_K" */
  types: string;
  tensors: number;
  elements: number;
  bytes: number;
  /** Root of the sum of squared differences over the sum of squares. */
  relativeError: number;
}

export interface QuantiseReport {
  /** Of the file. */
  bytes: number;
  /** Whether it resumed the part that an earlier run left. */
  resumed: boolean;
  classes: TensorClass[];
}

export interface Addon {
  listDevices(): Promise<DeviceInfo[]>;
  /** Needs no device. `cancel` makes `done` reject with `cancelled` within a second and leaves the part; the same call resumes it. */
  quantise(options: QuantiseOptions): { done: Promise<QuantiseReport>; cancel(): void };
  /** Reads headers only. Rejects as `load` does for damaged files and dialects that the engine does not run. */
  readGguf(files: string[]): Promise<GgufInfo>;
  /** All that `load` checks before a device sees a byte; rejects as it does. */
  inspectModel(place: Pick<EstimateOptions, 'directory' | 'gguf'>): Promise<ModelFacts>;
  Engine: { open(options: EngineOptions): Promise<NativeEngine> };
  /** What the engine's threads have done so far, and whether one waits for a device that has not answered for a while. */
  activity(): { steps: number; waiting: boolean };
  /** Whether this system wakes this process, if it is stopped, when its parent ends. Linux does. */
  wakeWithoutParent(): boolean;
  /**
   * From now on no thread of this process can open a file, a socket or a process, or touch another one; what tries fails with EACCES.
   * Cannot be taken back. Null where it holds; else why this system does not have it. Linux on x64 and arm64 does.
   */
  confine(): string | null;
  /**
   * From now on no thread of this process can open a socket or a process, touch another one, or write anywhere but below these folders and
   * to these devices; those that are not there are passed over. Cannot be taken back. Null where it holds; else what does not, and why.
   */
  confineToPlaces(folders: string[], devices: string[]): string | null;
}
