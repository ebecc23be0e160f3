/**
 * The engine as the app uses it: one model, chosen in the settings, loaded when it is first
 * needed or at start; one use at a time, in order. A server's model takes its place for whoever
 * asks a question, and leaves what is loaded here alone.
 *
 * | status    | begins with                                    | ends with                                             |
 * | --------- | ---------------------------------------------- | ----------------------------------------------------- |
 * | `stopped` | the start; a lost engine; a load given up      | `loading`: a use, `load` or `follow`                  |
 * | `loading` | a use that finds other settings, or no model   | `ready`, `failed`; `stopped` where it was given up    |
 * | `ready`   | a load that succeeded                          | `loading`: as above; `stopped`: its process was lost  |
 * | `failed`  | a load that failed                             | `loading`: as above                                   |
 */
import { serverIdOf, serverState, type EngineState, type ModelChoice, type Settings } from '../contract.ts';
import { LoupeError, toLoupeError, type ErrorCode } from '../errors.ts';
import { createFallbacks, type Trouble, type Wanted } from './fallbacks.ts';
import type { ChosenModel } from './models/models.ts';
import { chooseKernels } from './kernels.ts';
import { loadPlanned } from './models/fit/placement.ts';
import type { AnsweringEngine, Body, Engine, EngineSettings, KernelRecords, KernelValues, LoadedModel } from './ports.ts';
import { throttle } from './throttle.ts';
import { createTurns } from './turns.ts';

export interface EngineServiceOptions {
  engine: Engine;
  settings: () => Settings;
  /** By its id; throws `model_missing`. */
  model: (id: string) => ChosenModel;
  onChange: (state: EngineState) => void;
  /** A server's model by its id: null for one on this computer; throws `model_missing`. Absent: there are no servers. */
  server?: (id: string) => { choice: ModelChoice; engine: AnsweringEngine } | null;
  /** Where compiled pipelines are kept. */
  cacheDirectory?: string | undefined;
  /** Of what was measured. Absent: kernels are as the table of devices says. */
  kernelRecords?: KernelRecords | undefined;
}

export interface UseOptions {
  /** Called at once. */
  onWait?: () => void;
  /** The id of another model than the chosen one; it is loaded, and stays until the chosen one is wanted again. */
  other?: string | undefined;
  /** Comes after everything that does not: what a person asks goes before what programs ask. */
  givesWay?: boolean;
  /** What it is that no server may be asked for, as in "Tables are filled"; a server's model is then refused. */
  onlyHere?: string;
}

export interface EngineService {
  /** Of what is loaded here. */
  state(): EngineState;
  /** Of the chosen model, which may be a server's. Null while another model is loaded for a moment, as a guard that checks an answer. */
  chosen(): EngineState | null;
  /**
   * Loads the chosen model, again if it is loaded, once what runs has ended; another load that is under way is given up.
   * Never rejects: `state` has the result.
   */
  load(): Promise<void>;
  /** Loads what the settings choose, unless it is loaded or on its way. As `load` otherwise. */
  follow(): Promise<void>;
  /**
   * Runs `work` with the chosen model loaded and nothing else running; of a server's model at once, beside what runs here. `answers`:
   * which model it is. Rejects with why the model could not be loaded.
   */
  use<Result>(
    signal: AbortSignal,
    work: (engine: AnsweringEngine, answers: EngineState) => Promise<Result>,
    options?: UseOptions,
  ): Promise<Result>;
  /**
   * Work that nobody waits for, with the model that is loaded. Whoever wants the engine meanwhile aborts its signal and
   * comes next. Null where no model is loaded or the engine is in use.
   */
  whileIdle<Result>(work: (engine: Engine, loaded: LoadedModel, signal: AbortSignal) => Promise<Result>): Promise<Result | null>;
  /** When the loaded model was last used, on the clock of `performance`; null since it was loaded. */
  lastUsed(): number | null;
  /** Of the loaded model; takes no turn, so an answer may be being written meanwhile. */
  countTokens(request: Body<'countTokens'>, signal?: AbortSignal): ReturnType<Engine['countTokens']>;
  devices(signal?: AbortSignal): ReturnType<Engine['devices']>;
  close(): Promise<void>;
}

