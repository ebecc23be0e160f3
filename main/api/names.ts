/** The names by which programs call the models of Loupe's list. */
import { statSync } from 'node:fs';
import { modelPaths, type ModelChoice } from '../contract.ts';
import { LoupeError } from '../errors.ts';

export interface NamedModel {
  name: string;
  choice: ModelChoice;
}

/** Those whose files are there; each by a name of its own. */
export function nameModels(choices: readonly ModelChoice[]): NamedModel[] {
  const taken = new Set<string>();
  return choices
    .filter(({ present }) => present)
    .map((choice) => {
      const plain = choice.kind === 'demo' ? 'demo' : choice.name;
      let name = plain;
      for (let number = 2; taken.has(name); number++) name = `${plain}-${number}`;
      taken.add(name);
      return { name, choice };
    });
}

/**
 * How programs that were written for other servers spell Llama 3.2 Vision: llama3.2-vision:11b,
 * meta-llama/Llama-3.2-11B-Vision-Instruct.
 */
const llamaVision = /^(?:[\w.-]+\/)?(?:meta-)?llama-?3\.2-(?:\d+b-)?vision(?:-instruct)?(?::[\w.-]+)?$/i;

/** Llama 3.2 Vision under the name of another server is the chosen model, if that sees. Throws `model_missing`. */
export function findModelNamed(models: readonly NamedModel[], chosen: string, name: string): NamedModel {
  const found =
    models.find((model) => model.name === name) ??
    models.find((model) => model.name === `${name}:latest` || `${model.name}:latest` === name) ??
    models.find(({ choice }) => choice.id === name);
  if (found) return found;
  const own = models.find(({ choice }) => choice.id === chosen);
  if (own && (own.choice.kind === 'demo' || own.choice.kind === 'vision') && llamaVision.test(name)) return own;
  const names = models.map((model) => `"${model.name}"`).join(', ');
  const asked = name.length > 100 ? `${name.slice(0, 100)}…` : name;
  throw new LoupeError(
    'model_missing',
    `Loupe has no model "${asked}".`,
    names === '' ? 'Add one in the window, or with `loupe models`.' : `Use one of these: ${names}.`,
  );
}

/** When its files were last changed, ms since 1970; 0 where that cannot be read. */
export function changedAt({ id }: ModelChoice, demoModel: string): number {
  const [path = ''] = id === 'demo' ? [demoModel] : modelPaths(id);
  return Math.floor(statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
}
