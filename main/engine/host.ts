/**
 * Entry of the engine's process. It alone loads the addon: a driver that crashes costs this process, which the client
 * replaces. Pictures, which may be hostile, are decoded in the picture process; their tiles come with the request.
 */
import { randomInt } from 'node:crypto';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { LoupeError, toFailure } from '../errors.ts';
import { readCheckpointFiles } from '../prompt/checkpoint-files.ts';
import { createDetokenizer } from '../prompt/detokenizer.ts';
import { createPromptEncoder, type PromptEncoder } from '../prompt/encoder.ts';
import { ggufEntries } from '../prompt/gguf-entries.ts';
import { ggufCheckpointFiles } from '../prompt/gguf-files.ts';
import { promptLanguage, readPromptLanguage, type PromptLanguage } from '../prompt/prompt.ts';
import { createStopTexts } from '../prompt/stops.ts';
import type { Addon, DeviceInfo, ModelFacts, ModelInfo, NativeEngine, SamplingOptions } from '../native-surface.ts';
import { loadAddon, shaderDirectory } from '../process/addon.ts';
import { confineEngine } from '../process/confine.ts';
import { parentChannel, type ParentChannel } from '../process/channel.ts';
import { holdLifeline, type Lifeline } from '../process/lifeline.ts';
import {
  parseRequest,
  type ChatMessage,
  type EngineSettings,
  type Event,
  type KernelValues,
  type ModelPlace,
  type Request,
  type RequestOf,
  type Result,
  type SamplingAdvice,
  type Score,
  type WorkStage,
} from '../protocol.ts';
import { meaninglessPrompt } from './meaningless-prompt.ts';
import { nativeImage, picturesOf, preparedFor, seen } from './prepared-pictures.ts';
import { scoreTokens } from './score.ts';

const lifeline = holdLifeline();

/** The request that holds the engine. */
interface Running {
  id: number;
  place: Place;
  /** Of work that needs no device. */
  cancel?: () => void;
}

/** Where a request is, for whoever watches. */
interface Place {
  stage: WorkStage;
  /** That this process has seen itself. */
  steps: number;
  /** Also before it is at work: a cancel may come in one piece with its request. */
  cancelled: boolean;
}

interface Loaded {
  model: ModelInfo;
  /** Null when the checkpoint has no tokenizer. */
  language: PromptLanguage | null;
  encoder: PromptEncoder | null;
}

type Work = Extract<
  Request,
  { type: 'estimate' | 'load' | 'generate' | 'score' | 'trace' | 'quantise' | 'measure' | 'copyBandwidth' | 'kernels' | 'selfTest' }
>;

class Host {
  readonly #channel: ParentChannel;
  readonly #lifeline: Lifeline;
  /** Of every request that is not answered. */
  readonly #places = new Map<number, Place>();
  #addon: Addon | null = null;
  #engine: NativeEngine | null = null;
  /** The settings that `#engine` was opened with. */
  #engineKey = '';
  /** That it was settled with. */
  #settled: KernelValues = {};
  #loaded: Loaded | null = null;
  #running: Running | null = null;
  /** Where the process goes on writing. */
  #writes: string[] = [];
  /** Done before the first request is served; with what it says of itself. */
  #confined: Promise<string | null> | null = null;

  constructor(channel: ParentChannel, lifeline: Lifeline) {
    this.#channel = channel;
    this.#lifeline = lifeline;
  }

  async serve(): Promise<void> {
    this.#channel.onMessage((message) => void this.#receive(message));
    // An end in good order might wait for a driver that hangs, and nobody waits for it.
    this.#channel.onClose(() => process.kill(process.pid, 'SIGKILL'));
    this.#lifeline.onBeat(() => this.#beat());
    await this.#lifeline.started();
    this.#send({ type: 'ready' });
  }

