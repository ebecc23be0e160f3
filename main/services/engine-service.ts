/**
 * The engine as the app uses it: one model, chosen in the settings, loaded when it is first
 * needed or at start; one use at a time, in order.
 */
import type { EngineState, Settings } from '../contract.ts';
import { LoupeError, toLoupeError, type ErrorCode } from '../errors.ts';
import type { ChosenModel } from './models/models.ts';
import { loadPlanned } from './models/fit/placement.ts';
import type { ChatMessage, Engine, LoadedModel } from './ports.ts';
import { throttle } from './throttle.ts';

export interface EngineServiceOptions {
  engine: Engine;
  settings: () => Settings;
  /** By its id; throws `model_missing`. */
  model: (id: string) => ChosenModel;
  onChange: (state: EngineState) => void;
  /** Where compiled pipelines are kept. */
  cacheDirectory?: string | undefined;
}

export interface EngineService {
  state(): EngineState;
  /** As long as it is about the chosen model; null while a guard is there for a moment, which answers nobody. */
  chosen(): EngineState | null;
  /** Loads the chosen model, again if it is loaded, once what runs has ended; another load that is under way is given up. Never rejects: `state` tells. */
  load(): Promise<void>;
  /** Loads what the settings choose, unless it is loaded or on its way. As `load` otherwise. */
  follow(): Promise<void>;
  /**
   * Runs `work` with the chosen model loaded and nothing else running. Rejects with why the model could not be loaded.
   * With the id of another model that one is loaded; it stays until the chosen one is wanted again.
   */
  use<Result>(signal: AbortSignal, work: (engine: Engine) => Promise<Result>, onWait?: () => void, other?: string): Promise<Result>;
  /**
   * Work that nobody waits for, with the model that is loaded. Whoever wants the engine meanwhile aborts its signal and
   * comes next. Null where no model is loaded or somebody is at it already.
   */
  aside<Result>(work: (engine: Engine, loaded: LoadedModel, signal: AbortSignal) => Promise<Result>): Promise<Result | null>;
  /** When the loaded model was last used, on the clock of `performance`; null since it was loaded. */
  lastUsed(): number | null;
  /** Of the loaded model; takes no turn, so an answer may be being written meanwhile. */
  countTokens(messages: ChatMessage[], signal?: AbortSignal): Promise<number>;
  devices(signal?: AbortSignal): ReturnType<Engine['devices']>;
  close(): Promise<void>;
}

const unloaded = {
  doneBytes: 0,
  device: null,
  contextLength: null,
  hostBytes: null,
  vision: null,
  use: null,
  failure: null,
} satisfies Partial<EngineState>;

const brokenWithoutFiles: readonly ErrorCode[] = [
  'engine_crashed',
  'device_lost',
  'file_missing',
  'file_truncated',
  'model_missing',
  'tokenizer_missing',
  'checkpoint_header',
  'internal',
];
/** Progress of a load is told at most so often. */
const progressEveryMs = 100;

