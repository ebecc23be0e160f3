/** An Engine that answers without a model: the same words for the same question. For tests of everything above the engine. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LoupeError } from '../../errors.ts';
import type { Engine, EngineLoss } from '../../services/ports.ts';
import type { Body, ChatMessage, GenerateReply, LoadedModel, ModelPlace, Score, TurnStatistics } from '../../protocol.ts';
import type { ModelFacts, ModelSizes } from '../../native-surface.ts';
import { device, estimate, loaded, memory } from './fake-facts.ts';

export interface FakeEngineOptions {
  /** Default: says what it was asked and how many pictures it was given. */
  answer?: (messages: ChatMessage[]) => string;
  /** Milliseconds between two words. */
  wordMs?: number;
  /** Words at the beginning of an answer for which nobody waits. */
  wordsAtOnce?: number;
  /** In words. */
  contextLength?: number;
  /** What differs from a model that fits. */
  sizes?: Partial<ModelSizes>;
  /** Default: takes whatever there is. */
  inspect?: (place: ModelPlace) => ModelFacts | Promise<ModelFacts>;
  /** Default: every text is sure, but for what a picture's name does not say. */
  score?: (request: Body<'score'>) => Score[] | Promise<Score[]>;
}

export interface FakeEngine extends Engine {
  /** The running and the next generation fail as if the process had died. */
  crash(): void;
}

