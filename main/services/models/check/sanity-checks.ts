/** When models get a sanity check, and with what result. It runs while the engine is idle: nobody ever waits for one. */
import type { EngineState, EventMessage, ModelChoice, SanityCheck } from '../../../contract.ts';
import type { EngineService } from '../../engine-service.ts';
import { LoupeError, toLoupeError } from '../../../errors.ts';
import type { Clock, Engine, LoadedModel, SanityCheckRecord, Store } from '../../ports.ts';
import type { Machine } from '../fit/file-fit.ts';
import { loadPlanned } from '../fit/placement.ts';
import type { ChosenModel } from '../models.ts';
import { readReferences, runSanityCheck, type Reference, type SanityCheckReport, type TriedModel } from './sanity-check.ts';

export interface SanityChecksOptions {
  store: { models: Pick<Store['models'], 'sanityChecks' | 'saveSanityCheck'> };
  engine: Pick<EngineService, 'whileIdle' | 'lastUsed' | 'state'>;
  /** Answers that a model brings with it. */
  references: (model: string) => Promise<Reference[]>;
  emit: (event: EventMessage) => void;
  clock?: Clock;
  /** From loading to the check: whoever loaded a model to ask it something comes first. */
  afterLoadMs?: number;
  /** A check empties the caches of a conversation, so the model must have been idle for this long. */
  afterUseMs?: number;
}

/** Tokens; more than any question of the test takes. */
const testContext = 512;

export interface SanityChecks {
  list(): SanityCheck[];
  /** Call this with every change of the engine. */
  follow(state: EngineState): void;
  close(): void;
}

export function createSanityChecks({
  store,
  engine,
  references,
  emit,
  clock = { now: Date.now },
  afterLoadMs = 2_000,
  afterUseMs = 120_000,
}: SanityChecksOptions): SanityChecks {
  /** Of this process: running, and what could not be tried. */
  const current = new Map<string, SanityCheck>();
  const tried = new Set<string>();
  let timer: NodeJS.Timeout | null = null;
  let ready = false;
  let closed = false;

  function list(): SanityCheck[] {
    const stored = store.models.sanityChecks().filter(({ model }) => !current.has(model));
    return [...stored.map(viewOf), ...current.values()];
  }

  function update(test: SanityCheck): void {
    if (test.state === 'running' || test.state === 'failed') current.set(test.model, test);
    else current.delete(test.model);
    emit({ event: 'sanityChecks.changed', payload: list() });
  }

  function later(ms: number): void {
    if (timer) clearTimeout(timer);
    timer = setTimeout(() => void attempt(), ms).unref();
  }

  async function attempt(): Promise<void> {
    timer = null;
    const { model, status } = engine.state();
    // What could not be checked once would only get in the way again.
    if (closed || status !== 'ready' || !model || current.get(model.id)?.state === 'failed') return;
    const used = engine.lastUsed();
    const rest = used === null ? 0 : afterUseMs - (performance.now() - used);
    if (rest > 0) return later(rest);
    try {
      const tried = await engine.whileIdle(async (port, loaded, signal) => {
        if (isOutdated(model.id, model.bytes, loaded)) await tryModel(model, port, loaded, signal);
        return 'tried';
      });
      if (tried === null) later(afterUseMs);
    } catch (thrown) {
      if (closed) return;
      const error = toLoupeError(thrown);
      if (error.code === 'cancelled') {
        current.delete(model.id);
        emit({ event: 'sanityChecks.changed', payload: list() });
        later(afterUseMs);
      } else update({ ...blank, model: model.id, state: 'failed', failure: error.toFailure() });
    }
  }

  async function tryModel(choice: ModelChoice, port: Engine, loaded: LoadedModel, signal: AbortSignal): Promise<void> {
    update({ ...blank, model: choice.id, state: 'running', device: loaded.device.name });
    tried.add(choice.id);
    const report = await runSanityCheck(port, modelToTry(choice, loaded), { references: await references(choice.id), signal });
    const record = recordOf(choice, loaded, report, clock);
    store.models.saveSanityCheck(record);
    update(viewOf(record));
  }

  function isOutdated(model: string, bytes: number | null, { device: { name, driver } }: LoadedModel): boolean {
    const known = store.models.sanityChecks().find((record) => record.model === model);
    // What was wrong may have been repaired since Loupe was last started: the files or Loupe itself.
    return !known || (!known.sound && !tried.has(model)) || known.bytes !== bytes || known.device !== name || known.driver !== driver;
  }

  return {
    list,
    follow({ status }) {
      const was = ready;
      ready = status === 'ready';
      if (ready && !was && !closed) later(afterLoadMs);
    },
    close() {
      closed = true;
      if (timer) clearTimeout(timer);
    },
  };
}

export interface ModelTestContext {
  store: { models: Pick<Store['models'], 'saveSanityCheck'>; settings: Store['settings'] };
  machine: Pick<Machine, 'hostMemoryBytes'>;
  startEngine: (() => Engine) | undefined;
  clock: Clock;
}

export type ModelTest = SanityCheckReport & SanityCheckRecord;

/** Loads a model into an engine of its own, tests it, and stores the result. */
export async function testModel(
  { store, machine: { hostMemoryBytes }, startEngine, clock }: ModelTestContext,
  {
    model: { choice, place },
    signal,
    onProgress,
  }: { model: ChosenModel; signal: AbortSignal; onProgress: (doneBytes: number, totalBytes: number) => void },
): Promise<ModelTest> {
  if (!startEngine) throw new LoupeError('engine_missing', 'This Loupe cannot test models by itself.', 'Use `loupe models test`.');
  const engine = startEngine();
  try {
    const files = await place();
    const loaded = await loadPlanned(
      engine,
      { ...files, contextLength: testContext, engine: { device: store.settings().device ?? undefined } },
      { model: choice.name, hostMemoryBytes, signal, onProgress },
    );
    const report = await runSanityCheck(engine, modelToTry(choice, loaded), { references: await readReferences(files), signal });
    const record = recordOf(choice, loaded, report, clock);
    store.models.saveSanityCheck(record);
    return { ...report, ...record };
  } finally {
    await engine.close();
  }
}

/** A guard answers no questions about pictures, but its verdicts end. */
export function modelToTry(
  { kind }: Pick<ModelChoice, 'kind'>,
  { model: { vocabularySize, vision }, promptFormat }: LoadedModel,
): TriedModel {
  return { vocabularySize, vision: kind === 'guard' ? null : vision, endsAnswers: promptFormat !== null && promptFormat !== 'completion' };
}

export function recordOf(
  { id, bytes }: ModelChoice,
  { device: { name: device, driver } }: LoadedModel,
  { sound, findings }: SanityCheckReport,
  clock: Clock,
): SanityCheckRecord {
  return { model: id, bytes, device, driver, sound, findings, testedAt: clock.now() };
}

const blank: Omit<SanityCheck, 'model'> = { state: 'running', findings: [], testedAt: null, device: '', failure: null };

function viewOf({ model, sound, findings, testedAt, device }: SanityCheckRecord): SanityCheck {
  return { ...blank, model, state: sound ? 'sound' : 'wrong', findings, testedAt, device };
}
