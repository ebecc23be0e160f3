/** The jobs that quantise published models, one at a time. */
import { dirname } from 'node:path';
import type { EventMessage, ModelChoice, Quantising } from '../../contract.ts';
import { LoupeError, toFailure } from '../../errors.ts';
import type { Engine, Store } from '../ports.ts';
import { throttle } from '../throttle.ts';
import { licenceFor, requireAcceptance, writeNotice } from './hub/licence.ts';
import type { FoundModel } from './local/find.ts';
import type { Models } from './models.ts';
import { quantiseModel, quantisedTarget, type QuantisedForm } from './quantise.ts';

export interface QuantisingsOptions {
  store: Pick<Store, 'licences'>;
  models: Models;
  usable: (path: string) => Promise<FoundModel>;
  startEngine: (() => Engine) | undefined;
  /** Where copies go. */
  directory: () => string;
  onAdded: () => void;
  emit: (event: EventMessage) => void;
  /** Aborted when the app closes. */
  closing: AbortSignal;
}

export interface QuantiseRun {
  signal: AbortSignal;
  onProgress: (doneBytes: number, totalBytes: number) => void;
}

export interface Quantisings {
  /** Writes a quantised copy of a published model and adds it to the list. `target` null: below the models folder. */
  quantise(
    id: string,
    form: QuantisedForm,
    target: string | null,
    run: QuantiseRun,
  ): Promise<{ model: ModelChoice; report: Awaited<ReturnType<Engine['quantise']>> }>;
  /** As `quantise`, one at a time, reported by `quantisings.changed`. */
  start(id: string, form: QuantisedForm): void;
  stop(id: string): void;
  list(): Quantising[];
}

const progressEveryMs = 250;

export function createQuantisings(options: QuantisingsOptions): Quantisings {
  const { models, emit, closing } = options;
  /** By model. */
  const quantisings = new Map<string, Quantising>();
  let running: { id: string; stop: AbortController } | null = null;

  const quantise: Quantisings['quantise'] = (id, form, target, run) =>
    quantiseAndAdd(options, { id, form, target, run: { ...run, signal: AbortSignal.any([run.signal, closing]) } });

  const list = (): Quantising[] => [...quantisings.values()];

  function update(model: string, change: Partial<Quantising>): void {
    const before = quantisings.get(model);
    if (!before) return;
    quantisings.set(model, { ...before, ...change });
    emit({ event: 'quantisings.changed', payload: list() });
  }

  async function work(id: string, form: QuantisedForm, { signal }: AbortController): Promise<void> {
    const progress = throttle(progressEveryMs, (doneBytes: number, totalBytes: number) => update(id, { doneBytes, totalBytes }));
    try {
      await quantise(id, form, null, { signal, onProgress: progress });
      progress.cancel();
      update(id, { state: 'done' });
    } catch (error) {
      progress.cancel();
      if (signal.aborted) {
        quantisings.delete(id);
        emit({ event: 'quantisings.changed', payload: list() });
      } else if (!closing.aborted) update(id, { state: 'failed', failure: toFailure(error) });
    } finally {
      running = null;
    }
  }

  return {
    quantise,
    start(id, form) {
      const { choice } = models.chosen(id);
      if (running) throw new LoupeError('engine_busy', 'A model is already being quantised.', 'Wait until that is done, or stop it.');
      const stop = new AbortController();
      running = { id, stop };
      quantisings.set(id, { model: id, form, state: 'running', doneBytes: 0, totalBytes: choice.bytes ?? 0, failure: null });
      update(id, {});
      void work(id, form, stop);
    },
    stop(id) {
      if (running?.id === id) running.stop.abort(new LoupeError('cancelled', 'Quantising was stopped.'));
    },
    list,
  };
}

async function quantiseAndAdd(
  { store, models, usable, startEngine, directory, onAdded }: QuantisingsOptions,
  { id, form, target, run }: { id: string; form: QuantisedForm; target: string | null; run: QuantiseRun },
): ReturnType<Quantisings['quantise']> {
  const found = await usable(id);
  if (found.format !== 'safetensors')
    throw new LoupeError('usage', `${found.name} is a GGUF file already; only published files can be quantised.`);
  const licence = licenceFor(found.known, found.kind, found.name);
  requireAcceptance(licence, store.licences);
  if (!startEngine) throw new LoupeError('engine_missing', 'This Loupe cannot quantise models.', 'Use `loupe models quantise`.');
  const file = target ?? quantisedTarget(directory(), found.name, form);
  const engine = startEngine();
  try {
    const report = await quantiseModel(engine, { directory: found.path, target: file, form, model: found }, run);
    await writeNotice(dirname(file), licence);
    const model = models.add(await usable(file));
    onAdded();
    return { model, report };
  } finally {
    await engine.close();
  }
}
