/** Downloads of models: one after the other, kept over restarts, reported to the window. */
import { rmdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Download } from '../../../contract.ts';
import { LoupeError, toLoupeError } from '../../../errors.ts';
import type { Clock, DownloadRecord, Ledger, Store } from '../../ports.ts';
import { throttle } from '../../throttle.ts';
import { catalogueModel } from '../catalogue.ts';
import { bytesHere, removeFile } from './fetch-file.ts';
import { createHttp, isOffline, whyNotConnect } from '../../network.ts';
import { pull } from './pull.ts';
import { ollamaEndpointOf, ollamaSource } from './ollama-registry.ts';
import { endpointOf, hubSource } from './repository.ts';
import { Pauses, usualTiming, type Timing, type Trouble } from './timing.ts';

export interface DownloadsOptions {
  store: Pick<Store, 'downloads' | 'lockDownload'> & { ledger: Ledger };
  token: () => Promise<string | null>;
  clock: Clock;
  environment: NodeJS.ProcessEnv;
  /** "Never connect" is on. */
  neverConnects: () => boolean;
  onChange(downloads: Download[]): void;
  /** Every file is there and right. What it rejects with is the download's failure. */
  onComplete(download: DownloadRecord): Promise<void>;
  timing?: Timing;
  freeBytes?: (directory: string) => Promise<number>;
}

export interface Downloads {
  /** Those that are not complete, oldest first. */
  list(): Download[];
  start(request: Pick<DownloadRecord, 'model' | 'repository' | 'directory'>): Download;
  pause(id: number): void;
  /** Of one that runs and waits between tries: the next try begins now. */
  resume(id: number): void;
  /** Deletes what has arrived. */
  cancel(id: number): Promise<void>;
  /** Resumes what was running or waiting when the last process ended. */
  recover(): void;
  /** "Never connect" was switched on: what runs fails with that, and can be resumed later. */
  stayHere(): void;
  /** Ends what runs; `recover` of a later process resumes it. */
  close(): Promise<void>;
}

/** Why a running download ends. */
type Ending = 'pause' | 'cancel' | 'close';

interface Running {
  id: number;
  stop: AbortController;
  ending: Ending | null;
  /** What its tries meet; null while something arrives. */
  trouble: Trouble | null;
  pauses: Pauses;
  ended: Promise<void>;
}

const progressEveryMs = 250;
/** Speed is that of the last so many milliseconds. */
const speedOverMs = 6_000;