  #beat(): void {
    if (this.#places.size === 0) return;
    const native = this.#addon?.activity() ?? { steps: 0, waiting: false };
    // The engine's threads work for the request that holds it.
    const work = Array.from(this.#places, ([id, { stage, steps }]) => ({
      id,
      stage,
      steps: steps + (id === this.#running?.id ? native.steps : 0),
    }));
    this.#send({ type: 'beat', waiting: native.waiting, work });
  }

  #enter(id: number, stage: WorkStage): void {
    this.#places.get(id)!.stage = stage;
  }

  /** In the stage where it is, or in another now. */
  #step(id: number, stage: WorkStage): void {
    const place = this.#places.get(id)!;
    place.stage = stage;
    place.steps++;
  }

  async #receive(message: unknown): Promise<void> {
    let request: ReturnType<typeof parseRequest>;
    try {
      request = parseRequest(message);
    } catch (error) {
      this.#send({ type: 'error', id: idOf(message), failure: toFailure(error) });
      return;
    }
    if (request.type === 'exit') return void this.#exit();
    if (request.type === 'cancel') return this.#cancel(request.id);
    if (request.type === 'writes') return void this.#writes.push(...request.folders);
    this.#places.set(request.id, { stage: 'sent', steps: 0, cancelled: false });
    try {
      this.#confined ??= confineEngine([...this.#writes, ...writesOf(request)]);
      await this.#confined;
      const result = await this.#answer(request);
      // Some are large, and copying them takes a moment.
      this.#lifeline.during('result', () => this.#send({ type: 'done', id: request.id, result }));
    } catch (error) {
      this.#send({ type: 'error', id: request.id, failure: toFailure(error) });
    } finally {
      this.#places.delete(request.id);
    }
  }

  async #answer(request: Request): Promise<unknown> {
    switch (request.type) {
      case 'devices':
        return this.#devices(request);
      case 'confinement':
        return this.#confined;
      case 'memory':
        return { ...this.#opened().memory(), hostPeakBytes: hostPeakBytes() };
      case 'countTokens':
        return this.#countTokens(request);
      case 'inspect':
        return this.#inspect(request);
      case 'estimate':
      case 'load':
      case 'generate':
      case 'score':
      case 'trace':
      case 'quantise':
      case 'measure':
      case 'copyBandwidth':
      case 'kernels':
      case 'selfTest':
        return this.#work(request);
      default:
        return request satisfies never;
    }
  }

  async #work(request: Work): Promise<unknown> {
    if (this.#running) throw new LoupeError('engine_busy', 'The engine is busy with another request.');
    const running: Running = { id: request.id, place: this.#places.get(request.id)! };
    this.#running = running;
    try {
      switch (request.type) {
        case 'estimate':
          return await this.#estimate(request);
        case 'load':
          return await this.#load(request);
        case 'generate':
          return await this.#generate(request, running);
        case 'score':
          return await this.#score(request);
        case 'trace':
          return await this.#trace(request);
        case 'quantise':
          return await this.#quantise(request, running);
        case 'measure':
          return await this.#measure(request);
        case 'copyBandwidth':
          return await this.#copyBandwidth(request);
        case 'kernels':
          return await this.#kernels(request);
        case 'selfTest':
          return await this.#selfTest(request);
        default:
          return request satisfies never;
      }
    } finally {
      this.#running = null;
    }
  }

  #devices({ id }: RequestOf<'devices'>): Promise<DeviceInfo[]> {
    this.#enter(id, 'devices');
    return this.#useAddon().listDevices();
  }

  /** One inspection for the list of models and for loading: all that `load` checks before the device sees a byte. */
  async #examine(
    id: number,
    place: ModelPlace,
    stops?: string[] | undefined,
  ): Promise<{ facts: ModelFacts; language: PromptLanguage | null }> {
    this.#enter(id, 'language');
    const facts = await this.#useAddon().inspectModel(place);
    return { facts, language: await this.#lifeline.during('language', () => this.#readLanguage(place, stops)) };
  }

  async #inspect({ id, body: place }: RequestOf<'inspect'>): Promise<ModelFacts> {
    const { facts, language } = await this.#examine(id, placeOf(place));
    if (!language) throw withoutTokenizer();
    return facts;
  }

  async #estimate({ id, body: { contextLength, engine: settings, ...place } }: RequestOf<'estimate'>): Promise<Result<'estimate'>> {
    const engine = await this.#open(id, settings);
    this.#throwIfCancelled('The estimate');
    this.#enter(id, 'estimate');
    return { ...(await engine.estimate({ ...placeOf(place), ...withoutUndefined({ contextLength }) })), device: engine.device };
  }

  async #load({ id, body }: RequestOf<'load'>): Promise<Result<'load'>> {
    const { contextLength, hostLayers, embeddingOnHost, engine: settings } = body;
    const place = placeOf(body);
    const { stops, advice } = 'gguf' in body ? body : { stops: undefined, advice: undefined };
    const language = advised((await this.#examine(id, place, stops)).language, advice);
    const engine = await this.#open(id, settings);
    this.#throwIfCancelled('Loading');
    this.#loaded = null;
    this.#enter(id, 'load');
    const model = await engine.load({
      ...place,
      ...withoutUndefined({ contextLength, hostLayers, embeddingOnHost }),
      onProgress: (doneBytes, totalBytes) => {
        this.#step(id, 'load');
        this.#send({ type: 'progress', id, doneBytes, totalBytes });
      },
    });
    this.#loaded = { model, language, encoder: language && createPromptEncoder(language) };
    return { model, device: engine.device, paths: engine.paths, promptFormat: language?.format.kind ?? null };
  }

  async #generate({ id, body }: RequestOf<'generate'>, running: Running): Promise<Result<'generate'>> {
    const { messages, answerSoFar, maxTokens, sampling } = body;
    const engine = this.#opened();
    const { model } = this.#needModel();
    const language = this.#needLanguage();
    const began = performance.now();
    const images = picturesOf(messages, model);
    const tokens = this.#encode(id, messages, answerSoFar);
    const settings: SamplingOptions = { ...language.sampling, seed: randomInt(2 ** 32), ...withoutUndefined(sampling ?? {}) };
    const reply = { sampling: settings, images: images.map(seen) };
    const prepareMs = performance.now() - began;
    if (running.place.cancelled) return { ...reply, ...nothingGenerated(tokens.length, prepareMs) };

    const detokenizer = createDetokenizer(language.tokenizer);
    const stopTexts = createStopTexts(language.stops.texts);
    let text = '';
    const say = (piece: string): void => {
      if (piece === '') return;
      text += piece;
      this.#send({ type: 'token', id, text: piece });
    };
    let pushed = 0;
    let ended = false;
    this.#enter(id, images.length > 0 ? 'encode' : 'prefill');
    const result = await engine.generate({
      tokens,
      images: images.map(nativeImage),
      maxTokens,
      stopTokens: language.stops.tokens.length > 0 ? language.stops.tokens : model.stopTokens,
      sampling: settings,
      onToken: (token) => {
        this.#step(id, 'decode');
        // The engine may be a token ahead of what ends it.
        if (ended) return;
        pushed++;
        const said = stopTexts.push(detokenizer.push(token));
        ended = said.ended;
        say(said.text);
        if (ended) engine.cancel();
      },
      onStage: (stage, done, total) => {
        this.#step(id, stage);
        this.#send({ type: 'stage', id, stage, done, total });
      },
    });
    say(stopTexts.rest());
    const end = ended
      ? { tokens: result.tokens.slice(0, pushed), finish: 'stop' as const }
      : { tokens: result.tokens, finish: result.finish };
    const { token: _, ...statistics } = result.statistics;
    return {
      ...reply,
      text,
      ...end,
      statistics: { ...statistics, prepareMs, firstTokenMs: prepareMs + statistics.firstTokenMs },
    };
  }

  #countTokens({ id, body: { messages, prompts, most = Infinity, answerSoFar } }: RequestOf<'countTokens'>): Result<'countTokens'> {
    const choices = prompts?.map((indices) => Array.from(indices, (index) => messageAt(messages, index))) ?? [messages];
    return this.#inPrompt(id, (encoder) => encoder.choose(choices, most, answerSoFar));
  }

  #encode(id: number, messages: ChatMessage[], answerSoFar?: string | undefined): Int32Array {
    return this.#inPrompt(id, (encoder) => encoder.encode(messages, answerSoFar));
  }

  #inPrompt<Encoded>(id: number, work: (encoder: PromptEncoder) => Encoded): Encoded {
    this.#needLanguage();
    this.#enter(id, 'prompt');
    return this.#lifeline.during('prompt', () => work(this.#needModel().encoder!));
  }

  async #score({ id, body: { messages, texts, beginnings = false } }: RequestOf<'score'>): Promise<Result<'score'>> {
    const engine = this.#opened();
    const { model } = this.#needModel();
    const language = this.#needLanguage();
    const images = messages ? picturesOf(messages, model) : [];
    const prompt = messages ? this.#encode(id, messages) : this.#needModel().encoder!.beginning();
    this.#enter(id, 'score');
    const scores: Score[] = [];
    let traced: { tokens: Int32Array; logits: Float32Array } | null = null;
    for (const text of texts) {
      const words = language.tokenizer.encodeText(text).slice(0, beginnings ? 1 : undefined);
      // Nothing is asked after the last token, so that texts of one token share a run.
      const tokens = Int32Array.from([...prompt, ...words.slice(0, -1)]);
      this.#throwIfCancelled('Scoring');
      if (!traced || !isDeepStrictEqual(traced.tokens, tokens)) {
        traced = { tokens, logits: (await engine.trace({ tokens, images: images.map(nativeImage), continueFor: 0 })).logits };
        this.#step(id, 'score');
      }
      const { logits } = traced;
      scores.push(this.#lifeline.during('result', () => scoreTokens(logits, model.vocabularySize, prompt.length - 1, words)));
    }
    return scores;
  }

  async #trace({ id, body: { tokens, images: sources, continueFor } }: RequestOf<'trace'>): Promise<Result<'trace'>> {
    const engine = this.#opened();
    const { model } = this.#needModel();
    const images = sources.map((image) => preparedFor(image, model));
    this.#throwIfCancelled('The trace');
    this.#enter(id, 'trace');
    const result = await engine.trace({ tokens, images: images.map(nativeImage), continueFor });
    return {
      ...result,
      aspectRatioIds: Int32Array.from(images, ({ aspectRatioId }) => aspectRatioId),
      numTiles: Int32Array.from(images, ({ numTiles }) => numTiles),
    };
  }

  async #quantise({ id, body }: RequestOf<'quantise'>, running: Running): Promise<Result<'quantise'>> {
    const { directory, target, text, vision, threads } = body;
    this.#enter(id, 'language');
    const entries = await this.#lifeline.during('language', async () => ggufEntries(await readCheckpointFiles(directory)));
    this.#enter(id, 'quantise');
    this.#throwIfCancelled('Quantising');
    const { done, cancel } = this.#useAddon().quantise({
      ...{ directory, target, text, vision, entries },
      ...withoutUndefined({ threads }),
      onProgress: (doneBytes, totalBytes) => {
        this.#step(id, 'quantise');
        this.#send({ type: 'progress', id, doneBytes, totalBytes });
      },
    });
    running.cancel = cancel;
    return { ...(await done), hostPeakBytes: hostPeakBytes() };
  }

  async #measure({ id, body: { tokens, seed, picture, maxTokens, sampling } }: RequestOf<'measure'>): Promise<Result<'measure'>> {
    const { model } = this.#needModel();
    const settings: SamplingOptions = sampling ?? { ...this.#needLanguage().sampling, seed };
    this.#throwIfCancelled('The measurement');
    const prompt = this.#lifeline.during('language', () => meaninglessPrompt(model, tokens, seed, picture));
    this.#enter(id, picture ? 'encode' : 'prefill');
    const result = await this.#opened().generate({
      ...prompt,
      maxTokens,
      stopTokens: [],
      sampling: settings,
      // A measurement is of tokens that are computed one by one, whatever is drawn.
      speculation: 'off',
      onStage: (stage) => this.#step(id, stage),
    });
    if (result.finish === 'cancelled') throw new LoupeError('cancelled', 'The measurement was cancelled.');
    const { token, ...statistics } = result.statistics;
    return { statistics, token, sampling: settings };
  }

  async #copyBandwidth({ id, body: { engine: settings } }: RequestOf<'copyBandwidth'>): Promise<Result<'copyBandwidth'>> {
    const engine = await this.#open(id, settings);
    this.#throwIfCancelled('The measurement');
    this.#enter(id, 'self-test');
    return { device: engine.device, bytesPerSecond: await engine.copyBandwidth() };
  }

  async #kernels({ id, body: { engine: settings, measure } }: RequestOf<'kernels'>): Promise<Result<'kernels'>> {
    // Its session has recorded steps of the kernels that there are.
    if (measure && this.#loaded) await this.#closeEngine();
    const engine = await this.#open(id, settings);
    this.#throwIfCancelled('Timing kernels');
    this.#enter(id, 'kernels');
    const onProgress = (done: number, total: number): void => {
      this.#step(id, 'kernels');
      this.#send({ type: 'progress', id, doneBytes: done, totalBytes: total });
    };
    const times = measure ? await engine.timeVariants({ onProgress }) : [];
    return { device: engine.device, questions: engine.questions, times };
  }

  async #selfTest({ id, body: { engine: settings } }: RequestOf<'selfTest'>): Promise<Result<'selfTest'>> {
    const engine = await this.#open(id, settings);
    this.#throwIfCancelled('The self-test');
    this.#enter(id, 'self-test');
    const items = await engine.selfTest();
    return { device: engine.device, paths: engine.paths, items, memory: engine.memory() };
  }

  /** Null without a tokenizer: such a checkpoint can still be traced. */
  async #readLanguage(place: ModelPlace, stops?: string[] | undefined): Promise<PromptLanguage | null> {
    try {
      if ('directory' in place) return await readPromptLanguage(place.directory);
      const { metadata } = await this.#useAddon().readGguf(place.gguf);
      return promptLanguage(ggufCheckpointFiles(new Map(metadata), place.gguf[0] ?? 'the GGUF file'), stops);
    } catch (error) {
      if (error instanceof LoupeError && error.code === 'tokenizer_missing') return null;
      throw error;
    }
  }

  /** The engine forgets a cancel that comes before it is at work. */
  #throwIfCancelled(what: string): void {
    if (this.#running?.place.cancelled) throw new LoupeError('cancelled', `${what} was cancelled.`);
  }

  #cancel(id: number): void {
    const place = this.#places.get(id);
    if (!place) return;
    place.cancelled = true;
    if (this.#running?.id !== id) return;
    this.#running.cancel?.();
    this.#engine?.cancel();
  }

  async #exit(): Promise<void> {
    // A running request ends with the process; only an idle engine can be closed.
    if (!this.#running) await this.#engine?.close();
    process.exit(0);
  }

  #useAddon(): Addon {
    this.#addon ??= loadAddon();
    return this.#addon;
  }

  /** The engine with these settings; another one is closed first, with its model. */
  async #open(id: number, { kernels = {}, ...settings }: EngineSettings): Promise<NativeEngine> {
    const key = JSON.stringify(settings, Object.keys(settings).sort());
    if (this.#engine && key === this.#engineKey && (!this.#loaded || isDeepStrictEqual(kernels, this.#settled))) {
      if (!this.#loaded) this.#settle(this.#engine, kernels);
      return this.#engine;
    }
    this.#enter(id, 'open');
    const addon = this.#useAddon();
    await this.#closeEngine();
    const engine = await addon.Engine.open({ ...withoutUndefined(settings), shaderDirectory: shaderDirectory() });
    this.#engine = engine;
    this.#engineKey = key;
    this.#settle(engine, kernels);
    return engine;
  }

  #settle(engine: NativeEngine, kernels: KernelValues): void {
    engine.settle(kernels);
    this.#settled = kernels;
  }

  async #closeEngine(): Promise<void> {
    const before = this.#engine;
    this.#engine = null;
    this.#loaded = null;
    await before?.close();
  }

  #opened(): NativeEngine {
    if (!this.#engine) throw new LoupeError('model_missing', 'No model is loaded.', 'Load one first.');
    return this.#engine;
  }

  #needModel(): Loaded {
    if (!this.#loaded) throw new LoupeError('model_missing', 'No model is loaded.', 'Load one first.');
    return this.#loaded;
  }

  #needLanguage(): PromptLanguage {
    const { language } = this.#needModel();
    if (!language) throw withoutTokenizer();
    return language;
  }

  #send(event: Event): void {
    this.#channel.send(event);
  }
}