export function createFakeEngine({
  answer = describe,
  wordMs = 0,
  wordsAtOnce = 0,
  contextLength = loaded.model.contextLength,
  sizes = {},
  score = sure,
  inspect = factsOf,
}: FakeEngineOptions = {}): FakeEngine {
  const listeners: ((loss: EngineLoss) => void)[] = [];
  let isLoaded = false;
  let crashed = false;
  let closed = false;
  let requestId = 0;

  const begin = (signal?: AbortSignal): void => {
    requestId++;
    if (closed) throw new LoupeError('cancelled', 'The engine is closed.');
    if (signal?.aborted) throw new LoupeError('cancelled', 'The request was cancelled.');
  };
  const needModel = (): void => {
    if (!isLoaded) throw new LoupeError('model_missing', 'No model is loaded.', 'Load one first.');
  };
  const failIfCrashed = (kind: string): void => {
    if (!crashed) return;
    crashed = false;
    for (const listener of listeners) listener({ requestId, kind, code: 'engine_crashed', exit: 'signal SIGKILL' });
    throw new LoupeError('engine_crashed', `The engine stopped during ${kind} (request ${requestId}): signal SIGKILL.`);
  };

  return {
    async devices({ signal } = {}) {
      begin(signal);
      return [device];
    },
    async confinement({ signal } = {}) {
      begin(signal);
      return null;
    },
    async inspect(place, { signal } = {}) {
      begin(signal);
      return inspect(place);
    },
    async estimate({ contextLength: tokens = contextLength }, { signal } = {}) {
      begin(signal);
      return { ...estimate, contextLength: tokens, ...sizes, device };
    },
    async load(request, { signal, onProgress } = {}) {
      begin();
      isLoaded = false;
      onProgress?.(500, 1000);
      if (signal?.aborted) throw new LoupeError('cancelled', 'The request (load) was cancelled.');
      onProgress?.(1000, 1000);
      isLoaded = true;
      return { ...loaded, model: { ...loaded.model, contextLength: request.contextLength ?? contextLength, placement: placed(request) } };
    },
    async countTokens({ messages, prompts, most = Infinity, answerSoFar = '' }, { signal } = {}) {
      begin(signal);
      needModel();
      const soFar = wordsOf(answerSoFar).length;
      const all = (prompts ?? [messages.keys()]).map((indices) => Array.from(indices, (index) => messages[index]!));
      return firstFitting(all.map(countWords), most - soFar, soFar);
    },
    async generate({ messages, answerSoFar = '', maxTokens, sampling }, { signal, onText, onStage } = {}) {
      begin();
      needModel();
      const words = wordsOf(restOf(answer(messages), answerSoFar));
      const images = messages.flatMap(({ content }) => content).filter(({ type }) => type === 'image').length;
      onStage?.('prefill', 1, 1);
      const { text, generated, finish } = await write(words, {
        maxTokens,
        pause: (written) => pause(written < wordsAtOnce ? 0 : wordMs, signal),
        isCancelled: () => {
          failIfCrashed('generate');
          return signal?.aborted === true || closed;
        },
        onWord: (word, written) => {
          onText?.(word);
          onStage?.('decode', written, maxTokens);
        },
      });
      return {
        text,
        tokens: Int32Array.from({ length: generated }, (_, index) => index),
        finish,
        statistics: statistics(generated, images),
        sampling: samplingOf(sampling),
        images: [],
      };
    },
    async score(request, { signal } = {}) {
      begin();
      needModel();
      const scores = await score(request);
      if (signal?.aborted) throw new LoupeError('cancelled', 'Scoring was cancelled.');
      return scores;
    },
    async trace(request, { signal } = {}) {
      begin(signal);
      needModel();
      return traced(request);
    },
    async quantise({ target }, { onProgress } = {}) {
      begin();
      onProgress?.(1, 1);
      throw new LoupeError('file_unwritable', `The fake engine writes no ${target}.`);
    },
    async measure({ tokens, picture, maxTokens, sampling }, { signal } = {}) {
      begin(signal);
      needModel();
      const { prepareMs: _, ...turn } = statistics(maxTokens, picture ? 1 : 0);
      return {
        statistics: { ...turn, promptTokens: tokens, encodeMs: picture ? 4 : 0, prefillMs: 2 * tokens, firstTokenMs: 5, decodeMs: 10 },
        token: { dispatches: 9, barriers: 8, submissions: 1, hostUs: 20 },
        sampling: sampling ?? { temperature: 0.6, topK: 0, topP: 0.9, minP: 0, repetitionPenalty: 1, seed: 1 },
      };
    },
    async copyBandwidth(_, { signal } = {}) {
      begin(signal);
      return { device, bytesPerSecond: 1e9 };
    },
    async kernels({ measure }, { signal, onProgress } = {}) {
      begin(signal);
      if (!measure) return { device, questions: [], times: [] };
      onProgress?.(0, 0);
      return { device, questions: [], times: [] };
    },
    async selfTest(_, { signal } = {}) {
      begin(signal);
      return { device, paths: loaded.paths, items: [{ name: 'matmul', ok: true, detail: 'fake' }], memory };
    },
    async memory({ signal } = {}) {
      begin(signal);
      return { ...memory, hostPeakBytes: 1000 };
    },
    onLost: (listener) => void listeners.push(listener),
    async close() {
      closed = true;
    },
    crash() {
      crashed = true;
    },
  };
}

function samplingOf({
  temperature = 0,
  topK = 0,
  topP = 1,
  minP = 0,
  repetitionPenalty = 1,
  seed = 0,
}: NonNullable<Body<'generate'>['sampling']> = {}): GenerateReply['sampling'] {
  return { temperature, topK, topP, minP, repetitionPenalty, seed };
}

interface Writing {
  maxTokens: number;
  pause: (written: number) => Promise<void>;
  /** Asked after each pause. */
  isCancelled: () => boolean;
  onWord: (word: string, written: number) => void;
}

/** Over at once when it is cancelled. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end, { once: true });
    function end(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    }
  });
}

/** A token is a word. */
async function write(
  words: string[],
  { maxTokens, pause, isCancelled, onWord }: Writing,
): Promise<{ text: string; generated: number; finish: GenerateReply['finish'] }> {
  let text = '';
  let generated = 0;
  for (const word of words) {
    await pause(generated);
    if (isCancelled()) return { text, generated, finish: 'cancelled' };
    if (generated === maxTokens) return { text, generated, finish: 'length' };
    text += word;
    onWord(word, ++generated);
  }
  return { text, generated, finish: isCancelled() ? 'cancelled' : 'stop' };
}

