/** What services ask of the outside. Implementations are chosen in the composition root. */
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
} from '../native-surface.ts';
import type {
  CaptureState,
  Conversation,
  ConversationSummary,
  Display,
  Draft,
  Judgement,
  Message,
  PagePart,
  Pages,
  Picture,
  PictureOrigin,
  Region,
  SearchHit,
  TextLine,
  BackupChoice,
  Settings,
  StorageState,
  TurnStatistics as StoredStatistics,
} from '../contract.ts';
import type { ErrorCode, Failure } from '../errors.ts';
import type { Role } from '../prompt/template.ts';

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

interface Abortable {
  signal?: AbortSignal | undefined;
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

/** Milliseconds since 1970. */
export interface Clock {
  now(): number;
}

/**
 * What is kept. Synchronous: every call is one short transaction, done when it returns. Throws
 * `not_found` for ids that are not (or no longer) there, and the `store_*` codes.
 */
export interface Store {
  readonly conversations: ConversationStore;
  readonly pictures: PictureStore;
  settings(): Settings;
  /** Merges what is not undefined, stores, answers the whole. */
  saveSettings(change: Loose<Settings>): Settings;
  readonly models: ModelStore;
  readonly downloads: DownloadStore;
  readonly licences: LicenceStore;
  readonly ledger: Ledger;
  readonly lockDownload: LockFolder;
  /** Deletes what was deleted 30 days ago, and pictures that nothing refers to any more; gives space back. */
  sweep(): void;
  readonly care: StoreCare;
  close(): void;
}

/**
 * In what state the store is, and the way back from damage. While it cannot be written to, every call
 * that would write throws `store_full` or `store_read_only`; it looks again first. On a full disk
 * deleting works: a reserve is kept for it.
 */
export interface StoreCare {
  state(): StorageState;
  /** The gravest of it; null where nothing is known. */
  problem(): Failure | null;
  onChange(listener: (state: StorageState) => void): void;
  /** Looks again. */
  retry(): StorageState;
  /** Checks the database once, in another process, and makes the daily backup where it is due. Does not reject. */
  maintain(): Promise<void>;
  /** As `maintain`, for at most so long: before `close`. */
  finish(milliseconds: number): Promise<void>;
  backups(): Promise<BackupChoice[]>;
  /** Answers the file that what was there is kept aside in. Throws `not_found` and `store_damaged` for a backup that is not sound. */
  restore(name: string): Promise<string | null>;
  startAnew(): string | null;
  accept(): StorageState;
  /** Answers how many bytes the disk has more. */
  emptyBin(): number;
}

export interface NewMessage {
  conversationId: number;
  parentId: number | null;
  role: 'user' | 'assistant';
  text: string;
  /** In order. */
  pictures: string[];
  state: Message['state'];
  model: string | null;
}

export interface FinishedAnswer {
  text: string;
  state: Message['state'];
  failure: Failure | null;
  finish: Message['finish'];
  model: string | null;
  statistics: StoredStatistics | null;
  /** Absent where no guard was asked. */
  judgement?: Judgement;
}

/** `busy` is false in all that it answers, and `checks` empty: the chat service knows better. */
export interface ConversationStore {
  list(): ConversationSummary[];
  summary(id: number): ConversationSummary;
  open(id: number): Conversation;
  create(title: string): ConversationSummary;
  rename(id: number, title: string): void;
  pin(id: number, pinned: boolean): void;
  /** Hidden at once, gone with the sweep. */
  delete(id: number): void;
  restore(id: number): void;
  search(query: string, limit: number): SearchHit[];
  /** Becomes the leaf of the branch that is shown. */
  append(message: NewMessage): Message;
  message(id: number): Message;
  /** From the first message to this one. */
  path(messageId: number): Message[];
  /** The text so far of an answer that is being written. */
  checkpoint(messageId: number, text: string): void;
  /** `streaming` makes an answer that goes on. */
  update(messageId: number, answer: FinishedAnswer): Message;
  /** What a guard says of a complete answer and its question; throws `not_found` for any other. */
  judge(messageId: number, judgement: Judgement): Message;
  /** The newest leaf below the message becomes the one that is shown. Answers its id. */
  selectBranch(messageId: number): number;
  pinPicture(id: number, hash: string | null): void;
  pinnedPicture(id: number): string | null;
  /** `id` null: of the conversation that does not exist yet. */
  saveDraft(id: number | null, text: string, pictures: string[]): void;
  draft(): Draft;
  /** Distinct questions, newest first, one line each. */
  recentPrompts(limit: number): string[];
  /** At start: what a process left `streaming` becomes `interrupted`. Answers how many. */
  markInterrupted(): number;
}

export interface NewPicture {
  /** The file as it came. */
  bytes: Uint8Array;
  name: string;
  width: number;
  height: number;
  origin: PictureOrigin;
  /** WebP, at most 320 x 320. */
  thumbnail: Uint8Array;
  /** PNG, where a browser cannot show the file itself. */
  display: Uint8Array | null;
}

export interface StoredFile {
  path: string;
  mediaType: string;
}

/** Files by the SHA-256 of their bytes, written beside the database and renamed into place. */
export interface PictureStore {
  /** The same bytes again keep their first record. */
  add(picture: NewPicture): Picture;
  get(hash: string): Picture;
  /** As `get`; null when there is none, or its file is gone: `add` completes it. */
  find(hash: string): Picture | null;
  /** It was added again: the sweep leaves it for another day. */
  touch(hash: string): void;
  /** The file as it came. */
  original(hash: string): StoredFile;
  /** What a browser can show. */
  shown(hash: string, scale: 'full' | 'thumb'): StoredFile;
}

export interface ModelRecord {
  /** Of the model's folder or file. */
  path: string;
  name: string;
  kind: 'vision' | 'text' | 'guard';
  bytes: number | null;
}

export interface ModelStore {
  list(): ModelRecord[];
  add(model: ModelRecord): void;
  remove(path: string): void;
  /** What was found when a file was last read from end to end. */
  saveCheck(check: FileCheck): void;
  checks(model: string): FileCheck[];
  /** Replaces what was found before. */
  saveSelfTest(test: SelfTestRecord): void;
  selfTests(): SelfTestRecord[];
}

/** Whether a model answered as it should, with these bytes on this device by this driver. */
export interface SelfTestRecord {
  /** `id` of the model's choice: its record's path, or "demo". */
  model: string;
  bytes: number | null;
  device: string;
  driver: string;
  sound: boolean;
  /** What was wrong, a sentence each. */
  findings: string[];
  testedAt: number;
}

/** `intact`: has the checksum that its source states. `changed`: has not. `unknown`: no source states one. */
export interface FileCheck {
  /** `path` of the model's record. */
  model: string;
  file: string;
  bytes: number;
  sha256: string;
  finding: 'intact' | 'changed' | 'unknown';
  checkedAt: number;
}

export interface FileChecksum {
  /** `git`: SHA-1 of the bytes behind "blob SIZE\0", as git names files. */
  algorithm: 'sha256' | 'git';
  /** Hexadecimal, lower case. */
  value: string;
}

export interface DownloadFile {
  /** Below the download's folder, with "/". */
  path: string;
  bytes: number;
  checksum: FileChecksum;
  /** Of the source that the part on disk came from. */
  etag: string | null;
  /** Whole, and its checksum right. */
  complete: boolean;
}

export type DownloadState = 'queued' | 'running' | 'paused' | 'failed' | 'complete';

export interface DownloadRecord {
  id: number;
  /** In the catalogue. */
  model: string;
  /** "ORGANISATION/NAME" on the Hub. */
  repository: string;
  /** Commit that the files are of; null until they are listed. */
  revision: string | null;
  /** Absolute. */
  directory: string;
  state: DownloadState;
  failure: Failure | null;
  createdAt: number;
  /** Empty until they are listed. */
  files: DownloadFile[];
}

/** What was asked for and is not finished; how much of a file has arrived is what its part on disk says. */
export interface DownloadStore {
  /** Oldest first. */
  list(): DownloadRecord[];
  get(id: number): DownloadRecord;
  create(download: Pick<DownloadRecord, 'model' | 'repository' | 'directory'>): DownloadRecord;
  setState(id: number, state: DownloadState, failure: Failure | null): void;
  /** Replaces the files. */
  setPlan(id: number, revision: string, files: Pick<DownloadFile, 'path' | 'bytes' | 'checksum'>[]): void;
  setEtag(id: number, path: string, etag: string | null): void;
  setComplete(id: number, path: string): void;
  remove(id: number): void;
}

export interface Acceptance {
  licence: string;
  version: string;
  at: number;
}

/** What the user agreed to, and when. */
export interface LicenceStore {
  list(): Acceptance[];
  /** Keeps the first time. */
  accept(licence: string, version: string): Acceptance;
}

/** Keeps short secrets out of database and logs. */
export interface SecretStore {
  /** `keychain`: by the system, encrypted. `session`: in memory, until Loupe ends. */
  readonly kept: 'keychain' | 'session';
  /** Why there is no keychain, or why what was kept cannot be read; null where there is nothing to say. */
  problem(): string | null;
  get(name: 'hub-token'): Promise<string | null>;
  /** Null forgets it. */
  set(name: 'hub-token', value: string | null): Promise<void>;
}

/** Takes a folder for this process alone and answers how to let go; throws `download_locked`. Ends with the process, however that dies. */
export type LockFolder = (directory: string) => () => void;

export interface LedgerEntry {
  at: number;
  host: string;
  purpose: string;
  sentBytes: number;
  receivedBytes: number;
}

export interface Ledger {
  installedAt(): number;
  /** Answers the entry's id. */
  add(entry: LedgerEntry): number;
  /** All that an open connection has carried so far. */
  count(id: number, sentBytes: number, receivedBytes: number): void;
  list(): LedgerEntry[];
}

export interface PictureFacts {
  width: number;
  height: number;
  thumbnail: Uint8Array;
  /** PNG, where a browser would not show what the model gets: always of a page of several. */
  display: Uint8Array | null;
  /** Which of several pictures in the file; null where it holds one. */
  part: PagePart | null;
  /** Null where nothing is transparent. */
  ground: 'white' | 'black' | 'grey' | null;
  cutOff: boolean;
}

/** Decodes pictures, which are hostile until decoded, in a process of its own. Rejects with the `image_*` codes. */
export interface PictureWorker {
  /** `page`: of a file that holds several; from 1 on. */
  inspect(source: ImageSource, page?: number): Promise<PictureFacts>;
  /** Null for a file of one picture. */
  pages(source: ImageSource, from: number): Promise<Pages | null>;
  /** PNG of a part. */
  crop(source: ImageSource, region: Region): Promise<Uint8Array>;
  /** PNG of several, beside each other, below each other, or as a grid; labels are A, B, C ... */
  compose(sources: ImageSource[], layout: 'row' | 'column' | 'grid', labels: boolean): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A picture file (`page`: of one that holds several, from 1 on), or pixels: [height, width, 3]. */
export type OcrPicture = { source: ImageSource; page?: number | undefined } | { data: Uint8Array; width: number; height: number };

/**
 * Reads the text in pictures, one after the other, in a process of its own. Needs no model of the engine. Rejects with the
 * `image_*` codes, with `ocr_missing` and `ocr_failed`, and with `cancelled` for an aborted signal.
 */
export interface TextRecogniser {
  /** In the order of reading; `onLine` gets each as soon as it is read. No text is no lines. */
  recognise(picture: OcrPicture, options?: Abortable & { onLine?: (line: TextLine) => void }): Promise<TextLine[]>;
  close(): Promise<void>;
}

/** A file on this machine; the password is handed on and kept nowhere. */
export interface DocumentFile {
  path: string;
  password?: string | undefined;
}

export interface DocumentFacts {
  kind: 'pdf' | 'picture';
  name: string;
  bytes: number;
  pageCount: number;
}

/** `text`: the file's own; `ocr`: read from the picture; `picture`: only to be looked at, so far; `failed`: see `failure`. */
export const pageStates = ['text', 'ocr', 'picture', 'blank', 'failed'] as const;
export type PageState = (typeof pageStates)[number];

/**
 * `garbled`: the file does not say which characters its text has. `damaged`: part of the page may be missing. `hidden-text`: words
 * that nobody can see, which are left out of the text. `font-missing`: words that cannot be drawn, for want of a font.
 * `too-large`: drawn at less than a pixel a point.
 */
export const pageFlags = ['garbled', 'damaged', 'hidden-text', 'form', 'font-missing', 'picture-not-drawn', 'too-large'] as const;
export type PageFlag = (typeof pageFlags)[number];

/** Left, top, right, bottom in points from the left and the top of the page as it is shown. */
export interface PageWord {
  text: string;
  box: [number, number, number, number];
}

/** Checkboxes are yes or no. */
export interface FormField {
  name: string;
  value: string;
}

export interface PageReading {
  /** From 1 on. */
  number: number;
  /** The number that is printed on it. */
  label: string;
  /** Points as it is shown; pixels of a picture. 0 of a page that failed. */
  width: number;
  height: number;
  /** Degrees clockwise. */
  rotation: number;
  state: PageState;
  flags: PageFlag[];
  /** What a person sees, in the order of reading, then what is filled in. */
  text: string;
  words: PageWord[];
  fields: FormField[];
  hiddenWords: number;
  failure: Failure | null;
}

/** [height, width, 3]. */
export interface PageDrawing {
  data: Uint8Array;
  width: number;
  height: number;
}

/**
 * Reads documents (PDF, TIFF, pictures), one page after the other, in a process of its own. Rejects with the `document_*` and
 * `image_*` codes and with `cancelled`.
 */
export interface DocumentReader {
  open(file: DocumentFile, options?: Abortable): Promise<DocumentFacts>;
  /** Resolves with a `failed` page where the page is at fault; rejects where the whole file is. */
  readPage(file: DocumentFile, number: number, options?: Abortable): Promise<PageReading>;
  /** At most 16 megapixels and 4,096 a side, whatever the resolution. Pictures come as they are. */
  drawPage(file: DocumentFile, number: number, options: Abortable & { dpi: number }): Promise<PageDrawing>;
  close(): Promise<void>;
}

/** How a host takes pictures of the screen. */
export interface CaptureHost {
  state(): Promise<CaptureState>;
  start(mode: 'region' | 'display' | 'last'): Promise<void>;
  display(displayId: string): Promise<Display>;
  /** The page of this display's overlay shows it. */
  drawn(displayId: string): Promise<void>;
  finish(displayId: string, region: Region): Promise<void>;
  /** The text in a region; the capture goes on. */
  text(displayId: string, region: Region): Promise<TextLine[]>;
  cancel(): Promise<void>;
  current(): Promise<Picture | null>;
  /** True when the hotkey came within ten seconds. */
  testHotkey(): Promise<boolean>;
  /** For a minute at most. */
  pauseHotkey(paused: boolean): Promise<void>;
}