function withoutTokenizer(): LoupeError {
  return new LoupeError('tokenizer_missing', 'The model has no tokenizer.json, so it cannot be asked anything.');
}

function advised(language: PromptLanguage | null, advice: SamplingAdvice = {}): PromptLanguage | null {
  return language && { ...language, sampling: { ...language.sampling, ...withoutUndefined(advice) } };
}

/** Folders that the first request of a process needs to write in. */
function writesOf({ type, body }: Request): string[] {
  if (type === 'quantise') return [dirname(body.target)];
  const { cacheDirectory } = body && 'engine' in body ? body.engine : {};
  return cacheDirectory === undefined ? [] : [cacheDirectory];
}

/** What the addon needs of it. */
function placeOf(request: { directory: string } | { gguf: string[] }): ModelPlace {
  return 'gguf' in request ? { gguf: request.gguf } : { directory: request.directory };
}

function messageAt(messages: ChatMessage[], index: number): ChatMessage {
  const message = messages[index];
  if (!message) throw new LoupeError('protocol', `A prompt names message ${index} of ${messages.length}.`);
  return message;
}

function nothingGenerated(promptTokens: number, prepareMs: number): Pick<Result<'generate'>, 'text' | 'tokens' | 'finish' | 'statistics'> {
  return {
    text: '',
    tokens: new Int32Array(0),
    finish: 'cancelled',
    statistics: {
      promptTokens,
      reusedTokens: 0,
      generatedTokens: 0,
      proposedTokens: 0,
      acceptedTokens: 0,
      imagesEncoded: 0,
      imagesCached: 0,
      prepareMs,
      encodeMs: 0,
      prefillMs: 0,
      firstTokenMs: 0,
      decodeMs: 0,
    },
  };
}

/** Node counts in KiB on every system. */
function hostPeakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Defined<T>;
}

function idOf(message: unknown): number | null {
  const id = (message as { id?: unknown } | null)?.id;
  return Number.isInteger(id) && (id as number) > 0 ? (id as number) : null;
}

// Ctrl-C reaches the whole process group; the parent decides what it means.
process.on('SIGINT', () => {});
void new Host(parentChannel({ confined: true }), lifeline).serve();
