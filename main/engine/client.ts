/**
 * The Engine port over a replaceable process. A crash rejects what was pending with
 * `engine_crashed`; the next request starts a fresh process, after a pause that grows with
 * each crash in a row, and loads the last model again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fromFailure, LoupeError } from '../services/errors.ts';
import type { Engine, EngineLoss, Stage } from '../services/ports.ts';
import { forkHost, type HostExit, type HostProcess, type SpawnHost } from './channel.ts';
import { parseEvent, parseResult, type RequestKind, type RequestOf, type Results } from './protocol.ts';

export interface EngineClientOptions {
  spawn?: SpawnHost;
  /** The pause before the first restart; it doubles up to `maxPauseMs`. */
  firstPauseMs?: number;
  maxPauseMs?: number;
  /** How long `close` waits for the process before it kills it. */
  closeGraceMs?: number;
  /** How long a request may go on after it was cancelled, before the process is killed: a driver that hangs hears nothing. */
  cancelGraceMs?: number;
}

type Body<Kind extends RequestKind> = Omit<RequestOf<Kind>, 'type' | 'id'>;

interface Listeners {
  signal?: AbortSignal | undefined;
  onText?: ((text: string) => void) | undefined;
  onStage?: ((stage: Stage, done: number, total: number) => void) | undefined;
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

interface Pending extends Listeners {
  kind: RequestKind;
  resolve: (result: unknown) => void;
  reject: (error: LoupeError) => void;
}

interface Running {
  process: HostProcess;
  ready: Promise<void>;
  exited: Promise<HostExit>;
  pending: Map<number, Pending>;
  /** The process holds the model of `#lastLoad`. */
  hasModel: boolean;
  /** The model on its way back after a restart; whoever needs it waits for the one load. */
  reloading: Promise<void> | null;
}

export function createEngineClient(options: EngineClientOptions = {}): Engine {
  const client = new EngineClient(options);
  return {
    devices: () => client.request('devices', {}),
    inspect: (place, listeners) => client.request('inspect', place, listeners),
    weigh: (request, listeners) => client.weigh(request, listeners),
    load: (request, listeners) => client.load(request, listeners),
    quantise: (request, listeners) => client.request('quantise', request, listeners),
    generate: (request, listeners) => client.requestWithModel('generate', request, listeners),
    countTokens: (request) => client.requestWithModel('count-tokens', request),
    score: (request, listeners) => client.requestWithModel('score', request, listeners),
    trace: (request, listeners) => client.requestWithModel('trace', request, listeners),
    selfTest: (engine) => client.selfTest(engine),
    memory: () => client.request('memory', {}),
    onLost: (listener) => client.onLost(listener),
    close: () => client.close(),
  };
}

/** How much longer a cancelled request is waited for on software Vulkan. */
const slowness = 8;

class EngineClient {
  readonly #spawn: SpawnHost;
  readonly #firstPauseMs: number;
  readonly #maxPauseMs: number;
  readonly #closeGraceMs: number;
  readonly #cancelGraceMs: number;
  readonly #lostListeners: ((loss: EngineLoss) => void)[] = [];
  #running: Running | null = null;
  #starting: Promise<Running> | null = null;
  #lastLoad: Body<'load'> | null = null;
  /** Software Vulkan, whose single step may take many seconds with a large model. */
  #isSlow = false;
  #nextId = 1;
  /** Since the last request that succeeded. */
  #crashesInARow = 0;
  #closed = false;

  constructor({ spawn = forkHost, firstPauseMs = 200, maxPauseMs = 10_000, closeGraceMs = 3000, cancelGraceMs = 15_000 }: EngineClientOptions) {
    this.#spawn = spawn;
    this.#firstPauseMs = firstPauseMs;
    this.#maxPauseMs = maxPauseMs;
    this.#closeGraceMs = closeGraceMs;
    this.#cancelGraceMs = cancelGraceMs;
  }

  onLost(listener: (loss: EngineLoss) => void): void {
    this.#lostListeners.push(listener);
  }

  async request<Kind extends RequestKind>(kind: Kind, body: Body<Kind>, listeners: Listeners = {}): Promise<Results[Kind]> {
    return this.#ask(await this.#start(), kind, body, listeners);
  }

  async load(body: Body<'load'>, listeners: Listeners = {}): Promise<Results['load']> {
    const running = await this.#start();
    running.hasModel = false;
    this.#lastLoad = null;
    const loaded = await this.#ask(running, 'load', body, listeners);
    this.#lastLoad = body;
    this.#isSlow = loaded.device.kind === 'cpu';
    running.hasModel = true;
    return loaded;
  }

  /** May open another device, and the model goes with the one before. */
  async weigh(body: Body<'weigh'>, listeners: Listeners = {}): Promise<Results['weigh']> {
    const running = await this.#start();
    running.hasModel = false;
    // A load follows; counting meanwhile must not bring the model before back.
    this.#lastLoad = null;
    return this.#ask(running, 'weigh', body, listeners);
  }

  /** After a restart the last model is loaded first. */
  async requestWithModel<Kind extends 'generate' | 'count-tokens' | 'score' | 'trace'>(kind: Kind, body: Body<Kind>, listeners: Listeners = {}): Promise<Results[Kind]> {
    const running = await this.#start();
    if (!running.hasModel && this.#lastLoad) {
      running.reloading ??= this.#reload(running, this.#lastLoad, listeners.signal);
      await running.reloading;
    }
    return this.#ask(running, kind, body, listeners);
  }

