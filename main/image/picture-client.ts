/**
 * The PictureWorker port over processes that may die: they are started when needed, and anew after a crash. They can open nothing
 * (`process/confine.ts`), so that files are read here.
 */
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { forkHost, type HostProcess, type SpawnHost } from '../process/channel.ts';
import { pagePartSchema, pagesSchema, type Region } from '../contract.ts';
import { usualBeatMs, usualSilence } from '../process/lifeline.ts';
import { preparedPicture } from '../protocol.ts';
import { fromFailure, LoupeError, type Failure } from '../errors.ts';
import type { ImageSource, PictureWorker } from '../services/ports.ts';
import type { ComposeLayout } from './compose.ts';
import type { Vision } from './prepare.ts';
import { readImageSource } from './source.ts';

type Work =
  | { kind: 'confinement' }
  | { kind: 'inspect'; source: ImageSource; page?: number | undefined }
  | { kind: 'pages'; source: ImageSource; from: number }
  | { kind: 'crop'; source: ImageSource; region: Region }
  | { kind: 'bare'; source: ImageSource }
  | { kind: 'prepare'; source: ImageSource; vision: Vision }
  | { kind: 'compose'; sources: ImageSource[]; layout: ComposeLayout; labels: boolean };

export type PictureRequest = Work & { id: number };
export type PictureReply = { id: number; ok: true; result: unknown } | { id: number; ok: false; failure: Failure };

const workerEntry = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './picture-worker.ts' : './picture-worker.js', import.meta.url),
);

const bytes = v.instance(Uint8Array);
const side = v.pipe(v.number(), v.integer(), v.minValue(1));
const factsSchema = v.object({
  width: side,
  height: side,
  thumbnail: bytes,
  display: v.nullable(bytes),
  part: v.nullable(pagePartSchema),
  ground: v.nullable(v.picklist(['white', 'black', 'grey'])),
  cutOff: v.boolean(),
});

export interface PictureLimits {
  /** Everything else is counted in ticks of this length: a computer that slept has not waited. */
  tickMs: number;
  /** From the fork to the first sign of life; twice as many for each attempt that failed. */
  start: number;
  /** Without a sign of life. That is not the picture's fault: another process tries it. */
  silent: number;
  /** What a picture may take before those that wait get a process of their own. */
  slow: number;
  /** Longer than any honest picture takes; a decoder that is stuck is ended. */
  picture: number;
}

const pictureLimits: PictureLimits = {
  tickMs: usualBeatMs,
  start: usualSilence.first,
  silent: usualSilence.later,
  slow: 4,
  picture: 120,
};
/** Processes that may stand still, one after the other, before a picture is refused. */
const attempts = 4;

/** Rejects a picture whose process stood still. */
const stoodStill = Symbol('stood still');

interface Pending {
  name: string;
  resolve: (result: unknown) => void;
  reject: (error: LoupeError | typeof stoodStill) => void;
}

export interface ConfinedPictureWorker extends PictureWorker {
  /** Null where the processes that decode can open no file, socket or process; otherwise why that does not hold here. */
  confinement(): Promise<string | null>;
}

interface DecoderOptions {
  spawn: SpawnHost;
  limits: PictureLimits;
  /** What it works on has become slow. */
  onSlow: () => void;
}

export function createPictureWorker({
  spawn = () => forkHost({ entry: workerEntry }),
  limits = pictureLimits,
}: { spawn?: SpawnHost; limits?: PictureLimits } = {}): ConfinedPictureWorker {
  const waiting: ((decoder: Decoder) => Promise<void>)[] = [];
  const first = new Decoder({ spawn, limits, onSlow: next });
  /** For those that wait behind a slow picture, and gone when nobody waits. */
  const second = new Decoder({ spawn, limits, onSlow: () => {} });

  function next(): void {
    for (const decoder of [first, second]) {
      if (decoder.isBusy || (decoder === second && !first.isSlow)) continue;
      const job = waiting.shift();
      if (job) void job(decoder).then(next);
    }
    if (!second.isBusy) second.retire();
  }

  function ask<Schema extends v.GenericSchema>(work: Work, name: string, schema: Schema): Promise<v.InferOutput<Schema>> {
    return new Promise((resolve, reject) => {
      waiting.push((decoder) => decoder.ask(work, name, schema).then(resolve, reject));
      next();
    });
  }

  return {
    inspect: (source, page) => ask({ kind: 'inspect', source, page }, nameOf(source), factsSchema),
    pages: (source, from) => ask({ kind: 'pages', source, from }, nameOf(source), v.nullable(pagesSchema)),
    crop: (source, region) => ask({ kind: 'crop', source, region }, nameOf(source), bytes),
    bare: (source) => ask({ kind: 'bare', source }, nameOf(source), bytes),
    compose: (sources, layout, labels) => ask({ kind: 'compose', sources, layout, labels }, sources.map(nameOf).join(', '), bytes),
    prepare: (source, { tileSize, maxTiles }) =>
      ask({ kind: 'prepare', source, vision: { tileSize, maxTiles } }, nameOf(source), preparedPicture),
    confinement: () => ask({ kind: 'confinement' }, 'The first message', v.nullable(v.string())),
    async close() {
      first.end();
      second.end();
    },
  };
}