export function createEngineService({ engine, settings, model, onChange, cacheDirectory }: EngineServiceOptions): EngineService {
  let state: EngineState = { ...unloaded, status: 'stopped', model: null, totalBytes: 0 };
  /** With the settings that it was loaded with. Null where the next use has to load. */
  let held: { key: string; loaded: LoadedModel } | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  /** That have or wait for their turn. */
  let wanting = 0;
  let standAside: AbortController | null = null;
  let lastUsed: number | null = null;
  /** `other`: not of the chosen model; a guard that is there for a moment is not hurried. */
  let loading: { key: string; abort: AbortController; other: boolean } | null = null;
  let loadsBegun = 0;
  const closing = new AbortController();

  function become(change: Partial<EngineState>): void {
    state = { ...state, ...change };
    onChange(state);
  }

  /** Everything that asks for another load when it changes. */
  function wanted(other?: string): { id: string; key: string; device: string | undefined; contextLength: number | undefined } {
    const { model: chosen, device, contextLength } = settings();
    const id = other ?? chosen;
    return { id, key: JSON.stringify([id, device, contextLength]), device: device ?? undefined, contextLength: contextLength ?? undefined };
  }

  /** After everything that was asked for before. */
  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    standAside?.abort(new LoupeError('cancelled', 'Somebody else needs the engine.'));
    wanting++;
    const result = turn.then(work).finally(() => wanting--);
    turn = result.catch(() => {});
    return result;
  }

  /** What a process held went with it: the next use loads it where that is seen and can be given up. */
  engine.onLost(() => {
    held = null;
    if (state.status === 'ready') become({ ...unloaded, status: 'stopped' });
  });

  /** Given up with `signal` where it is not the chosen model. */
  async function loadNow(other?: string, signal?: AbortSignal): Promise<void> {
    const { id, key, device, contextLength } = wanted(other);
    const abort = new AbortController();
    const progress = throttle(progressEveryMs, (doneBytes: number, totalBytes: number) => become({ doneBytes, totalBytes }));
    loading = { key, abort, other: other !== undefined };
    loadsBegun++;
    try {
      const { choice, place } = model(id);
      become({ status: 'loading', model: choice, ...unloaded, totalBytes: choice.bytes ?? 0 });
      const loaded = await loadPlanned(
        engine,
        { ...(await place()), contextLength, engine: { device, cacheDirectory } },
        {
          model: choice.name,
          signal: AbortSignal.any([abort.signal, closing.signal, ...(signal ? [signal] : [])]),
          onProgress: (doneBytes, totalBytes) => {
            if (doneBytes < totalBytes) progress(doneBytes, totalBytes);
            else progress.now(doneBytes, totalBytes);
          },
        },
      );
      progress.cancel();
      held = { key, loaded };
      lastUsed = null;
      const { vision, contextLength: tokens, placement } = loaded.model;
      become({
        status: 'ready',
        device: { name: loaded.device.name, kind: loaded.device.kind },
        contextLength: tokens,
        hostBytes: placement.hostBytes,
        vision: vision && { tileSize: vision.tileSize, maxTiles: vision.maxTiles },
        use: useOf(loaded),
      });
    } catch (thrown) {
      progress.cancel();
      held = null;
      // Another model was chosen meanwhile. Whoever waits for one gets that.
      if (abort.signal.aborted || signal?.aborted) {
        become({ ...unloaded, status: 'stopped' });
        if (other === undefined) return;
        throw new LoupeError('cancelled', 'Loading was cancelled.');
      }
      const error = orGone(toLoupeError(thrown), id);
      become({ status: 'failed', failure: error.toFailure() });
      throw error;
    } finally {
      loading = null;
    }
  }

  async function ensureLoaded(other?: string, signal?: AbortSignal): Promise<void> {
    while (held?.key !== wanted(other).key) await loadNow(other, signal);
  }

  /** Nobody waits for gigabytes that are not wanted any more, or for a driver that hangs. */
  function giveUpLoading(): void {
    loading?.abort.abort(new LoupeError('cancelled', 'Another model was chosen.'));
  }

  /** What the device turned out to have no room for, a load with another plan may find room for: the next use begins with one. */
  async function watched<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (thrown) {
      const error = state.model ? orGone(toLoupeError(thrown), state.model.id) : toLoupeError(thrown);
      if (error.code === 'device_out_of_memory' || error.code === 'model_missing') held = null;
      throw error;
    }
  }

  /** A drive that was taken away shows as whatever broke without its files: it is said what it was. */
  function orGone(error: LoupeError, id: string): LoupeError {
    if (!brokenWithoutFiles.includes(error.code)) return error;
    try {
      model(id);
      return error;
    } catch (gone) {
      return toLoupeError(gone);
    }
  }

  return {
    state: () => state,
    chosen: () => (state.model?.id === settings().model ? state : null),
    load() {
      giveUpLoading();
      const before = loadsBegun;
      return inTurn(async () => {
        // Whoever waited has had it loaded again already.
        if (loadsBegun > before && held?.key === wanted().key) return;
        await loadNow().catch(() => {});
      });
    },
    follow() {
      if (loading && !loading.other && loading.key !== wanted().key) giveUpLoading();
      return inTurn(() => ensureLoaded().catch(() => {}));
    },
    use(signal, work, onWait, other) {
      onWait?.();
      return inTurn(async () => {
        if (signal.aborted) throw new LoupeError('cancelled', 'The question was stopped before its turn came.');
        // One that is gone costs the loaded one nothing.
        if (other !== undefined) model(other);
        await ensureLoaded(other, other === undefined ? undefined : signal);
        return watched(work(engine)).finally(() => (lastUsed = performance.now()));
      });
    },
    async aside(work) {
      if (wanting > 0 || standAside || !held) return null;
      const { loaded } = held;
      const stop = new AbortController();
      standAside = stop;
      const result = work(engine, loaded, AbortSignal.any([stop.signal, closing.signal])).finally(() => (standAside = null));
      turn = result.catch(() => {});
      return result;
    },
    lastUsed: () => lastUsed,
    countTokens: (messages, signal) => engine.countTokens({ messages }, { signal }),
    devices: (signal) => engine.devices({ signal }),
    async close() {
      closing.abort();
      await engine.close();
    },
  };
}

function useOf({ promptFormat }: LoadedModel): EngineState['use'] {
  if (promptFormat === 'guard') return 'guard';
  return promptFormat === 'completion' ? 'complete' : 'chat';
}
