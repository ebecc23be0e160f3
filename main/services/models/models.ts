/** The models that Loupe knows: the one that comes with it, and those that the user named or downloaded. */
import { existsSync, statSync } from 'node:fs';
import type { ModelChoice } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type { ModelPlace, ModelRecord, Store } from '../ports.ts';
import { findModel } from './local/find-model.ts';
import { findAt, type FoundModel } from './local/find.ts';
import { inspectedBy, type Inspector } from './local/inspect.ts';
import { pathsNamed } from './local/model-path.ts';

export interface ChosenModel {
  choice: ModelChoice;
  /** Rejects with what is missing or wrong, by name. */
  place(): Promise<ModelPlace>;
}

export interface Models {
  list(): ModelChoice[];
  add(found: Pick<FoundModel, 'path' | 'name' | 'kind' | 'bytes'>): ModelChoice;
  remove(id: string): void;
  /** Throws `model_missing` when its files are gone. */
  chosen(id: string): ChosenModel;
}

export function createModels({ store, demoModel }: { store: Pick<Store, 'models'>; demoModel: string }): Models {
  const demo = (): ModelChoice => ({ id: 'demo', name: 'Demo model', kind: 'demo', bytes: null, present: existsSync(demoModel) });
  const list = (): ModelChoice[] => [demo(), ...store.models.list().map(choiceOf)];
  return {
    list,
    add({ path, name, kind, bytes }) {
      const record = { path, name, kind, bytes };
      store.models.add(record);
      return choiceOf(record);
    },
    remove: (id) => store.models.remove(id),
    chosen(id) {
      const choice = list().find((model) => model.id === id);
      if (!choice)
        throw new LoupeError(
          'model_missing',
          `The chosen model (${id}) is no longer in the list of models.`,
          'Choose a model in the settings.',
        );
      const path = id === 'demo' ? demoModel : id;
      if (!choice.present)
        throw new LoupeError(
          'model_missing',
          `The files of ${choice.name} are gone (${path}).`,
          'Connect the drive that they are on, or choose another model in the settings.',
        );
      return { choice, place: async () => (isFolder(path) ? { directory: path } : findModel(path)) };
    },
  };
}

/**
 * The model that a path names, if the inspector finds that the engine can run it; without an inspector, if it seems so.
 * Rejects with what is missing or wrong.
 */
export async function usableModel(path: string, inspector?: Inspector): Promise<FoundModel> {
  const all = await findAt(path);
  // Broken links beside a model matter where models are searched for, not here.
  const there = all.filter(({ files }) => files.length > 0);
  const found = there.length > 0 ? there : all;
  const [only] = found;
  if (found.length > 1 || !only) {
    throw new LoupeError(
      'model_missing',
      `${path} holds ${found.length} models: ${found
        .map(({ name }) => name)
        .slice(0, 5)
        .join(', ')}${found.length > 5 ? ' ...' : ''}.`,
      'Name one of them.',
    );
  }
  const { problem, ...model } = inspector ? await inspectedBy(inspector, only) : only;
  if (problem) throw new LoupeError(problem.code, problem.message, problem.nextStep);
  return { ...model, problem };
}

function choiceOf({ path, name, kind, bytes }: ModelRecord): ModelChoice {
  return { id: path, name, kind, bytes, present: isThere(path) };
}

/** A folder, a file, or all files of several. */
function isThere(path: string): boolean {
  try {
    return pathsNamed(path).every((part) => existsSync(part));
  } catch {
    // It could mean more than one path: loading it reports that.
    return true;
  }
}

/** Its name may hold a comma, too. */
function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
