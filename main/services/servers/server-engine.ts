/** A server of OpenAI's dialect, asked as an engine is. All that it sends is hostile: sizes are limited, and nothing of it is run or followed. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { limits as textLimits } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import { isBounded } from '../../json.ts';
import type { Http, HttpResponse } from '../network.ts';
import type { AnsweringEngine, Body, GenerateReply, PictureWorker } from '../ports.ts';
import { eventsOf, StreamTooLarge } from './event-stream.ts';
import { estimateTokens, requestBody } from './messages.ts';
import { brokenOff, malformed, NotReached, plain, quote, refusal, stalled, tooMuch } from './words.ts';

export interface ServerTiming {
  /** Until the answer begins: a server may load its model first. */
  firstMs: number;
  /** Between two pieces of it. */
  silenceMs: number;
  /** Before another try, and the longest that a server may ask for. */
  pauseMs: number;
  longestPauseMs: number;
}

export const usualServerTiming: ServerTiming = { firstMs: 300_000, silenceMs: 60_000, pauseMs: 1_000, longestPauseMs: 20_000 };

export interface ServerConnection {
  /** All requests begin with it. */
  base: string;
  host: string;
  /** As the server calls it. */
  model: string;
  /** Called for each request. */
  key: () => Promise<string | null>;
  /** A connection of its own for each answer, which ends with it. */
  connect: () => Http;
  timing: ServerTiming;
  pictures: Pick<PictureWorker, 'bare'>;
}

/** A server says what went wrong in less; a list of models is not longer. */
const mostErrorBytes = 64_000;
const mostListBytes = 4_000_000;
const mostModels = 2_000;
const longestModelName = 200;
/** One event: a whole answer where a server does not stream. */
const longestEvent = 1_000_000;
const mostAnswerBytes = 64_000_000;
const jsonLimits = { deepest: 16, mostValues: 20_000 };
/** Before the first word: a connection that cannot be made is tried once more, a server that is busy twice. */
const tries = { unreachable: 2, busy: 3 };
const busy: readonly number[] = [429, 502, 503, 504];

const tokens = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1e9));
const spoken = v.looseObject({ content: v.nullish(v.string()) });
const chunk = v.looseObject({
  choices: v.nullish(
    v.array(v.looseObject({ delta: v.nullish(spoken), message: v.nullish(spoken), finish_reason: v.nullish(v.string()) })),
  ),
  usage: v.nullish(
    v.looseObject({
      prompt_tokens: v.nullish(tokens),
      completion_tokens: v.nullish(tokens),
      prompt_tokens_details: v.nullish(v.looseObject({ cached_tokens: v.nullish(tokens) })),
    }),
  ),
  error: v.optional(v.unknown()),
});
type Chunk = v.InferOutput<typeof chunk>;

const modelList = v.looseObject({
  data: v.pipe(
    v.array(
      v.looseObject({
        id: v.pipe(v.string(), v.minLength(1), v.maxLength(longestModelName)),
        /** vLLM and SGLang. */
        max_model_len: v.nullish(v.unknown()),
        /** Several hosts. */
        context_length: v.nullish(v.unknown()),
        /** llama.cpp. */
        meta: v.nullish(v.looseObject({ n_ctx: v.nullish(v.unknown()) })),
      }),
    ),
    v.maxLength(mostModels),
  ),
});

/** Rejects with the `server_*` codes and `context_full`, `offline`, `request_too_large`, and what aborted the signal. */
export function serverEngine(server: ServerConnection): AnsweringEngine {
  return {
    async countTokens({ messages, prompts, most = 0, answerSoFar }) {
      const lists = prompts?.map((indices) => Array.from(indices, (index) => messages[index]!)) ?? [messages];
      const counts = lists.map((list) => estimateTokens(list, answerSoFar));
      const fitting = counts.findIndex((count) => count <= most);
      const prompt = fitting < 0 ? counts.length - 1 : fitting;
      return { prompt, tokens: counts[prompt]! };
    },
    async generate(request, { signal, onText = () => {}, onStage = () => {} } = {}) {
      const answer = new Answer(server.host, request, onText);
      try {
        const { body, pictures } = await requestBody(server.model, request, server.pictures.bare);
        answer.imagesEncoded = pictures;
        onStage('prefill', 0, 0);
        await exchange(server, { path: '/chat/completions', body, signal }, async (response, alive) => {
          const type = response.headers['content-type'] ?? '';
          // As of a network that wants people to log in first.
          if (/html/i.test(type)) throw malformed(server.host);
          const isWhole = type.includes('application/json');
          if (isWhole) answer.take(await textOf(response, alive, longestEvent, server.host));
          else
            for await (const data of eventsOf(alive(response.body), { eventLength: longestEvent, bytes: mostAnswerBytes }))
              if (answer.take(data)) break;
        });
        return answer.reply(signal?.aborted ? 'cancelled' : undefined);
      } catch (thrown) {
        if (signal?.aborted) return answer.reply('cancelled');
        throw thrown instanceof StreamTooLarge ? tooMuch(server.host) : thrown;
      }
    },
  };
}

