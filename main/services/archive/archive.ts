/** Exporting everything and importing it: one at a time, with progress, until it is stopped. */
import type { ArchiveState, EventMessage } from '../../contract.ts';
import { LoupeError, toLoupeError } from '../../errors.ts';
import type { Store } from '../ports.ts';
import type { Pictures } from '../pictures.ts';
import { exportArchive } from './export.ts';
import { importArchive, type Changed } from './import.ts';

export interface ArchivesOptions {
  store: Pick<Store, 'archive' | 'documentFiles' | 'pictures'>;
  pictures: Pick<Pictures, 'add'>;
  /** Of Loupe. */
  version: string;
  emit: (event: EventMessage) => void;
  /** Called for all that an import added or completed, as it is. */
  onPut: (put: Changed) => void;
}

export interface Archives {
  state(): ArchiveState;
  /** Return at once. Throw `engine_busy` while one is at work. */
  export(path: string, options: { replaces: boolean }): void;
  import(path: string): void;
  /** Resolves when nothing is read or written any more. */
  stop(): Promise<void>;
}

/** Windows draw no faster. */
const reportEveryMs = 100;

export function createArchives({ store, pictures, version, emit, onPut }: ArchivesOptions): Archives {
  let state: ArchiveState = { work: null, progress: { done: 0, all: 0 }, result: null, failure: null };
  let running: { abort: AbortController; ended: Promise<void> } | null = null;
  let reportedAt = 0;

  function change(next: Partial<ArchiveState>): void {
    state = { ...state, ...next };
    reportedAt = performance.now();
    emit({ event: 'archive.changed', payload: state });
  }

  function onStep(done: number, all: number): void {
    const progress = { done, all };
    if (performance.now() - reportedAt >= reportEveryMs) change({ progress });
    else state = { ...state, progress };
  }

  function begin(
    work: 'export' | 'import',
    path: string,
    run: (signal: AbortSignal) => Promise<Omit<NonNullable<ArchiveState['result']>, 'work' | 'path'>>,
  ): void {
    if (running)
      throw new LoupeError(
        'engine_busy',
        `Loupe is ${state.work === 'export' ? 'exporting' : 'importing'} already.`,
        'Wait until it is done, or stop it.',
      );
    const abort = new AbortController();
    change({ work, progress: { done: 0, all: 0 }, result: null, failure: null });
    const ended = run(abort.signal).then(
      (result) => ({ result: { work, path, ...result } }),
      (error: unknown) => ({ failure: abort.signal.aborted ? null : toLoupeError(error).toFailure() }),
    );
    running = {
      abort,
      ended: ended.then((outcome) => {
        running = null;
        change({ work: null, ...outcome });
      }),
    };
  }

  return {
    state: () => state,
    export: (path, { replaces }) =>
      begin('export', path, async (signal) => {
        const exported = await exportArchive({ store, path, version, replaces, signal, onStep });
        return { ...exported, merged: 0, known: 0 };
      }),
    import: (path) =>
      begin('import', path, async (signal) => {
        const imported = await importArchive({ store, pictures, path, signal, onStep, onPut });
        return { ...imported, missing: 0 };
      }),
    async stop() {
      running?.abort.abort();
      await running?.ended;
    },
  };
}