/** One process and its successors. One picture at a time: one that crashes the process, or holds it up, harms no other. */
class Decoder {
  readonly #options: DecoderOptions;
  readonly #pending = new Map<number, Pending>();
  #running: HostProcess | null = null;
  /** Ticks since the process last gave a sign of life; null before its first. */
  #silent: number | null = null;
  /** Until the first sign of life the picture's own limit is all there is. */
  #canBeHeard = false;
  #nextId = 1;
  /** Ticks that the picture in work has taken. */
  #age = 0;
  isBusy = false;

  constructor(options: DecoderOptions) {
    this.#options = options;
  }

  get isSlow(): boolean {
    return this.isBusy && this.#age > this.#options.limits.slow;
  }

  end(): void {
    this.#running?.kill();
  }

  /** While it has nothing to do; the next picture starts another process. */
  retire(): void {
    const host = this.#running;
    this.#running = null;
    host?.kill();
  }

  async ask<Schema extends v.GenericSchema>(work: Work, name: string, schema: Schema): Promise<v.InferOutput<Schema>> {
    this.isBusy = true;
    this.#age = 0;
    try {
      // The process cannot open a file.
      const handed = await withBytes(work);
      for (let attempt = 1; ; attempt++) {
        try {
          return v.parse(schema, await this.#askOnce(handed, name, attempt));
        } catch (thrown) {
          if (thrown !== stoodStill) throw thrown;
          if (attempt === attempts)
            throw new LoupeError(
              'image_unreadable',
              `${name} was not taken: the picture decoder stood still ${attempts} times.`,
              'Try again; if it happens again, restart Loupe.',
            );
        }
      }
    } finally {
      this.isBusy = false;
    }
  }

  async #askOnce(work: Work, name: string, attempt: number): Promise<unknown> {
    const { limits, onSlow } = this.#options;
    const host = (this.#running ??= this.#start());
    const id = this.#nextId++;
    let age = 0;
    const timer = setInterval(() => {
      age++;
      if (++this.#age === limits.slow + 1) onSlow();
      if (age > limits.picture) return host.kill();
      if (this.#silent === null) {
        if (!this.#canBeHeard || age <= limits.start * 2 ** (attempt - 1)) return;
      } else if (++this.#silent <= limits.silent) return;
      this.#running = null;
      host.kill();
      this.#pending.get(id)?.reject(stoodStill);
      this.#pending.delete(id);
    }, limits.tickMs);
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { name, resolve, reject });
        host.send({ ...work, id });
      });
    } finally {
      clearInterval(timer);
    }
  }

  #start(): HostProcess {
    const host = this.#options.spawn();
    this.#silent = null;
    host.onBeat(() => {
      this.#canBeHeard = true;
      if (this.#running === host) this.#silent = 0;
    });
    host.onMessage((message) => {
      const reply = message as PictureReply;
      const waiting = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if (reply.ok) waiting?.resolve(reply.result);
      else waiting?.reject(fromFailure(reply.failure));
    });
    host.onExit(() => {
      // Another has its place: nothing of it is missed.
      if (this.#running !== host) return;
      this.#running = null;
      for (const { name, reject } of this.#pending.values())
        reject(new LoupeError('image_unreadable', `${name} made the picture decoder stop, so it was not taken.`));
      this.#pending.clear();
    });
    return host;
  }
}

async function withBytes(work: Work): Promise<Work> {
  if ('source' in work) return { ...work, source: await readImageSource(work.source) };
  if ('sources' in work) return { ...work, sources: await Promise.all(work.sources.map(readImageSource)) };
  return work;
}

function nameOf(source: ImageSource): string {
  return 'path' in source ? source.path : source.name;
}
