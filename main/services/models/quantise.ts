/** A smaller copy of a published model, as one GGUF file in a folder of its own. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeFolder } from '../../make-folder.ts';
import { LoupeError } from '../../errors.ts';
import type { Engine } from '../ports.ts';
import { inFileWords, partOf } from './hub/fetch-file.ts';
import { freeBytesOf } from './hub/pull.ts';
import type { Inspection } from './local/inspect.ts';
import { weightBytes } from './fit/sizes.ts';

export const smallerForms = ['q4_k_m', 'q8_0'] as const;
export type SmallerForm = (typeof smallerForms)[number];

/** Share of the published size, where the shape is not one of the catalogue's. */
const usualShare: Record<SmallerForm, number> = { q4_k_m: 0.4, q8_0: 0.6 };
const spareBytes = 256 * 1024 * 1024;

export interface QuantiseJob {
  /** In the published layout. */
  directory: string;
  target: string;
  form: SmallerForm;
  model: Pick<Inspection, 'known' | 'bytes'>;
}

/** The licence wants names of what is made from the model to begin with "Llama". */
export function smallerName(name: string, form: SmallerForm): string {
  const plain = name.replace(/[^\w.-]+/g, '-').replace(/^-+|-+$/g, '');
  return `${/^llama/i.test(plain) ? `Llama${plain.slice('Llama'.length)}` : `Llama-${plain}`}-${form.toUpperCase()}`;
}

export function smallerTarget(models: string, name: string, form: SmallerForm): string {
  const smaller = smallerName(name, form);
  return join(models, smaller, `${smaller}.gguf`);
}

/** Rejects with `usage` for a target that exists or has a wrong name, `disk_full`, or what the engine rejects with. A part that is left is gone on with. */
export async function quantiseModel(
  engine: Engine,
  { directory, target, form, model }: QuantiseJob,
  options: { signal: AbortSignal; onProgress: (doneBytes: number, totalBytes: number) => void },
): ReturnType<Engine['quantise']> {
  if (!/^Llama.*\.gguf$/.test(basename(target)))
    throw new LoupeError(
      'usage',
      `${basename(target)} will not do as a name.`,
      'Let it begin with "Llama", as the licence wants, and end with ".gguf".',
    );
  if (await stat(target).catch(() => null))
    throw new LoupeError('usage', `${target} is there already.`, 'Use that one, or name another file.');
  const folder = dirname(target);
  await inFileWords(folder, () => makeFolder(folder));
  const expected = model.known ? weightBytes(model.known.architecture, form).total : model.bytes * usualShare[form];
  const begun = (await stat(partOf(target)).catch(() => null))?.size ?? 0;
  const free = await freeBytesOf(folder);
  if (free + begun < expected + spareBytes)
    throw new LoupeError(
      'disk_full',
      `The smaller copy needs about ${(expected / 1e9).toFixed(1)} GB, and the disk that holds ${folder} has ${(free / 1e9).toFixed(1)} GB left.`,
    );
  return engine.quantise({ directory, target, text: form, vision: 'f16' }, options);
}
