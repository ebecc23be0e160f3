/** A quantised copy of a published model, as one GGUF file in a folder of its own. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { formatBytes } from '../../contract.ts';
import { makeFolder } from '../../make-folder.ts';
import { LoupeError } from '../../errors.ts';
import type { Engine } from '../ports.ts';
import { withFileErrors, partOf } from './hub/fetch-file.ts';
import { freeBytesOf } from './hub/pull.ts';
import type { Inspection } from './local/inspect.ts';
import { weightBytes } from './fit/sizes.ts';

export const quantisedForms = ['q4_k_m', 'q8_0'] as const;
export type QuantisedForm = (typeof quantisedForms)[number];

/** Share of the published size, where the shape is not one of the catalogue's. */
const usualShare: Record<QuantisedForm, number> = { q4_k_m: 0.4, q8_0: 0.6 };
const spareBytes = 256 * 1024 * 1024;

export interface QuantiseJob {
  /** In the published layout. */
  directory: string;
  target: string;
  form: QuantisedForm;
  model: Pick<Inspection, 'known' | 'bytes'>;
}

/** The licence requires that the names of what is made from the model begin with "Llama". */
export function quantisedName(name: string, form: QuantisedForm): string {
  const plain = name.replace(/[^\w.-]+/g, '-').replace(/^-+|-+$/g, '');
  return `${/^llama/i.test(plain) ? `Llama${plain.slice('Llama'.length)}` : `Llama-${plain}`}-${form.toUpperCase()}`;
}

export function quantisedTarget(models: string, name: string, form: QuantisedForm): string {
  const quantised = quantisedName(name, form);
  return join(models, quantised, `${quantised}.gguf`);
}

/**
 * Rejects with `usage` for a target that exists or has a wrong name, `disk_full`, or what the engine rejects with.
 * A part that an earlier run left is resumed.
 */
export async function quantiseModel(
  engine: Engine,
  { directory, target, form, model }: QuantiseJob,
  options: { signal: AbortSignal; onProgress: (doneBytes: number, totalBytes: number) => void },
): ReturnType<Engine['quantise']> {
  if (!/^Llama.*\.gguf$/.test(basename(target)))
    throw new LoupeError(
      'usage',
      `A quantised model cannot be called ${basename(target)}.`,
      'Choose a name that begins with "Llama", as the licence requires, and ends with ".gguf".',
    );
  if (await stat(target).catch(() => null))
    throw new LoupeError('usage', `${target} exists already.`, 'Use that one, or name another file.');
  const folder = dirname(target);
  await withFileErrors(folder, () => makeFolder(folder));
  const expected = model.known ? weightBytes(model.known.architecture, form).total : model.bytes * usualShare[form];
  const begun = (await stat(partOf(target)).catch(() => null))?.size ?? 0;
  const free = await freeBytesOf(folder);
  if (free + begun < expected + spareBytes)
    throw new LoupeError(
      'disk_full',
      `The quantised copy needs about ${formatBytes(expected)}, and the disk of ${folder} has ${formatBytes(free)} free.`,
    );
  return engine.quantise({ directory, target, text: form, vision: 'f16' }, options);
}