export function createDownloads(options: DownloadsOptions): Downloads {
  const { store, environment, onChange, onComplete } = options;
  let running: Running | null = null;
  let closed = false;
  /** Bytes of each file that are here, by download. */
  const arrived = new Map<number, Map<string, number>>();
  const speed = createSpeed();
  /** Not for every piece that arrives. */
  const changed = throttle(progressEveryMs, () => closed || onChange(list()));

  const open = (): DownloadRecord[] => store.downloads.list().filter(({ state }) => state !== 'complete');
  const list = (): Download[] => open().map(view);

  function view(record: DownloadRecord): Download {
    const run = running?.id === record.id ? running : null;
    return viewOf(record, arrived.get(record.id), { bytesPerSecond: run ? speed.value() : null, trouble: run?.trouble ?? null });
  }

  function onBytes(id: number, path: string, bytes: number): void {
    const here = arrived.get(id)!;
    here.set(path, bytes);
    if (running) running.trouble = null;
    speed.sample(here);
    changed();
  }

  /** How much has arrived is known by the files alone. */
  async function readArrived(record: DownloadRecord): Promise<void> {
    arrived.set(record.id, new Map([...(await bytesOnDisk(record)), ...(arrived.get(record.id) ?? [])]));
  }

  function next(): void {
    if (running || closed) return;
    const waiting = open().find(({ state }) => state === 'queued');
    if (!waiting) return;
    const stop = new AbortController();
    const pauses = new Pauses((trouble) => {
      run.trouble = trouble;
      speed.reset();
      changed();
    });
    const run: Running = { id: waiting.id, stop, ending: null, trouble: null, pauses, ended: Promise.resolve() };
    running = run;
    run.ended = work(waiting, run).finally(() => {
      running = null;
      next();
    });
  }

  async function work(record: DownloadRecord, run: Running): Promise<void> {
    const { id } = record;
    speed.reset();
    store.downloads.setState(id, 'running', null);
    arrived.set(id, new Map());
    changed.now();
    try {
      await readArrived(record);
      await transfer(record, options, run, (path, bytes) => onBytes(id, path, bytes));
      await onComplete(store.downloads.get(id));
      store.downloads.setState(id, 'complete', null);
    } catch (error) {
      // For the next process it is still running; a cancelled one is removed in a moment.
      if (run.ending === 'pause') store.downloads.setState(id, 'paused', null);
      else if (run.ending === null) store.downloads.setState(id, 'failed', toLoupeError(error).toFailure());
    }
    if (!closed) changed.now();
  }

  async function end(id: number, ending: Ending): Promise<void> {
    if (running?.id !== id) return;
    const run = running;
    run.ending ??= ending;
    run.stop.abort(new LoupeError('cancelled', 'The download was stopped.'));
    await run.ended;
  }

  function queue(id: number): void {
    const refused = whyNotConnect(addressOf(store.downloads.get(id).model, environment), options);
    if (refused) throw refused;
    store.downloads.setState(id, 'queued', null);
    next();
    changed.now();
  }

  for (const record of open()) void readArrived(record);

  return {
    list,
    start({ model, repository, directory }) {
      const id = recordFor(store.downloads, { model, repository, directory });
      if (running?.id !== id) queue(id);
      return view(store.downloads.get(id));
    },
    pause(id) {
      const { state } = store.downloads.get(id);
      if (state === 'running') void end(id, 'pause');
      else if (state === 'queued') {
        store.downloads.setState(id, 'paused', null);
        changed.now();
      }
    },
    resume(id) {
      const { state } = store.downloads.get(id);
      if (state === 'paused' || state === 'failed') queue(id);
      else if (running?.id === id) running.pauses.end();
    },
    async cancel(id) {
      const before = store.downloads.get(id);
      await end(id, 'cancel');
      const after = store.downloads.list().find((record) => record.id === id);
      store.downloads.remove(id);
      arrived.delete(id);
      await removeDownloaded(after ?? before);
      changed.now();
    },
    recover() {
      if (isOffline(environment)) return;
      for (const { id, state } of open()) if (state === 'running') store.downloads.setState(id, 'queued', null);
      next();
    },
    stayHere() {
      if (!running) return;
      const refused = whyNotConnect(addressOf(store.downloads.get(running.id).model, environment), options);
      if (refused) running.stop.abort(refused);
    },
    async close() {
      closed = true;
      if (running) await end(running.id, 'close');
      changed.cancel();
      speed.reset();
    },
  };
}

/** Rejects with what stopped it, or what went wrong. */
async function transfer(
  { id, model }: DownloadRecord,
  { store, token, clock, environment, neverConnects, timing = usualTiming, freeBytes }: DownloadsOptions,
  { stop: { signal }, pauses }: Pick<Running, 'stop' | 'pauses'>,
  onBytes: (path: string, bytes: number) => void,
): Promise<void> {
  const { name, library } = catalogueModel(model);
  const purpose = `download of ${name}`;
  const http = createHttp({ purpose, ledger: store.ledger, clock, environment, neverConnects });
  try {
    await pull(id, {
      http,
      source: library ? ollamaSource(ollamaEndpointOf(environment), library.tag) : hubSource(endpointOf(environment)),
      // The token is for the Hub alone.
      token: library ? null : await token(),
      store: store.downloads,
      lock: store.lockDownload,
      signal,
      timing,
      pauses,
      onBytes,
      ...(freeBytes ? { freeBytes } : {}),
    });
  } finally {
    await http.close();
  }
}

