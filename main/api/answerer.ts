/** The answer to a program's request, by the engine, in the program's turn. */
import { limits } from '../contract.ts';
import { LoupeError, toLoupeError } from '../errors.ts';
import { createStopTexts, type StopTexts } from '../prompt/stops.ts';
import { messagesForUse } from '../services/chat/question.ts';
import { isEngineLost, resumesPerAnswer, type EngineService } from '../services/engine-service.ts';
import type { Models } from '../services/models/models.ts';
import type { AnsweringEngine, GenerateReply, PictureWorker } from '../services/ports.ts';
import type { History, Kept } from './history.ts';
import { mostKept, mostPictures, mostText } from './limits.ts';
import type { ProgramMessage, ProgramPart } from './message.ts';
import { findModelNamed, nameModels, type NamedModel } from './names.ts';
import type { Queue } from './queue.ts';
import type { ProgramRequest } from './request.ts';

export interface ProgramAnswer {
  /** The name of the model that answered. */
  model: string;
  text: string;
  finish: 'stop' | 'length';
  /** Of the prompt, those of them that a cache held, and of the answer. */
  tokens: { prompt: number; cached: number; answer: number };
  /** Milliseconds. `load`: until the model was there. `total`: since the request came. */
  ms: { load: number; prompt: number; answer: number; total: number };
  /** Null where there was no picture. `seen`: which of them the model looked at, from 1 on. */
  pictures: { given: number; seen: number[] } | null;
  /** Null where nothing was to be kept. */
  kept: Kept | null;
}

export interface Listening {
  signal: AbortSignal;
  onText?: (text: string) => void;
}

export interface Answerer {
  models(): NamedModel[];
  find(name: string): NamedModel;
  /** Rejects with `cancelled` where the program left. */
  answer(request: ProgramRequest, listening: Listening): Promise<ProgramAnswer>;
  /** Loads the model and says nothing. Milliseconds that it took. */
  load(name: string, signal: AbortSignal): Promise<number>;
}

export interface AnswererOptions {
  engine: EngineService;
  models: Pick<Models, 'list'>;
  settings: () => { model: string; maxTokens: number };
  pictures: Pick<PictureWorker, 'compose'>;
  queue: Queue;
  history: History;
}

export function createAnswerer(options: AnswererOptions): Answerer {
  const { engine, models, settings, pictures, queue, history } = options;
  const named = (): NamedModel[] => nameModels(models.list());
  const find = (name: string): NamedModel => findModelNamed(named(), settings().model, name);

  /** In the program's turn, and after everything that the person asks. */
  function use<Result>(name: string, signal: AbortSignal, work: (port: AnsweringEngine) => Promise<Result>): Promise<Result> {
    const { id } = find(name).choice;
    return engine.use(signal, work, { other: id === settings().model ? undefined : id, givesWay: true, onlyHere: 'Programs are answered' });
  }

  return {
    models: named,
    find,
    async answer(request, { signal, onText = () => {} }) {
      const came = performance.now();
      find(request.model);
      checkLength(request);
      const { messages, writer, ...answer } = await queue.run(signal, async () => {
        const turn = performance.now();
        const { messages, pictures: seen } = await withOnePicture(request, pictures);
        const writing = createWriting(request.stops, onText);
        for (let resumed = 0; ; resumed++) {
          try {
            return await use(request.model, signal, async (port) => {
              const began = performance.now();
              const reply = await generate(port, { engine, request, messages, signal, writing, most: settings().maxTokens });
              const { promptTokens, reusedTokens, prepareMs, encodeMs, prefillMs, decodeMs } = reply.statistics;
              return {
                messages,
                writer: engine.state().model?.name ?? null,
                model: named().find(({ choice }) => choice.id === engine.state().model?.id)?.name ?? request.model,
                text: writing.text(),
                finish: writing.ended() || reply.finish === 'stop' ? ('stop' as const) : ('length' as const),
                tokens: { prompt: promptTokens, cached: reusedTokens, answer: writing.tokens() },
                ms: { load: began - turn, prompt: prepareMs + encodeMs + prefillMs, answer: decodeMs, total: performance.now() - came },
                pictures: seen,
              };
            });
          } catch (thrown) {
            const { code } = toLoupeError(thrown);
            // An engine that was lost starts again by itself, and goes on from the last word.
            if (!isEngineLost(code) || resumed === resumesPerAnswer || signal.aborted) throw thrown;
          }
        }
      });
      const { text, finish } = answer;
      return { ...answer, kept: request.store ? await history.keep(messages, { text, finish, model: writer }) : null };
    },
    load: (name, signal) => {
      const began = performance.now();
      return queue.run(signal, () => use(name, signal, async () => performance.now() - began));
    },
  };
}

/** What has been written, up to a stop. */
interface Writing {
  push(text: string): void;
  finish(tokens: number): void;
  /** Everything that the engine wrote, for one that goes on from there. */
  written(): string;
  /** What the program gets. */
  text(): string;
  tokens(): number;
  /** A stop was written. */
  ended(): boolean;
  onEnd(listener: () => void): void;
}