/** The last where none fits. */
function firstFitting(counts: number[], most: number, more: number): { prompt: number; tokens: number } {
  const fitting = counts.findIndex((tokens) => tokens <= most);
  const prompt = fitting === -1 ? counts.length - 1 : fitting;
  return { prompt, tokens: counts[prompt]! + more };
}

function restOf(whole: string, soFar: string): string {
  return whole.startsWith(soFar) ? whole.slice(soFar.length) : whole;
}

/** Of the right sizes, and of zeros. */
function traced({ tokens, images, continueFor }: Body<'trace'>): Awaited<ReturnType<Engine['trace']>> {
  const vocabulary = loaded.model.vocabularySize;
  return {
    hiddenSize: 1,
    logits: new Float32Array(tokens.length * vocabulary),
    greedyTokens: new Int32Array(continueFor),
    greedyLogits: new Float32Array(continueFor * vocabulary),
    aspectRatioIds: new Int32Array(images.length).fill(1),
    numTiles: new Int32Array(images.length).fill(1),
  };
}

/** Takes whatever there is. */
function factsOf(place: ModelPlace): ModelFacts {
  const names = 'gguf' in place ? [] : readdirSync(place.directory).filter((name) => name.endsWith('.safetensors'));
  const files = 'gguf' in place ? place.gguf : names.map((name) => join(place.directory, name));
  const fileBytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  return { architecture: 'mllama', precision: 'BF16', files, fileBytes, deviceBytes: fileBytes };
}

/** As it was asked for. */
function placed({ hostLayers = [], embeddingOnHost = false }: Body<'load'>): LoadedModel['model']['placement'] {
  const hostBytes = hostLayers.reduce((sum, layer) => sum + estimate.layers[layer]!.bytes, embeddingOnHost ? estimate.embeddingBytes : 0);
  return { ...loaded.model.placement, deviceBytes: loaded.model.weightBytes - hostBytes, hostBytes, hostLayers, embeddingOnHost };
}

/** Of everything but what a picture's name does not say. */
function sure({ messages, texts }: Body<'score'>): Score[] {
  const names = (messages ?? []).flatMap(({ content }) =>
    content.flatMap((part) => (part.type === 'image' && 'name' in part.image ? [part.image.name] : [])),
  );
  return texts.map((text) => {
    const best = new Float32Array(wordsOf(text).length);
    return { best, logProbabilities: names.length === 0 || names.some((name) => name.startsWith(text)) ? best : best.map(() => -9) };
  });
}

function countWords(messages: ChatMessage[]): number {
  return wordsOf(messages.flatMap(({ content }) => content.map((part) => (part.type === 'text' ? part.text : ''))).join(' ')).length;
}

/** Each with the space before it. */
function wordsOf(text: string): string[] {
  return text.match(/\s*\S+/g) ?? [];
}

export function describe(messages: ChatMessage[]): string {
  const parts = messages.flatMap(({ content }) => content);
  const images = parts.filter(({ type }) => type === 'image').length;
  const last = messages
    .at(-1)!
    .content.map((part) => (part.type === 'text' ? part.text : ''))
    .join('');
  return `You asked: ${last} I was given ${images} picture${images === 1 ? '' : 's'}.`;
}

function statistics(generatedTokens: number, images: number): TurnStatistics {
  return {
    promptTokens: 1,
    reusedTokens: 0,
    generatedTokens,
    proposedTokens: 0,
    acceptedTokens: 0,
    imagesEncoded: images,
    imagesCached: 0,
    prepareMs: 0,
    encodeMs: 0,
    prefillMs: 0,
    firstTokenMs: 0,
    decodeMs: 0,
  };
}