/** What it offers. Rejects as `generate`. */
export async function offeredModels(
  server: ServerConnection,
  signal?: AbortSignal,
): Promise<{ model: string; contextLength: number | null }[]> {
  return exchange(server, { path: '/models', signal }, async (response, alive) => {
    const read = parsed(modelList, await textOf(response, alive, mostListBytes, server.host));
    if (!read) throw malformed(server.host);
    return read.data.map(({ id, max_model_len, context_length, meta }) => ({
      model: plain(id),
      contextLength: [max_model_len, context_length, meta?.n_ctx].map(sound).find((tokens) => tokens !== null) ?? null,
    }));
  });
}

function sound(tokens: unknown): number | null {
  return typeof tokens === 'number' && Number.isInteger(tokens) && tokens >= 256 && tokens <= 100_000_000 ? tokens : null;
}

interface Exchange {
  path: string;
  body?: Uint8Array;
  signal?: AbortSignal | undefined;
}

/** Passes pieces on, and gives the connection up when none comes for a while. */
type Alive = (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** One request whose answer `read` reads, tried again for as long as nothing has been answered. Its connection ends with it. */
async function exchange<Result>(
  server: ServerConnection,
  { path, body, signal }: Exchange,
  read: (response: HttpResponse, alive: Alive) => Promise<Result>,
): Promise<Result> {
  const { base, host, model, timing } = server;
  const key = await server.key();
  const headers = {
    accept: body ? 'text/event-stream, application/json' : 'application/json',
    'accept-encoding': 'identity',
    ...(body && { 'content-type': 'application/json' }),
    ...(key !== null && { authorization: `Bearer ${key}` }),
  };
  for (let attempt = 1; ; attempt++) {
    const http = server.connect();
    const watch = new Watch(host, timing);
    const ended = AbortSignal.any([watch.signal, ...(signal ? [signal] : [])]);
    try {
      ended.throwIfAborted();
      const response = await http.ask(`${base}${path}`, { headers, signal: ended, ...(body && { body }) });
      if (response.status === 200) return await read(response, (pieces) => watch.follow(pieces));
      const retryAfterSeconds = secondsOf(response.headers['retry-after']);
      const waitMs = Math.max(timing.pauseMs * attempt, (retryAfterSeconds ?? 0) * 1_000);
      if (!busy.includes(response.status) || attempt >= tries.busy || waitMs > timing.longestPauseMs) {
        const isText = !/html/i.test(response.headers['content-type'] ?? '');
        const said = isText ? quote(await beginning(watch.follow(response.body)), key) : '';
        throw refusal({ host, model: body ? model : null, status: response.status, keyed: key !== null, said, retryAfterSeconds });
      }
      response.discard();
      await pause(waitMs, signal);
    } catch (thrown) {
      if (signal?.aborted) throw signal.reason;
      if (!(thrown instanceof NotReached) || attempt >= tries.unreachable) throw thrown;
      await pause(timing.pauseMs, signal);
    } finally {
      watch.end();
      await http.close();
    }
  }
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    signal?.throwIfAborted();
  }
}