function createWriting(stops: readonly string[], onText: (text: string) => void): Writing {
  const held: StopTexts = createStopTexts(stops);
  let written = '';
  let shown = '';
  let tokens = 0;
  let hasEnded = false;
  let listener = (): void => {};
  const show = (text: string): void => {
    if (text === '') return;
    shown += text;
    onText(text);
  };
  return {
    push(text) {
      if (hasEnded) return;
      written += text;
      const next = held.push(text);
      hasEnded = next.ended;
      show(next.text);
      if (hasEnded) listener();
    },
    finish(count) {
      tokens += count;
      if (!hasEnded) show(held.rest());
    },
    written: () => written,
    text: () => shown,
    tokens: () => tokens,
    ended: () => hasEnded,
    onEnd: (next) => (listener = next),
  };
}

interface Generation {
  engine: EngineService;
  request: ProgramRequest;
  messages: ProgramMessage[];
  signal: AbortSignal;
  writing: Writing;
  /** Tokens, where the program does not say. */
  most: number;
}

async function generate(port: AnsweringEngine, { engine, request, messages, signal, writing, most }: Generation): Promise<GenerateReply> {
  const state = engine.state();
  if (request.kind === 'complete' && state.use !== 'complete') {
    throw new LoupeError(
      'request_invalid',
      `${state.model?.name ?? 'This model'} answers conversations; it does not continue a text.`,
      'Ask it with a list of messages, or use a base model.',
    );
  }
  if (state.vision === null && messages.some(({ content }) => content.some(({ type }) => type === 'image'))) {
    throw new LoupeError('image_unseen', `${state.model?.name ?? 'This model'} reads text only; it cannot see the picture.`);
  }
  const stop = new AbortController();
  writing.onEnd(() => stop.abort());
  const reply = await port.generate(
    {
      messages: messagesForUse(messages, state.use),
      answerSoFar: writing.written(),
      maxTokens: Math.min(request.maxTokens ?? most, state.contextLength ?? most),
      // Of verdicts the likeliest counts.
      sampling: state.use === 'guard' ? { temperature: 0, ...request.sampling } : request.sampling,
    },
    { signal: AbortSignal.any([signal, stop.signal]), onText: (text) => writing.push(text) },
  );
  if (signal.aborted) throw new LoupeError('cancelled', 'The program left before the answer was complete.');
  writing.finish(reply.statistics.generatedTokens);
  return reply;
}

/** Tokenising a book costs seconds, before anybody finds that it does not fit. */
function checkLength({ messages, store }: Pick<ProgramRequest, 'messages' | 'store'>): void {
  if (store && messages.length > mostKept) {
    throw new LoupeError(
      'request_invalid',
      `The conversation has ${messages.length} messages, and Loupe keeps at most ${mostKept}.`,
      'Leave "store" out, or send fewer.',
    );
  }
  const characters = messages
    .flatMap(({ content }) => content)
    .reduce((sum, part) => sum + (part.type === 'text' ? part.text.length : 0), 0);
  if (characters > mostText) {
    throw new LoupeError('context_full', `The messages hold ${characters} characters, and Loupe takes at most ${mostText}.`);
  }
}

/** Llama 3.2 looks at one picture. */
async function withOnePicture(
  { messages, compose }: Pick<ProgramRequest, 'messages' | 'compose'>,
  worker: Pick<PictureWorker, 'compose'>,
): Promise<{ messages: ProgramMessage[]; pictures: ProgramAnswer['pictures'] }> {
  const all = messages.flatMap(({ content }) => content.flatMap((part) => (part.type === 'image' ? [part.image] : [])));
  const last = all.at(-1);
  if (!last) return { messages, pictures: null };
  if (all.length > mostPictures) {
    throw new LoupeError(
      'request_invalid',
      `The request has ${all.length} pictures, and Loupe takes at most ${mostPictures}.`,
      'Send fewer.',
    );
  }
  const composed = compose && all.length > 1;
  const picture = composed ? await composeAll(all, worker) : last;
  return {
    messages: messages.map(({ role, content }) => ({
      role,
      content: content.flatMap((part): ProgramPart[] => {
        if (part.type === 'text') return [part];
        return part.image === last ? [{ type: 'image', image: picture }] : [];
      }),
    })),
    pictures: { given: all.length, seen: composed ? all.map((_, index) => index + 1) : [all.length] },
  };
}

type Sent = Extract<ProgramPart, { type: 'image' }>['image'];

async function composeAll(sources: Sent[], worker: Pick<PictureWorker, 'compose'>): Promise<Sent> {
  const most = limits.picturesPerMessage;
  if (sources.length > most) {
    throw new LoupeError(
      'image_several',
      `${sources.length} pictures are too many for a grid of at most ${most}.`,
      'Send fewer, or ask about them one by one.',
    );
  }
  return { bytes: await worker.compose(sources, 'grid', true), name: 'grid.png' };
}
