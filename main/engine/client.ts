/**
 * The Engine port over a replaceable process. A crash rejects what was pending with
 * `engine_crashed`; the next request starts a fresh process, after a pause that grows with
 * each crash in a row, and loads the last model again. A process that stands still (`watch.ts`)
 * is ended and counts as crashed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fromFailure, LoupeError } from '../errors.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import type { Engine, EngineLoss, PictureWorker } from '../services/ports.ts';
import { forkHost, type HostExit, type HostProcess, type SpawnHost } from '../process/channel.ts';
import {
  parseEvent,
  parseResult,
  requestMethods,
  requestName,
  requests,
  type Body,
  type Listeners,
  type RequestKind,
  type Result,
  type WorkStage,
} from '../protocol.ts';
import { hasPictures, withoutBytes, withTiles } from './prepare-images.ts';
import { usualLimits, type Limits } from './limits.ts';
import { describeExit, exitWords, hangWords } from './loss-words.ts';
import { Rates } from './rates.ts';
import { Watch, type Hang } from './watch.ts';

export interface EngineClientOptions {
  spawn?: SpawnHost;
  /** The pause before the first restart; it doubles up to `maxPauseMs`. */
  firstPauseMs?: number;
  maxPauseMs?: number;
  /** How long `close` waits for the process before it kills it. */
  closeGraceMs?: number;
  /** How still a process may stand before it is ended. Null: for ever, as under a debugger. */
  limits?: Limits | null;
  /** Where compiled pipelines are kept: the one folder that the engine goes on writing in. */
  cacheDirectory?: string;
  /** Prepares the tiles of pictures. Absent: one of the client's own, started with the first picture. */
  pictures?: Pick<PictureWorker, 'prepare'>;
}

interface Pending extends Listeners {
  kind: RequestKind;
  resolve: (result: unknown) => void;
  reject: (error: LoupeError) => void;
}

interface Running {
  process: HostProcess;
  /** It hangs before it was ready. */
  failStart: (hang: Hang) => void;
  exited: Promise<HostExit>;
  pending: Map<number, Pending>;
  watch: Watch;
  /** The process holds the model of `#lastLoad`. */
  hasModel: boolean;
  /** The model on its way back after a restart; whoever needs it waits for the one load. */
  reloading: Reload | null;
}

interface Reload {
  done: Promise<void>;
  /** Who waits for it; it is given up with the last. */
  waiting: number;
  abort: AbortController;
}

export function createEngineClient(options: EngineClientOptions = {}): Engine {
  const client = new EngineClient(options);
  return {
    ...requestMethods((kind, body, listeners) => client.request(kind, body, listeners)),
    onLost: (listener) => client.onLost(listener),
    close: () => client.close(),
  };
}

/** Starts that may hang one after the other, before the request that wanted one fails. */
const startAttempts = 4;
/** For LOUPE_WATCH=off: a debugger stops processes, too. */
const chosenLimits = (): Limits | null => (process.env['LOUPE_WATCH'] === 'off' ? null : usualLimits);

class EngineClient {
  readonly #spawn: SpawnHost;
  readonly #firstPauseMs: number;
  readonly #maxPauseMs: number;
  readonly #closeGraceMs: number;
  readonly #limits: Limits | null;
  readonly #writes: string[];
  readonly #rates: Rates;
  readonly #lostListeners: ((loss: EngineLoss) => void)[] = [];
  #running: Running | null = null;
  #starting: Promise<Running> | null = null;
  #lastLoad: Body<'load'> | null = null;
  /** The model that `#rates` are of. */
  #measured = '';
  /** Name of the device in use. */
  #device = '';
  #hasLoaded = false;
  #nextId = 1;
  /** Since the last request that succeeded. */
  #crashesInARow = 0;
  #closed = false;
  readonly #pictures: Pick<PictureWorker, 'prepare'> | null;
  #ownPictures: PictureWorker | null = null;
  /** Of the model that was loaded last; null for one that reads text only. */
  #vision: Result<'load'>['model']['vision'] = null;

  constructor({
    spawn = forkHost,
    firstPauseMs = 200,
    maxPauseMs = 10_000,
    closeGraceMs = 3000,
    limits = chosenLimits(),
    cacheDirectory,
    pictures,
  }: EngineClientOptions) {
    this.#pictures = pictures ?? null;
    this.#spawn = spawn;
    this.#firstPauseMs = firstPauseMs;
    this.#maxPauseMs = maxPauseMs;
    this.#closeGraceMs = closeGraceMs;
    this.#limits = limits;
    this.#writes = cacheDirectory === undefined ? [] : [cacheDirectory];
    this.#rates = new Rates(limits ?? usualLimits);
  }