/** Of Retry-After, where it is a number of seconds. */
function secondsOf(header: string | undefined): number | null {
  const seconds = Number(header ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

/** Aborts a connection on which nothing comes. */
class Watch {
  readonly #host: string;
  readonly #timing: ServerTiming;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout;

  constructor(host: string, timing: ServerTiming) {
    this.#host = host;
    this.#timing = timing;
    this.#timer = this.#give(timing.firstMs, false);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** A piece without a word is a sign of life, too: some servers send such while they read. */
  async *follow(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let begun = false;
    for await (const piece of body) {
      begun = true;
      clearTimeout(this.#timer);
      this.#timer = this.#give(this.#timing.silenceMs, begun);
      yield piece;
    }
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #give(milliseconds: number, begun: boolean): NodeJS.Timeout {
    return setTimeout(() => this.#abort.abort(stalled(this.#host, Math.ceil(milliseconds / 1_000), begun)), milliseconds);
  }
}

async function textOf(response: HttpResponse, alive: Alive, most: number, host: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of alive(response.body)) {
    bytes += piece.byteLength;
    if (bytes > most) throw tooMuch(host);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** What breaks off says nothing more. */
async function beginning(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of body) {
      pieces.push(piece);
      bytes += piece.byteLength;
      if (bytes > mostErrorBytes) break;
    }
  } catch {
    // The status has said it.
  }
  return Buffer.concat(pieces).subarray(0, mostErrorBytes).toString('utf8');
}

function parsed<Schema extends v.GenericSchema>(schema: Schema, text: string): v.InferOutput<Schema> | null {
  if (!isBounded(text, jsonLimits)) return null;
  try {
    const result = v.safeParse(schema, JSON.parse(text));
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}

/** An answer as it arrives. */
class Answer {
  readonly #host: string;
  readonly #request: Body<'generate'>;
  readonly #onText: (text: string) => void;
  readonly #began = performance.now();
  #text = '';
  /** Half a character that a server cut in two. */
  #held = '';
  #firstAt: number | null = null;
  #lastAt = 0;
  #finish: string | null = null;
  #usage: Chunk['usage'] = null;
  imagesEncoded = 0;

  constructor(host: string, request: Body<'generate'>, onText: (text: string) => void) {
    this.#host = host;
    this.#request = request;
    this.#onText = onText;
  }

  /** The data of an event, or a whole answer. True: it was the last. Throws what it says that went wrong, and what cannot be read. */
  take(data: string): boolean {
    if (data.trim() === '[DONE]') {
      this.#finish ??= 'stop';
      return true;
    }
    const read = parsed(chunk, data);
    if (!read) throw malformed(this.#host);
    if (read.error !== undefined && read.error !== null) {
      const said = quote(JSON.stringify(read.error), null);
      throw new LoupeError('server_failed', `${this.#host} could not go on.${said === '' ? '' : ` It says: “${said}”`}`);
    }
    this.#usage = read.usage ?? this.#usage;
    const [choice] = read.choices ?? [];
    this.#add(choice?.delta?.content ?? choice?.message?.content ?? '');
    this.#finish = choice?.finish_reason ?? this.#finish;
    return this.#text.length >= textLimits.message;
  }

  #add(words: string): void {
    if (words === '') return;
    this.#firstAt ??= performance.now();
    this.#lastAt = performance.now();
    const all = this.#held + words;
    this.#held = /[\ud800-\udbff]$/.exec(all)?.[0] ?? '';
    const room = textLimits.message - this.#text.length;
    const text = plain(all.slice(0, all.length - this.#held.length))
      .slice(0, room)
      .toWellFormed();
    if (text === '') return;
    this.#text += text;
    this.#onText(text);
  }

  /** Throws where it was not complete. */
  reply(finish?: 'cancelled' | undefined): GenerateReply {
    const isFull = this.#text.length >= textLimits.message;
    if (!finish && !isFull && this.#finish === null) throw brokenOff(this.#host);
    if (this.#finish === 'content_filter')
      throw new LoupeError('server_refused', `A filter of ${this.#host} ended the answer.`, 'Ask in other words, or choose another model.');
    const firstTokenMs = (this.#firstAt ?? performance.now()) - this.#began;
    const { prompt_tokens, completion_tokens, prompt_tokens_details } = this.#usage ?? {};
    const { sampling } = this.#request;
    return {
      text: this.#text,
      tokens: new Int32Array(),
      finish: finish ?? (isFull || this.#finish === 'length' ? 'length' : 'stop'),
      statistics: {
        promptTokens: prompt_tokens ?? 0,
        reusedTokens: prompt_tokens_details?.cached_tokens ?? 0,
        generatedTokens: completion_tokens ?? 0,
        proposedTokens: 0,
        acceptedTokens: 0,
        imagesEncoded: this.imagesEncoded,
        imagesCached: 0,
        ...{ prepareMs: 0, encodeMs: 0, prefillMs: 0, firstTokenMs },
        decodeMs: this.#firstAt === null ? 0 : this.#lastAt - this.#firstAt,
      },
      sampling: { ...unknownSampling, temperature: sampling?.temperature ?? 1, topP: sampling?.topP ?? 1 },
      images: [],
    };
  }
}

/** What a server does where nothing is asked for is not known; zeros and ones change nothing. */
const unknownSampling = { topK: 0, minP: 0, repetitionPenalty: 1, seed: 0 };