  async #reload(running: Running, body: Body<'load'>, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#ask(running, 'load', body, { signal });
      running.hasModel = true;
    } finally {
      running.reloading = null;
    }
  }

  /** May open another device, and the model goes with the one before. */
  async selfTest(engine: Body<'self-test'>['engine']): Promise<Results['self-test']> {
    const running = await this.#start();
    running.hasModel = false;
    return this.#ask(running, 'self-test', { engine }, {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    const running = this.#running ?? (await this.#starting?.catch(() => null)) ?? null;
    if (!running) return;
    running.process.send({ type: 'exit' });
    const patience = new AbortController();
    const inTime = await Promise.race([
      running.exited.then(() => true),
      sleep(this.#closeGraceMs, false, { signal: patience.signal }).catch(() => false),
    ]);
    patience.abort();
    if (!inTime) running.process.kill();
    await running.exited;
  }

  #ask<Kind extends RequestKind>(running: Running, kind: Kind, body: Body<Kind>, listeners: Listeners): Promise<Results[Kind]> {
    const { signal } = listeners;
    if (this.#closed || signal?.aborted) return Promise.reject(cancelled(kind));
    if (this.#running !== running) {
      return Promise.reject(new LoupeError('engine_crashed', `The engine stopped before it could ${kind}.`));
    }
    const id = this.#nextId++;
    let patience: NodeJS.Timeout | undefined;
    const cancel = (): void => {
      running.process.send({ type: 'cancel', id });
      patience = setTimeout(() => this.#giveUp(running, id), this.#cancelGraceMs * (this.#isSlow ? slowness : 1));
    };
    return new Promise<unknown>((resolve, reject) => {
      running.pending.set(id, { ...listeners, kind, resolve, reject });
      signal?.addEventListener('abort', cancel, { once: true });
      running.process.send({ ...body, type: kind, id });
    })
      .then((result) => {
        this.#crashesInARow = 0;
        return parseResult(kind, result);
      })
      .finally(() => {
        signal?.removeEventListener('abort', cancel);
        clearTimeout(patience);
      });
  }

  #giveUp(running: Running, id: number): void {
    const pending = running.pending.get(id);
    running.pending.delete(id);
    this.#retire(running);
    if (!pending) return;
    pending.reject(cancelled(pending.kind));
    this.#tellLost({ requestId: id, kind: pending.kind, code: 'engine_crashed', exit: 'it did not end when it was told to' });
  }

  #tellLost(loss: EngineLoss): void {
    for (const listener of this.#lostListeners) listener(loss);
  }

  #start(): Promise<Running> {
    if (this.#closed) return Promise.reject(cancelled('start'));
    if (this.#running) return this.#running.ready.then(() => this.#running ?? this.#start());
    this.#starting ??= this.#launch().finally(() => {
      this.#starting = null;
    });
    return this.#starting;
  }

  async #launch(): Promise<Running> {
    if (this.#crashesInARow > 0) {
      await sleep(Math.min(this.#firstPauseMs * 2 ** (this.#crashesInARow - 1), this.#maxPauseMs));
      if (this.#closed) throw cancelled('start');
    }
    const host = this.#spawn();
    const pending = new Map<number, Pending>();
    const ready = Promise.withResolvers<void>();
    const exited = Promise.withResolvers<HostExit>();
    const running: Running = { process: host, ready: ready.promise, exited: exited.promise, pending, hasModel: false, reloading: null };
    this.#running = running;
    host.onMessage((message) => this.#receive(running, message, ready.resolve));
    host.onExit((exit) => {
      this.#afterExit(running, exit);
      ready.reject(new LoupeError('engine_crashed', `The engine could not start: ${describeExit(exit)}.`));
      exited.resolve(exit);
    });
    await ready.promise;
    return running;
  }

  #receive(running: Running, message: unknown, ready: () => void): void {
    let event;
    try {
      event = parseEvent(message);
    } catch (error) {
      this.#failAll(running, error as LoupeError);
      return;
    }
    if (event.type === 'ready') return ready();
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
        return pending.resolve(event.result);
      case 'error':
        running.pending.delete(event.id!);
        // The driver has reset: nothing in that process can be trusted any more.
        if (event.failure.code === 'device_lost') this.#retire(running);
        return pending.reject(fromFailure(event.failure));
      default:
        return event satisfies never;
    }
  }

  #retire(running: Running): void {
    if (this.#running === running) this.#running = null;
    this.#crashesInARow++;
    running.process.kill();
  }

  #failAll(running: Running, error: LoupeError): void {
    for (const { reject } of running.pending.values()) reject(error);
    running.pending.clear();
  }

  #afterExit(running: Running, exit: HostExit): void {
    if (this.#running === running) {
      this.#running = null;
      if (!this.#closed) this.#crashesInARow++;
    }
    for (const [requestId, { kind, reject }] of running.pending) {
      if (this.#closed) {
        reject(cancelled(kind));
        continue;
      }
      reject(new LoupeError('engine_crashed', `The engine stopped during ${kind} (request ${requestId}): ${describeExit(exit)}.`));
      const loss: EngineLoss = { requestId, kind, code: 'engine_crashed', exit: exitWords(exit) };
      this.#tellLost(loss);
    }
    running.pending.clear();
  }
}

function cancelled(kind: string): LoupeError {
  return new LoupeError('cancelled', `The request (${kind}) was cancelled.`);
}

function exitWords({ code, signal }: HostExit): string {
  if (signal !== null) return `signal ${signal}`;
  return code === null ? 'it could not be started' : `exit code ${code}`;
}

function describeExit(exit: HostExit): string {
  const lastLine = exit.lastWords.split('\n').at(-1)?.trim();
  return lastLine ? `${exitWords(exit)}, last words: ${lastLine}` : exitWords(exit);
}
