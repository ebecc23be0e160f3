/** Other programs on this computer, which ask through the local API. */
import * as v from 'valibot';
import { count, failure } from './common.ts';

export const programsState = v.strictObject({
  /** `keyless`: the settings let them ask, and there is no key that they could send. */
  status: v.picklist(['off', 'keyless', 'starting', 'ready', 'failed']),
  /** Where they are answered; null unless `ready`. */
  port: v.nullable(count),
  /** Where the key is kept, if there is one: by the system's keychain, or until Loupe ends. */
  key: v.nullable(v.picklist(['keychain', 'session'])),
  /** Why a key that was kept cannot be read, or cannot be kept for longer; null where there is nothing to say. */
  keyProblem: v.nullable(v.string()),
  /** Requests since Loupe started. */
  answered: count,
  failure: v.nullable(failure),
});

export type ProgramsState = v.InferOutput<typeof programsState>;
