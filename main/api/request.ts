/** What both dialects become: a conversation with at most one picture that the model looks at, and an answer. */
import * as v from 'valibot';
import { limits } from '../contract.ts';
import { LoupeError, toLoupeError } from '../errors.ts';
import { createStopTexts, type StopTexts } from '../prompt/stops.ts';
import { messagesForUse } from '../services/chat/question.ts';
import type { EngineService } from '../services/engine-service.ts';
import type { Models } from '../services/models/models.ts';
import type { Body, ChatMessage, Engine, GenerateReply, PictureWorker } from '../services/ports.ts';
import type { History, Kept } from './history.ts';
import { mostKept, mostPictures, mostText } from './limits.ts';
import type { ProgramMessage, ProgramPart } from './message.ts';
import { findModelNamed, nameModels, type NamedModel } from './names.ts';
import type { Queue } from './queue.ts';

export interface ProgramRequest {
  /** As the program calls it. */
  model: string;
  /** `complete`: the one text is continued, which only base models do. */
  kind: 'chat' | 'complete';
  messages: ProgramMessage[];
  /** Tokens. Null: what the settings say; Infinity: what the context holds. */
  maxTokens: number | null;
  sampling: NonNullable<Body<'generate'>['sampling']>;
  /** The answer ends before the first of them. */
  stops: string[];
  /** Several pictures become one grid; otherwise the model looks at the last. */
  compose: boolean;
  /** The conversation and its answer are kept among those of the person. */
  store: boolean;
}

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

const resumesPerAnswer = 2;

export function createAnswerer(options: AnswererOptions): Answerer {
  const { engine, models, settings, pictures, queue, history } = options;
  const named = (): NamedModel[] => nameModels(models.list());
  const find = (name: string): NamedModel => findModelNamed(named(), settings().model, name);

  /** In the program's turn, and after everything that the person asks. */
  function use<Result>(name: string, signal: AbortSignal, work: (port: Engine) => Promise<Result>): Promise<Result> {
    const { id } = find(name).choice;
    return engine.use(signal, work, { other: id === settings().model ? undefined : id, givesWay: true });
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
            if ((code !== 'engine_crashed' && code !== 'device_lost') || resumed === resumesPerAnswer || signal.aborted) throw thrown;
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
  messages: ChatMessage[];
  signal: AbortSignal;
  writing: Writing;
  /** Tokens, where the program does not say. */
  most: number;
}

async function generate(port: Engine, { engine, request, messages, signal, writing, most }: Generation): Promise<GenerateReply> {
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

// --- what the dialects parse alike

/** Base64 as people send it: with line breaks, and with or without the address that browsers put before it. Throws `image_unreadable`. */
export function pictureOf(base64: string, name: string): Sent {
  const text = base64.replace(/^data:[^,]{0,200};base64,/, '').replace(/\s+/g, '');
  if (text === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new LoupeError('image_unreadable', `${name} is not a picture in base64.`, 'Send the bytes of the file in base64.');
  }
  return { bytes: Buffer.from(text, 'base64'), name };
}

export const seed = v.pipe(v.number(), v.integer(), v.minValue(-1), v.maxValue(Number.MAX_SAFE_INTEGER));
/** One, or a list; `as` a list. */
export const stops = v.pipe(
  v.lazy((input) => (typeof input === 'string' ? v.string() : v.pipe(v.array(v.string()), v.maxLength(16)))),
  v.transform((given) => [given].flat().filter((text) => text !== '')),
);
export const loupeOptions = v.nullish(v.strictObject({ compose: v.optional(v.literal('grid')) }));

/** Throws `request_invalid` with the field that is wrong. */
export function parseBody<Schema extends v.GenericSchema>(schema: Schema, body: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, body, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  // It may quote what was sent, a picture of megabytes included.
  const words = issue.message.length > 200 ? `${issue.message.slice(0, 200)}…` : issue.message;
  const path = v.getDotPath(issue);
  throw new LoupeError('request_invalid', `${path ? `${path}: ` : ''}${words}.`);
}

/** Throws `request_invalid` for fields that would change the answer and that Loupe cannot honour. `neutral`: what asks for nothing. */
export function refuseFields(body: Record<string, unknown>, neutral: Record<string, readonly unknown[]>): void {
  for (const [field, values] of Object.entries(neutral)) {
    const given = body[field];
    if (given === undefined || given === null) continue;
    const text = JSON.stringify(given).slice(0, 100);
    if (values.some((value) => JSON.stringify(value) === text)) continue;
    throw new LoupeError('request_invalid', `Loupe does not support "${field}".`, `Leave "${field}" out.`);
  }
}

/** -1 leaves it to chance. */
export function samplingOf(
  given: Partial<Record<'temperature' | 'topP' | 'topK' | 'minP' | 'repetitionPenalty' | 'seed', number | null | undefined>>,
): ProgramRequest['sampling'] {
  const stated = Object.entries(given).filter(([name, value]) => typeof value === 'number' && !(name === 'seed' && value < 0));
  return Object.fromEntries(stated);
}
