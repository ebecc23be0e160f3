/** The PictureWorker port over a process that may die: it is started when needed, and anew after a crash. */
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { forkHost, type HostProcess, type SpawnHost } from '../engine/channel.ts';
import { pagePartSchema, pagesSchema, type Region } from '../contract.ts';
import { fromFailure, LoupeError, type Failure } from '../services/errors.ts';
import type { ImageSource, PictureWorker } from '../services/ports.ts';
import type { ComposeLayout } from './compose.ts';

type Work =
  | { kind: 'inspect'; source: ImageSource; page?: number | undefined }
  | { kind: 'pages'; source: ImageSource; from: number }
  | { kind: 'crop'; source: ImageSource; region: Region }
  | { kind: 'compose'; sources: ImageSource[]; layout: ComposeLayout; labels: boolean };

export type PictureRequest = Work & { id: number };
export type PictureReply = { id: number; ok: true; result: unknown } | { id: number; ok: false; failure: Failure };

const workerEntry = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './picture-worker.ts' : './picture-worker.js', import.meta.url));

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

/** Longer than any honest picture takes; a decoder that is stuck is ended. */
const patienceMs = 60_000;

interface Pending {
  name: string;
  resolve: (result: unknown) => void;
  reject: (error: LoupeError) => void;
}

export function createPictureWorker({ spawn = () => forkHost({ entry: workerEntry }), patience = patienceMs }: { spawn?: SpawnHost; patience?: number } = {}): PictureWorker {
  const pending = new Map<number, Pending>();
  let running: HostProcess | null = null;
  let nextId = 1;
  /** One picture at a time: one that takes the process down, or holds it up, takes no other along. */
  let turn: Promise<unknown> = Promise.resolve();

  function start(): HostProcess {
    const host = spawn();
    host.onMessage((message) => {
      const reply = message as PictureReply;
      const waiting = pending.get(reply.id);
      pending.delete(reply.id);
      if (reply.ok) waiting?.resolve(reply.result);
      else waiting?.reject(fromFailure(reply.failure));
    });
    host.onExit(() => {
      if (running === host) running = null;
      for (const { name, reject } of pending.values()) reject(new LoupeError('image_unreadable', `${name} made the picture decoder stop, so it was not taken.`));
      pending.clear();
    });
    return host;
  }

  function ask<Schema extends v.GenericSchema>(work: Work, name: string, schema: Schema): Promise<v.InferOutput<Schema>> {
    const result = turn.then(() => askNow(work, name, schema));
    turn = result.catch(() => {});
    return result;
  }

  async function askNow<Schema extends v.GenericSchema>(work: Work, name: string, schema: Schema): Promise<v.InferOutput<Schema>> {
    running ??= start();
    const host = running;
    const id = nextId++;
    const timer = setTimeout(() => host.kill(), patience);
    try {
      const result = await new Promise((resolve, reject) => {
        pending.set(id, { name, resolve, reject });
        host.send({ ...work, id });
      });
      return v.parse(schema, result);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    inspect: (source, page) => ask({ kind: 'inspect', source, page }, nameOf(source), factsSchema),
    pages: (source, from) => ask({ kind: 'pages', source, from }, nameOf(source), v.nullable(pagesSchema)),
    crop: (source, region) => ask({ kind: 'crop', source, region }, nameOf(source), bytes),
    compose: (sources, layout, labels) => ask({ kind: 'compose', sources, layout, labels }, sources.map(nameOf).join(', '), bytes),
    close: async () => running?.kill(),
  };
}

function nameOf(source: ImageSource): string {
  return 'path' in source ? source.path : source.name;
}
