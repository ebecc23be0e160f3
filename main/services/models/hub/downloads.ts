/** Downloads of models: one after the other, kept over restarts, told to the window. */
import { rmdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Download } from '../../../contract.ts';
import { LoupeError, toLoupeError } from '../../../errors.ts';
import type { Clock, DownloadRecord, Ledger, Store } from '../../ports.ts';
import { catalogueModel } from '../catalogue.ts';
import { bytesHere, removeFile } from './fetch-file.ts';
import { createHttp, isOffline } from './http.ts';
import { pull } from './pull.ts';
import { endpointOf } from './repository.ts';
import { usualTiming, type Timing } from './timing.ts';

export interface DownloadsOptions {
  store: Pick<Store, 'downloads' | 'lockDownload'> & { ledger: Ledger };
  token: () => Promise<string | null>;
  clock: Clock;
  environment: NodeJS.ProcessEnv;
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
  resume(id: number): void;
  /** Deletes what has arrived. */
  cancel(id: number): Promise<void>;
  /** Goes on with what was running or waiting when the last process ended. */
  recover(): void;
  /** Ends what runs; `recover` of a later process goes on with it. */
  close(): Promise<void>;
}

/** Why a running download ends. */
type Ending = 'pause' | 'cancel' | 'close';

interface Running {
  id: number;
  stop: AbortController;
  ending: Ending | null;
  ended: Promise<void>;
}

const tellEveryMs = 250;
/** Speed is that of so long. */
const speedOverMs = 6_000;

