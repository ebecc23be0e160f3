/** The models that Loupe knows: the one that comes with it, and those that the user named. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { ModelChoice } from '../../contract.ts';
import { LoupeError } from '../errors.ts';
import type { ModelRecord, Store } from '../ports.ts';
import { readCheckpointFiles } from '../prompt/checkpoint-files.ts';

export interface Models {
  list(): ModelChoice[];
  /** Rejects with what is missing or wrong, by name. */
  add(path: string): Promise<ModelChoice>;
  remove(id: string): void;
  /** Throws `model_missing` when its files are gone. */
  chosen(id: string): { choice: ModelChoice; directory: string };
}

export function createModels({ store, demoModel }: { store: Pick<Store, 'models'>; demoModel: string }): Models {
  const demo = (): ModelChoice => ({ id: 'demo', name: 'Demo model', kind: 'demo', bytes: null, present: existsSync(demoModel) });
  const list = (): ModelChoice[] => [demo(), ...store.models.list().map(choiceOf)];
  return {
    list,
    async add(path) {
      const record = await inspectModel(resolve(path));
      store.models.add(record);
      return choiceOf(record);
    },
    remove: (id) => store.models.remove(id),
    chosen(id) {
      const choice = list().find((model) => model.id === id);
      if (!choice) throw new LoupeError('model_missing', `The chosen model (${id}) is not in the list of models any more.`, 'Choose a model in the settings.');
      const directory = id === 'demo' ? demoModel : id;
      if (!choice.present) throw new LoupeError('model_missing', `The files of ${choice.name} are gone (${directory}).`, 'Connect the drive that they are on, or choose another model in the settings.');
      return { choice, directory };
    },
  };
}

function choiceOf({ path, name, kind, bytes }: ModelRecord): ModelChoice {
  return { id: path, name, kind, bytes, present: existsSync(path) };
}

/** Looks into a model folder: it must hold a configuration, a tokenizer and weights of a kind that the engine runs. */
async function inspectModel(directory: string): Promise<ModelRecord> {
  const { config } = await readCheckpointFiles(directory);
  const architecture = config['model_type'];
  if (architecture !== 'mllama' && architecture !== 'llama') {
    throw new LoupeError('checkpoint_unsupported', `${directory} holds a model of the kind ${JSON.stringify(architecture)}, which Loupe does not run.`);
  }
  const weights = (await readdir(directory)).filter((name) => name.endsWith('.safetensors'));
  if (weights.length === 0) throw new LoupeError('model_missing', `${directory} holds no .safetensors file, so the weights are missing.`);
  const sizes = await Promise.all(weights.map(async (name) => (await stat(join(directory, name))).size));
  const name = basename(directory);
  return {
    path: directory,
    name,
    kind: /guard/i.test(name) ? 'guard' : architecture === 'mllama' ? 'vision' : 'text',
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  };
}