/** What only the service has to know of a status. `key`: the settings that a load was made with. */
type Phase =
  | { status: 'stopped' | 'failed' }
  /** `temporary`: not the chosen model, but a guard that comes for a moment and is not hurried. */
  | { status: 'loading'; key: string; temporary: boolean; abort: AbortController }
  /** `stale`: the next use has to load again. `lastUsed`: on the clock of `performance`; null since it was loaded. */
  | { status: 'ready'; key: string; loaded: LoadedModel; lastUsed: number | null; stale: boolean };

const unloaded = {
  doneBytes: 0,
  timing: null,
  device: null,
  contextLength: null,
  hostBytes: null,
  vision: null,
  use: null,
  failure: null,
  instead: null,
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
/** What is loaded is gone, or needs another plan. */
const outdating: readonly ErrorCode[] = ['device_out_of_memory', 'model_missing', 'device_lost', 'engine_crashed'];
const progressEveryMs = 100;

export function createEngineService(options: EngineServiceOptions): EngineService {
  const { engine, settings, model, server = () => null } = options;
  const turns = createTurns();
  const closing = new AbortController();
  const loader = createLoader(options, closing.signal);

  /** A device that turned out to have less room needs another plan: the next use loads again. */
  async function watched<Result>(work: Promise<Result>): Promise<Result> {
    // The state has forgotten it when the engine is lost.
    const where = { device: loader.loaded()?.device ?? null, contextLength: loader.state().contextLength };
    try {
      const result = await work;
      loader.worked();
      return result;
    } catch (thrown) {
      const id = loader.state().model?.id;
      const error = id === undefined ? toLoupeError(thrown) : missingOr(toLoupeError(thrown), model, id);
      if (outdating.includes(error.code)) loader.invalidate();
      loader.failed(error.code, where);
      throw error;
    } finally {
      loader.used();
    }
  }

  /** Null also where it was removed. */
  function chosenServer(): EngineState | null {
    try {
      const chosen = server(settings().model);
      return chosen && serverState(chosen.choice);
    } catch {
      return null;
    }
  }

  /** There is nothing to load for a server's. */
  const isHere = (): boolean => serverIdOf(settings().model) === null;

  return {
    state: loader.state,
    chosen: () => chosenServer() ?? (loader.state().model?.id === settings().model ? loader.state() : null),
    async load() {
      if (!isHere()) return;
      loader.giveUp();
      const before = loader.loads();
      return turns.take(async () => {
        // Another caller has loaded it again in the meantime.
        if (loader.loads() > before && loader.isLoaded()) return;
        // Whoever asks for it wants what was chosen.
        loader.forgetFallbacks();
        await loader.load().catch(() => {});
      });
    },
    async follow() {
      if (!isHere()) return;
      loader.giveUpOutdated();
      return turns.take(() => loader.ensureLoaded().catch(() => {}));
    },
    async use(signal, work, { onWait, other, givesWay, onlyHere } = {}) {
      const away = server(other ?? settings().model);
      if (away && onlyHere !== undefined)
        throw new LoupeError(
          'model_missing',
          `${onlyHere} by a model on this computer alone; ${away.choice.name} is a server’s.`,
          'Choose another model.',
        );
      onWait?.();
      if (away) return work(away.engine, serverState(away.choice)!);
      return turns.take(async () => {
        if (signal.aborted) throw new LoupeError('cancelled', 'The question was stopped before its turn came.');
        // Where its files are missing, the loaded model stays.
        if (other !== undefined) model(other);
        await loader.ensureLoaded(other, other === undefined ? undefined : signal);
        return watched(work(engine, loader.state()));
      }, givesWay);
    },
    async whileIdle(work) {
      const loaded = loader.loaded();
      return loaded && turns.whileIdle((signal) => work(engine, loaded, AbortSignal.any([signal, closing.signal])));
    },
    lastUsed: loader.lastUsed,
    countTokens: (request, signal) => engine.countTokens(request, { signal }),
    devices: (signal) => engine.devices({ signal }),
    async close() {
      closing.abort();
      await engine.close();
    },
  };
}

interface Loader {
  state(): EngineState;
  /** Loads the chosen model, or the one of this id. An aborted `signal` gives up a load of another model than the chosen one. */
  load(other?: string, signal?: AbortSignal): Promise<void>;
  /** As `load`, where that is not loaded with the present settings. */
  ensureLoaded(other?: string, signal?: AbortSignal): Promise<void>;
  giveUp(): void;
  /** Gives up a load of the chosen model with settings that have changed. */
  giveUpOutdated(): void;
  /** The chosen model is loaded with the present settings. */
  isLoaded(): boolean;
  loaded(): LoadedModel | null;
  /** What is loaded cannot be used any more. */
  invalidate(): void;
  used(): void;
  /** A use has failed, with what was loaded then. */
  failed(code: ErrorCode, where: Omit<Trouble, 'code'>): void;
  worked(): void;
  /** The next load tries what was chosen. */
  forgetFallbacks(): void;
  lastUsed(): number | null;
  /** How many loads have begun. */
  loads(): number;
}

function createLoader(
  { engine, settings, model, onChange, cacheDirectory, kernelRecords }: EngineServiceOptions,
  closing: AbortSignal,
): Loader {
  let phase: Phase = { status: 'stopped' };
  let state: EngineState = { ...unloaded, status: 'stopped', model: null, totalBytes: 0 };
  let loads = 0;
  /** By the device that was asked for. */
  const kernels = new Map<string, KernelValues>();
  const fallbacks = createFallbacks(engine);
  /** Of the load before, or the one that is under way. */
  let lastKey = '';

  function publish(change: Partial<EngineState>): void {
    state = { ...state, ...change };
    onChange(state);
  }

  function enter(next: Phase, change: Partial<EngineState> = {}): void {
    phase = next;
    publish({ ...change, status: next.status });
  }

  // What a process held went with it: the next use loads it where that is seen and can be given up.
  engine.onLost(() => {
    if (phase.status === 'ready') enter({ status: 'stopped' }, unloaded);
  });

  /** Everything that asks for another load when it changes. */
  function wanted(other?: string): { id: string; key: string; device: string | undefined; contextLength: number | undefined } {
    const { model: chosen, device, contextLength } = settings();
    const id = other ?? chosen;
    return { id, key: JSON.stringify([id, device, contextLength]), device: device ?? undefined, contextLength: contextLength ?? undefined };
  }

  const isLoaded = (other?: string): boolean => phase.status === 'ready' && !phase.stale && phase.key === wanted(other).key;

  async function load(other?: string, signal?: AbortSignal): Promise<void> {
    const { id, key, device, contextLength } = wanted(other);
    const abort = new AbortController();
    const progress = throttle(progressEveryMs, (doneBytes: number, totalBytes: number) => publish({ doneBytes, totalBytes }));
    phase = { status: 'loading', key, temporary: other !== undefined, abort };
    loads++;
    lastKey = key;
    try {
      const { choice, place } = model(id);
      enter(phase, { ...unloaded, model: choice, totalBytes: choice.bytes ?? 0 });
      const given = AbortSignal.any([abort.signal, closing, ...(signal ? [signal] : [])]);
      const loaded = await loadWithFallbacks({ id, key, device, contextLength }, async (attempt) =>
        loadPlanned(
          engine,
          { ...(await place()), contextLength: attempt.contextLength, engine: await engineFor(attempt.device, given) },
          {
            model: choice.name,
            signal: given,
            onProgress: (doneBytes, totalBytes) => {
              if (doneBytes < totalBytes) progress(doneBytes, totalBytes);
              else progress.now(doneBytes, totalBytes);
            },
          },
        ),
      );
      progress.cancel();
      enter(
        { status: 'ready', key, loaded, lastUsed: null, stale: false },
        { ...viewOf(loaded), instead: fallbacks.loaded(key, loaded.device.name) },
      );
    } catch (thrown) {
      progress.cancel();
      // Another model was chosen meanwhile. Whoever waits for one gets that.
      if (abort.signal.aborted || signal?.aborted) {
        enter({ status: 'stopped' }, unloaded);
        if (other === undefined) return;
        throw new LoupeError('cancelled', 'Loading was cancelled.');
      }
      const error = missingOr(toLoupeError(thrown), model, id);
      enter({ status: 'failed' }, { failure: error.toFailure() });
      throw error;
    }
  }

  /** Its kernels are timed before it is used for the first time. */
  async function engineFor(device: string | undefined, signal: AbortSignal): Promise<EngineSettings> {
    const settings = { device, cacheDirectory };
    if (!kernelRecords) return settings;
    const key = device ?? '';
    let values = kernels.get(key);
    if (!values) {
      const onProgress = (done: number, total: number): void => publish({ timing: { done, total } });
      ({ values } = await chooseKernels(engine, kernelRecords, settings, { signal, onProgress }));
      kernels.set(key, values);
      if (state.timing) publish({ timing: null });
    }
    return { ...settings, kernels: values };
  }

  /** A chosen device that is not there is replaced at once; other failures reach whoever wants the model, and count. */
  async function loadWithFallbacks(
    { id, key, ...wanted }: Wanted & { id: string; key: string },
    loadAs: (attempt: Wanted) => Promise<LoadedModel>,
  ): Promise<LoadedModel> {
    for (let attempt = await fallbacks.choose(key, wanted); ;) {
      try {
        return await loadAs(attempt);
      } catch (thrown) {
        const { code } = missingOr(toLoupeError(thrown), model, id);
        fallbacks.failed(key, { code, device: null, contextLength: null });
        const next = code === 'no_device' ? await fallbacks.choose(key, wanted) : attempt;
        if (next.device === attempt.device) throw thrown;
        attempt = next;
      }
    }
  }

  /** So that nobody waits for gigabytes that are no longer wanted, or for a driver that hangs. */
  function giveUp(): void {
    if (phase.status === 'loading') phase.abort.abort(new LoupeError('cancelled', 'Another model was chosen.'));
  }

  return {
    state: () => state,
    load,
    async ensureLoaded(other, signal) {
      while (!isLoaded(other)) await load(other, signal);
    },
    giveUp,
    giveUpOutdated() {
      if (phase.status === 'loading' && !phase.temporary && phase.key !== wanted().key) giveUp();
    },
    isLoaded,
    loaded: () => (phase.status === 'ready' && !phase.stale ? phase.loaded : null),
    invalidate() {
      if (phase.status === 'ready') phase = { ...phase, stale: true };
    },
    used() {
      if (phase.status === 'ready') phase = { ...phase, lastUsed: performance.now() };
    },
    failed: (code, where) => fallbacks.failed(lastKey, { code, ...where }),
    worked: () => fallbacks.worked(lastKey),
    forgetFallbacks: fallbacks.forget,
    lastUsed: () => (phase.status === 'ready' ? phase.lastUsed : null),
    loads: () => loads,
  };
}

/** A drive that was taken away shows as whatever breaks without its files: then it is the files that are missing. */
function missingOr(error: LoupeError, model: EngineServiceOptions['model'], id: string): LoupeError {
  if (!brokenWithoutFiles.includes(error.code)) return error;
  try {
    model(id);
    return error;
  } catch (missing) {
    return toLoupeError(missing);
  }
}

function viewOf({ device, model: { vision, contextLength, placement }, promptFormat }: LoadedModel): Partial<EngineState> {
  return {
    device: { name: device.name, kind: device.kind },
    contextLength,
    hostBytes: placement.hostBytes,
    vision: vision && { tileSize: vision.tileSize, maxTiles: vision.maxTiles },
    use: useOf(promptFormat),
  };
}

/** What a model is there for. */
export function useOf(format: LoadedModel['promptFormat']): NonNullable<EngineState['use']> {
  return format === 'guard' ? 'guard' : format === 'completion' ? 'complete' : 'chat';
}

/** An answer that loses its engine goes on from its last word on the next one, so many times. */
export const resumesPerAnswer = 2;

/** The engine starts again by itself, with the model that it had. */
export function isEngineLost(code: ErrorCode): boolean {
  return code === 'engine_crashed' || code === 'device_lost';
}
