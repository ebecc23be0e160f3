/** The PictureWorker port over a process that may die: it is started when needed, and anew after a crash. */
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

type Work =
  | { kind: 'inspect'; source: ImageSource; page?: number | undefined }
  | { kind: 'pages'; source: ImageSource; from: number }
  | { kind: 'crop'; source: ImageSource; region: Region }
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
  /** Longer than any honest picture takes; a decoder that is stuck is ended. */
  picture: number;
}

const pictureLimits: PictureLimits = {
  tickMs: usualBeatMs,
  start: usualSilence.first,
  silent: usualSilence.later,
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

export function createPictureWorker({
  spawn = () => forkHost({ entry: workerEntry }),
  limits = pictureLimits,
}: { spawn?: SpawnHost; limits?: PictureLimits } = {}): PictureWorker {
  const pending = new Map<number, Pending>();
  let running: HostProcess | null = null;
  /** Ticks since the process last gave a sign of life; null before its first. */
  let silent: number | null = null;
  /** Until the first sign of life the picture's own limit is all there is. */
  let canBeHeard = false;
  let nextId = 1;
  /** One picture at a time: one that crashes the process, or holds it up, harms no other. */
  let turn: Promise<unknown> = Promise.resolve();

  function start(): HostProcess {
    const host = spawn();
    silent = null;
    host.onBeat(() => {
      canBeHeard = true;
      if (running === host) silent = 0;
    });
    host.onMessage((message) => {
      const reply = message as PictureReply;
      const waiting = pending.get(reply.id);
      pending.delete(reply.id);
      if (reply.ok) waiting?.resolve(reply.result);
      else waiting?.reject(fromFailure(reply.failure));
    });
    host.onExit(() => {
      // Another has its place: nothing of it is missed.
      if (running !== host) return;
      running = null;
      for (const { name, reject } of pending.values())
        reject(new LoupeError('image_unreadable', `${name} made the picture decoder stop, so it was not taken.`));
      pending.clear();
    });
    return host;
  }

  function ask<Schema extends v.GenericSchema>(work: Work, name: string, schema: Schema): Promise<v.InferOutput<Schema>> {
    const result = turn.then(() => askUntilHeard(work, name, schema));
    turn = result.catch(() => {});
    return result;
  }

  async function askUntilHeard<Schema extends v.GenericSchema>(work: Work, name: string, schema: Schema): Promise<v.InferOutput<Schema>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await askNow(work, name, schema, attempt);
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
  }

  async function askNow<Schema extends v.GenericSchema>(
    work: Work,
    name: string,
    schema: Schema,
    attempt: number,
  ): Promise<v.InferOutput<Schema>> {
    running ??= start();
    const host = running;
    const id = nextId++;
    let age = 0;
    const timer = setInterval(() => {
      age++;
      if (age > limits.picture) return host.kill();
      if (silent === null) {
        if (!canBeHeard || age <= limits.start * 2 ** (attempt - 1)) return;
      } else if (++silent <= limits.silent) return;
      running = null;
      host.kill();
      pending.get(id)?.reject(stoodStill);
      pending.delete(id);
    }, limits.tickMs);
    try {
      const result = await new Promise((resolve, reject) => {
        pending.set(id, { name, resolve, reject });
        host.send({ ...work, id });
      });
      return v.parse(schema, result);
    } finally {
      clearInterval(timer);
    }
  }

  return {
    inspect: (source, page) => ask({ kind: 'inspect', source, page }, nameOf(source), factsSchema),
    pages: (source, from) => ask({ kind: 'pages', source, from }, nameOf(source), v.nullable(pagesSchema)),
    crop: (source, region) => ask({ kind: 'crop', source, region }, nameOf(source), bytes),
    compose: (sources, layout, labels) => ask({ kind: 'compose', sources, layout, labels }, sources.map(nameOf).join(', '), bytes),
    prepare: (source, { tileSize, maxTiles }) =>
      ask({ kind: 'prepare', source, vision: { tileSize, maxTiles } }, nameOf(source), preparedPicture),
    close: async () => running?.kill(),
  };
}

function nameOf(source: ImageSource): string {
  return 'path' in source ? source.path : source.name;
}