  onLost(listener: (loss: EngineLoss) => void): void {
    this.#lostListeners.push(listener);
  }

  async request<Kind extends RequestKind>(kind: Kind, body: Body<Kind>, listeners: Listeners = {}): Promise<Result<Kind>> {
    if (requests[kind].model === 'used' && this.#hasLoaded && hasPictures(kind, body)) {
      if (kind !== 'countTokens') return this.#requestWithTiles(kind, body, listeners);
      body = withoutBytes(kind, body);
    }
    return this.#send(kind, body, listeners);
  }

  /** Before the engine is asked, which may be replaced meanwhile. */
  async #requestWithTiles<Kind extends RequestKind>(kind: Kind, body: Body<Kind>, listeners: Listeners): Promise<Result<Kind>> {
    const vision = this.#vision;
    if (!vision) throw new LoupeError('image_unseen', 'The loaded model reads text only; it cannot see pictures.');
    const pictures = this.#pictures ?? (this.#ownPictures ??= createPictureWorker());
    const began = performance.now();
    const tiled = withTiles(kind, body, (source) => pictures.prepare(source, vision));
    const prepared = await orAborted(tiled, kind, listeners.signal);
    const ms = performance.now() - began;
    const result = await this.#send(kind, prepared, listeners);
    return kind === 'generate' ? (laterBy(ms, result as Result<'generate'>) as Result<Kind>) : result;
  }

  async #send<Kind extends RequestKind>(kind: Kind, body: Body<Kind>, listeners: Listeners): Promise<Result<Kind>> {
    const running = await this.#start(listeners.signal);
    switch (requests[kind].model) {
      case 'kept':
        break;
      case 'used':
        await this.#bringModelBack(running, kind, listeners.signal);
        break;
      case 'unloaded':
        running.hasModel = false;
        break;
      case 'given-up':
        running.hasModel = false;
        // A load follows; counting meanwhile must not bring the model before back.
        this.#lastLoad = null;
        break;
      case 'set':
        return (await this.#load(running, body as Body<'load'>, listeners)) as Result<Kind>;
    }
    return this.#ask(running, kind, body, listeners);
  }

  async #load(running: Running, body: Body<'load'>, listeners: Listeners): Promise<Result<'load'>> {
    running.hasModel = false;
    this.#lastLoad = null;
    this.#measureFor(body);
    const loaded = await this.#ask(running, 'load', body, listeners);
    this.#lastLoad = body;
    this.#device = loaded.device.name;
    this.#vision = loaded.model.vision;
    this.#hasLoaded = true;
    // A single step of a large model may take it many seconds.
    this.#rates.software = loaded.device.kind === 'cpu';
    running.hasModel = true;
    return loaded;
  }

  /** Another model takes other times. */
  #measureFor({ engine, ...place }: Body<'load'>): void {
    const key = JSON.stringify([engine, 'gguf' in place ? place.gguf : place.directory]);
    if (key !== this.#measured) this.#rates.forgetModel();
    this.#measured = key;
  }

  /** After a restart the last model is loaded first. */
  async #bringModelBack(running: Running, kind: RequestKind, signal: AbortSignal | undefined): Promise<void> {
    while (!running.hasModel && this.#lastLoad && this.#running === running) {
      running.reloading ??= this.#reload(running, this.#lastLoad);
      await this.#waitForReload(running.reloading, kind, signal);
    }
  }

  #reload(running: Running, body: Body<'load'>): Reload {
    const abort = new AbortController();
    const done = this.#ask(running, 'load', body, { signal: abort.signal })
      .then(() => {
        running.hasModel = true;
      })
      .finally(() => {
        running.reloading = null;
      });
    return { done, waiting: 0, abort };
  }

  async #waitForReload(reload: Reload, kind: RequestKind, signal: AbortSignal | undefined): Promise<void> {
    reload.waiting++;
    try {
      await orAborted(reload.done, kind, signal);
    } catch (error) {
      // Those before gave it up: it is begun anew.
      if (!signal?.aborted && reload.abort.signal.aborted && !this.#closed) return;
      throw error;
    } finally {
      if (--reload.waiting === 0) reload.abort.abort();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#ownPictures?.close();
    const running = this.#running ?? (await this.#starting?.catch(() => null)) ?? null;
    if (!running) return;
    running.watch.end();
    running.process.send({ type: 'exit' });
    if (await this.#exitsInTime(running)) return;
    running.process.kill();
    // A driver may hold it even then; the system ends it when that lets go.
    if (await this.#exitsInTime(running)) return;
    this.#afterExit(running, { code: null, signal: 'SIGKILL', lastWords: '' });
    running.failStart({ kind: 'silent' });
  }

  async #exitsInTime({ exited }: Running): Promise<boolean> {
    const patience = new AbortController();
    const inTime = await Promise.race([
      exited.then(() => true),
      sleep(this.#closeGraceMs, false, { signal: patience.signal }).catch(() => false),
    ]);
    patience.abort();
    return inTime;
  }

  #ask<Kind extends RequestKind>(running: Running, kind: Kind, body: Body<Kind>, listeners: Listeners): Promise<Result<Kind>> {
    const { signal } = listeners;
    if (this.#closed || signal?.aborted) return Promise.reject(cancelled(kind));
    if (this.#running !== running) {
      return Promise.reject(new LoupeError('engine_crashed', `The engine stopped before it could ${requestName(kind)}.`));
    }
    const id = this.#nextId++;
    const cancel = (): void => {
      running.process.send({ type: 'cancel', id });
      if (requests[kind].takesTurn) running.watch.cancel(id);
      else this.#take(running, id)?.reject(cancelled(kind));
    };
    return new Promise<unknown>((resolve, reject) => {
      running.pending.set(id, { ...listeners, kind, resolve, reject });
      running.watch.add(id);
      signal?.addEventListener('abort', cancel, { once: true });
      running.process.send({ type: kind, id, body });
    })
      .then((result) => {
        this.#crashesInARow = 0;
        const parsed = parseResult(kind, result);
        return kind === 'generate' && signal?.aborted ? (stopped(parsed as Result<'generate'>) as Result<Kind>) : parsed;
      })
      .finally(() => {
        signal?.removeEventListener('abort', cancel);
      });
  }

  #take(running: Running, id: number): Pending | undefined {
    const pending = running.pending.get(id);
    running.pending.delete(id);
    running.watch.remove(id);
    return pending;
  }

  #afterHang(running: Running, hang: Hang): void {
    this.#retire(running);
    for (const [requestId, { kind, reject, signal }] of running.pending) {
      const isBlamed = hang.kind === 'still' && hang.waiting && hang.id === requestId;
      if (signal?.aborted) reject(cancelled(kind));
      else if (isBlamed)
        reject(
          new LoupeError(
            'device_lost',
            `${this.#device || 'The device'} stood still during ${hang.stage} (request ${requestId}), so the engine was ended.`,
          ),
        );
      else
        reject(
          new LoupeError(
            'engine_crashed',
            `The engine hung during ${requestName(kind)} (request ${requestId}; ${hangWords(hang)}), so Loupe ended it.`,
          ),
        );
      this.#notifyLost({
        requestId,
        kind: requestName(kind),
        code: 'engine_crashed',
        exit: `ended because it stood still: ${hangWords(hang)}`,
      });
    }
    running.pending.clear();
    running.failStart(hang);
  }

  #notifyLost(loss: EngineLoss): void {
    for (const listener of this.#lostListeners) listener(loss);
  }

  async #start(signal: AbortSignal | undefined): Promise<Running> {
    if (this.#closed) throw cancelled('start');
    // While it starts it is current already.
    if (this.#running && !this.#starting) return this.#running;
    this.#starting ??= this.#launch().finally(() => {
      this.#starting = null;
    });
    return orAborted(this.#starting, 'start', signal);
  }

  /** Nothing was asked of a process that hangs while it starts, so that another can take its place unseen. */
  async #launch(): Promise<Running> {
    for (let attempt = 0; ; attempt++) {
      if (this.#crashesInARow > 0) await sleep(Math.min(this.#firstPauseMs * 2 ** (this.#crashesInARow - 1), this.#maxPauseMs));
      if (this.#closed) throw cancelled('start');
      const launched = await this.#launchOnce(attempt);
      if ('running' in launched) return launched.running;
      if (attempt + 1 === startAttempts) throw new LoupeError('engine_crashed', `The engine could not start: ${hangWords(launched.hang)}.`);
    }
  }

  async #launchOnce(attempt: number): Promise<{ running: Running } | { hang: Hang }> {
    const host = this.#spawn();
    const started = Promise.withResolvers<{ running: Running } | { hang: Hang }>();
    const exited = Promise.withResolvers<HostExit>();
    const watch = new Watch({
      limits: this.#limits ?? usualLimits,
      rates: this.#rates,
      attempt,
      onHang: (hang) => this.#afterHang(running, hang),
    });
    const running: Running = {
      process: host,
      failStart: (hang) => started.resolve({ hang }),
      exited: exited.promise,
      pending: new Map(),
      watch,
      hasModel: false,
      reloading: null,
    };
    this.#running = running;
    host.onBeat((beat) => {
      if (this.#running === running) watch.beat(beat);
    });
    host.onMessage((message) => {
      if (this.#running === running) this.#receive(running, message, () => started.resolve({ running }));
    });
    host.onExit((exit) => {
      this.#afterExit(running, exit);
      started.reject(new LoupeError('engine_crashed', `The engine could not start: ${describeExit(exit)}.`));
      exited.resolve(exit);
    });
    if (this.#limits) watch.begin();
    return started.promise;
  }

  #receive(running: Running, message: unknown, ready: () => void): void {
    let event;
    try {
      event = parseEvent(message);
    } catch (error) {
      this.#failAll(running, error as LoupeError);
      return;
    }
    running.watch.message();
    if (event.type === 'ready') {
      running.watch.ready();
      if (this.#writes.length > 0) running.process.send({ type: 'writes', folders: this.#writes });
      return ready();
    }
    if (event.type === 'beat') return running.watch.work(event.work, event.waiting);
    if (event.type === 'error' && event.id === null) return this.#failAll(running, fromFailure(event.failure));
    const pending = running.pending.get(event.id!);
    if (!pending) return;
    switch (event.type) {
      case 'token':
        return pending.onText?.(event.text);
      case 'stage':
        return pending.onStage?.(event.stage, event.done, event.total);
      case 'progress':
        return pending.onProgress?.(event.doneBytes, event.totalBytes);
      case 'done':
        running.pending.delete(event.id);
        running.watch.remove(event.id, stagesOf(pending.kind, event.result));
        return pending.resolve(event.result);
      case 'error':
        this.#take(running, event.id!);
        // The driver has reset: nothing in that process can be trusted any more.
        if (event.failure.code === 'device_lost') {
          this.#retire(running);
          this.#notifyLost({ requestId: event.id!, kind: requestName(pending.kind), code: 'device_lost', exit: 'its device was lost' });
        }
        return pending.reject(fromFailure(event.failure));
      default:
        return event satisfies never;
    }
  }

  #retire(running: Running): void {
    if (this.#running === running) this.#running = null;
    this.#crashesInARow++;
    running.watch.end();
    running.process.kill();
  }

  #failAll(running: Running, error: LoupeError): void {
    for (const { reject } of running.pending.values()) reject(error);
    for (const id of running.pending.keys()) running.watch.remove(id);
    running.pending.clear();
  }

  #afterExit(running: Running, exit: HostExit): void {
    running.watch.end();
    if (this.#running === running) {
      this.#running = null;
      if (!this.#closed) this.#crashesInARow++;
    }
    for (const [requestId, { kind, reject }] of running.pending) {
      if (this.#closed) {
        reject(cancelled(kind));
        continue;
      }
      reject(
        new LoupeError('engine_crashed', `The engine stopped during ${requestName(kind)} (request ${requestId}): ${describeExit(exit)}.`),
      );
      const loss: EngineLoss = { requestId, kind: requestName(kind), code: 'engine_crashed', exit: exitWords(exit) };
      this.#notifyLost(loss);
    }
    running.pending.clear();
  }
}

function cancelled(kind: RequestKind | 'start'): LoupeError {
  return new LoupeError('cancelled', `The request (${kind === 'start' ? kind : requestName(kind)}) was cancelled.`);
}

/** Whoever stopped an answer is told so, also where the engine had come to its end before it heard of it. */
function stopped(reply: Result<'generate'>): Result<'generate'> {
  return { ...reply, finish: 'cancelled' };
}

/** Preparing pictures is a part of what a person waits for. */
function laterBy(ms: number, { statistics, ...reply }: Result<'generate'>): Result<'generate'> {
  const { prepareMs, firstTokenMs } = statistics;
  return { ...reply, statistics: { ...statistics, prepareMs: prepareMs + ms, firstTokenMs: firstTokenMs && firstTokenMs + ms } };
}

/** What a request with this result has gone through. */
function stagesOf(kind: RequestKind, result: unknown): readonly WorkStage[] {
  const { stages } = requests[kind];
  return typeof stages === 'function' ? stages(result) : stages;
}

/** Rejects as soon as `signal` is aborted; what it waited for continues. */
async function orAborted<Waited>(waited: Promise<Waited>, kind: RequestKind | 'start', signal: AbortSignal | undefined): Promise<Waited> {
  if (!signal) return waited;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(cancelled(kind));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([aborted.promise, waited]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
