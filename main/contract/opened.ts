/** Files that the person opened with Loupe from outside. */
import * as v from 'valibot';
import { count, failure, id } from './common.ts';

/** `failure`: why it cannot be read; then it has no number. */
export const openedFile = v.strictObject({ id: v.nullable(id), name: v.string(), bytes: count, failure: v.nullable(failure) });

export type OpenedFile = v.InferOutput<typeof openedFile>;