export function createDownloads({
  store,
  token,
  clock,
  environment,
  onChange,
  onComplete,
  timing = usualTiming,
  freeBytes,
}: DownloadsOptions): Downloads {
  let running: Running | null = null;
  let closed = false;
  /** Bytes of each file that are here, by download. */
  const arrived = new Map<number, Map<string, number>>();
  let samples: { at: number; bytes: number }[] = [];
  let told = 0;
  let later: NodeJS.Timeout | null = null;

  const open = (): DownloadRecord[] => store.downloads.list().filter(({ state }) => state !== 'complete');

  function list(): Download[] {
    return open().map(view);
  }

  function view({ id, model, repository, directory, state, failure, files }: DownloadRecord): Download {
    const here = arrived.get(id);
    return {
      id,
      model,
      name: catalogueModel(model).name,
      repository,
      directory,
      state: state === 'complete' ? 'running' : state,
      doneBytes: files.reduce((sum, { path, bytes, complete }) => sum + (here?.get(path) ?? (complete ? bytes : 0)), 0),
      totalBytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
      bytesPerSecond: state === 'running' ? speed() : null,
      failure,
    };
  }

  function speed(): number | null {
    const [first] = samples;
    const last = samples.at(-1);
    return first && last && last.at > first.at ? Math.max(0, ((last.bytes - first.bytes) * 1000) / (last.at - first.at)) : null;
  }

  function tell(): void {
    if (later) clearTimeout(later);
    later = null;
    told = performance.now();
    onChange(list());
  }

  /** Not for every piece that comes. */
  function tellSoon(): void {
    if (later) return;
    const wait = tellEveryMs - (performance.now() - told);
    if (wait <= 0) tell();
    else later = setTimeout(tell, wait);
  }

  function note(id: number, path: string, bytes: number): void {
    const here = arrived.get(id)!;
    here.set(path, bytes);
    const now = performance.now();
    const last = samples.at(-1);
    if (!last || now - last.at >= tellEveryMs) {
      let sum = 0;
      for (const count of here.values()) sum += count;
      samples.push({ at: now, bytes: sum });
      samples = samples.filter(({ at }) => now - at <= speedOverMs);
    }
    tellSoon();
  }

  /** How much is on disk is only known there. */
  async function measure({ id, directory, files }: DownloadRecord): Promise<void> {
    const counts = await Promise.all(
      files.map(async (file): Promise<[string, number]> => [file.path, await bytesHere(join(directory, file.path), file)]),
    );
    arrived.set(id, new Map([...counts, ...(arrived.get(id) ?? [])]));
  }

  function next(): void {
    if (running || closed) return;
    const waiting = open().find(({ state }) => state === 'queued');
    if (!waiting) return;
    const stop = new AbortController();
    const run: Running = { id: waiting.id, stop, ending: null, ended: Promise.resolve() };
    running = run;
    run.ended = work(waiting, run).finally(() => {
      running = null;
      next();
    });
  }

  async function work(record: DownloadRecord, run: Running): Promise<void> {
    const { id } = record;
    store.downloads.setState(id, 'running', null);
    samples = [];
    arrived.set(id, new Map());
    tell();
    const http = createHttp({ purpose: `download of ${catalogueModel(record.model).name}`, ledger: store.ledger, clock, environment });
    try {
      await measure(record);
      await pull(id, {
        http,
        endpoint: endpointOf(environment),
        token: await token(),
        store: store.downloads,
        lock: store.lockDownload,
        signal: run.stop.signal,
        timing,
        onBytes: (path, bytes) => note(id, path, bytes),
        ...(freeBytes ? { freeBytes } : {}),
      });
      await onComplete(store.downloads.get(id));
      store.downloads.setState(id, 'complete', null);
    } catch (error) {
      // For the next process it is still running; cancelled, it is gone in a moment.
      if (run.ending === 'pause') store.downloads.setState(id, 'paused', null);
      else if (run.ending === null) store.downloads.setState(id, 'failed', toLoupeError(error).toFailure());
    } finally {
      await http.close();
    }
    if (!closed) tell();
  }

  async function end(id: number, ending: Ending): Promise<void> {
    if (running?.id !== id) return;
    const run = running;
    run.ending ??= ending;
    run.stop.abort(new LoupeError('cancelled', 'The download was stopped.'));
    await run.ended;
  }

  function queue(id: number): void {
    if (isOffline(environment)) throw new LoupeError('offline', 'Downloads are switched off.');
    store.downloads.setState(id, 'queued', null);
    next();
    tell();
  }

  for (const record of open()) void measure(record);

  return {
    list,
    start({ model, repository, directory }) {
      const known = store.downloads.list().find((record) => record.directory === directory);
      if (known && known.repository !== repository) {
        if (known.state !== 'complete')
          throw new LoupeError(
            'download_locked',
            `${known.repository} is being downloaded into ${directory} already.`,
            'Choose another folder, or cancel that download first.',
          );
        store.downloads.remove(known.id);
      }
      const { id } = known?.repository === repository ? known : store.downloads.create({ model, repository, directory });
      if (running?.id !== id) queue(id);
      return view(store.downloads.get(id));
    },
    pause(id) {
      const { state } = store.downloads.get(id);
      if (state === 'running') void end(id, 'pause');
      else if (state === 'queued') {
        store.downloads.setState(id, 'paused', null);
        tell();
      }
    },
    resume(id) {
      const { state } = store.downloads.get(id);
      if (state === 'paused' || state === 'failed') queue(id);
    },
    async cancel(id) {
      const before = store.downloads.get(id);
      await end(id, 'cancel');
      const { directory, files } = store.downloads.list().find((record) => record.id === id) ?? before;
      store.downloads.remove(id);
      arrived.delete(id);
      await removeDownloaded(
        directory,
        files.map(({ path }) => path),
      );
      tell();
    },
    recover() {
      if (isOffline(environment)) return;
      for (const { id, state } of open()) if (state === 'running') store.downloads.setState(id, 'queued', null);
      next();
    },
    async close() {
      closed = true;
      if (later) clearTimeout(later);
      if (running) await end(running.id, 'close');
    },
  };
}

/** The files of a download, and its folder if nothing else is in it. */
export async function removeDownloaded(directory: string, paths: string[]): Promise<void> {
  await Promise.all(paths.map((path) => removeFile(join(directory, path))));
  await Promise.all(['NOTICE', '.loupe.lock'].map((name) => rm(join(directory, name), { force: true })));
  await rmdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTEMPTY') throw error;
  });
}
