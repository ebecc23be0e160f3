import { LoupeError, toLoupeError } from '../errors.ts';
import { engineFlags, type parseFlags } from './options.ts';

/** Of all that `loupe documents` does. */
export const documentFlags = {
  ...engineFlags,
  model: { type: 'string', multiple: true },
  context: { type: 'string' },
  'max-tokens': { type: 'string' },
  'most-pages': { type: 'string' },
  expand: { type: 'boolean' },
  every: { type: 'boolean' },
  password: { type: 'string' },
  pages: { type: 'string' },
  ocr: { type: 'boolean' },
  document: { type: 'string' },
  field: { type: 'string', multiple: true },
  by: { type: 'string' },
  table: { type: 'string' },
  format: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean' },
} as const;

export const engineFlagNames = Object.keys(engineFlags) as (keyof typeof engineFlags)[];

export type Values = ReturnType<typeof parseFlags<typeof documentFlags>>['values'];

/** A locked file is opened with an option here. */
export function withPasswordFlag(thrown: unknown, password: string | undefined): LoupeError {
  const error = toLoupeError(thrown);
  if (error.code !== 'document_locked' || password !== undefined) return error;
  return new LoupeError('document_locked', error.message, 'Pass it with --password. Loupe does not keep it.', { cause: error });
}