/** Where the list of a model's files is asked for. */
function addressOf(model: string, environment: NodeJS.ProcessEnv): string {
  return catalogueModel(model).library ? ollamaEndpointOf(environment) : endpointOf(environment);
}

function viewOf(
  { id, model, repository, directory, state, failure, files }: DownloadRecord,
  arrived: ReadonlyMap<string, number> | undefined,
  { bytesPerSecond, trouble }: { bytesPerSecond: number | null; trouble: Trouble | null },
): Download {
  return {
    id,
    model,
    name: catalogueModel(model).name,
    repository,
    directory,
    state: state === 'complete' ? 'running' : state,
    doneBytes: files.reduce((sum, { path, bytes, complete }) => sum + (arrived?.get(path) ?? (complete ? bytes : 0)), 0),
    totalBytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    bytesPerSecond,
    trouble: trouble && { failure: trouble.error.toFailure(), tries: trouble.tries, mostTries: trouble.mostTries },
    failure,
  };
}

/** What is in a folder already is resumed, or replaced where it is complete and of another repository. Throws `download_locked`. */
function recordFor(downloads: Store['downloads'], request: Pick<DownloadRecord, 'model' | 'repository' | 'directory'>): number {
  const { repository, directory } = request;
  const known = downloads.list().find((record) => record.directory === directory);
  if (known?.repository === repository) return known.id;
  if (known && known.state !== 'complete')
    throw new LoupeError(
      'download_locked',
      `${known.repository} is being downloaded into ${directory} already.`,
      'Choose another folder, or cancel that download first.',
    );
  if (known) downloads.remove(known.id);
  return downloads.create(request).id;
}

function bytesOnDisk({ directory, files }: DownloadRecord): Promise<[path: string, bytes: number][]> {
  return Promise.all(files.map(async (file) => [file.path, await bytesHere(join(directory, file.path), file)]));
}

interface Speed {
  reset(): void;
  /** With the bytes that are here of each file. */
  sample(arrived: ReadonlyMap<string, number>): void;
  /** Bytes a second; null until there is something to compare. */
  value(): number | null;
}

function createSpeed(): Speed {
  let samples: { at: number; bytes: number }[] = [];
  const take = throttle(progressEveryMs, (arrived: ReadonlyMap<string, number>) => {
    const at = performance.now();
    let bytes = 0;
    for (const count of arrived.values()) bytes += count;
    samples = [...samples.filter((sample) => at - sample.at <= speedOverMs), { at, bytes }];
  });
  return {
    reset() {
      take.cancel();
      samples = [];
    },
    sample: take,
    value() {
      const [first] = samples;
      const last = samples.at(-1);
      return first && last && last.at > first.at ? Math.max(0, ((last.bytes - first.bytes) * 1000) / (last.at - first.at)) : null;
    },
  };
}

/** The files of a download, and its folder if nothing else is in it. */
export async function removeDownloaded({ directory, files }: Pick<DownloadRecord, 'directory' | 'files'>): Promise<void> {
  await Promise.all(files.map(({ path }) => removeFile(join(directory, path))));
  await Promise.all(['NOTICE', '.loupe.lock'].map((name) => rm(join(directory, name), { force: true })));
  const folders = new Set(files.flatMap(({ path }) => foldersOf(path)));
  // The deepest first.
  for (const folder of [...folders].sort((a, b) => b.length - a.length)) await removeEmpty(join(directory, folder));
  await removeEmpty(directory);
}

/** Of "a/b/c" "a/b" and "a". */
function foldersOf(path: string): string[] {
  const folder = dirname(path);
  return folder === '.' ? [] : [folder, ...foldersOf(folder)];
}

async function removeEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTEMPTY') throw error;
  });
}
