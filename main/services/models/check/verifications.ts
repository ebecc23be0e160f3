/** Files of models that are read from end to end, and what was found. */
import { resolve } from 'node:path';
import type { EventMessage, Verification } from '../../../contract.ts';
import { LoupeError, toLoupeError } from '../../../errors.ts';
import type { Clock, Store } from '../../ports.ts';
import { throttle } from '../../throttle.ts';
import type { FoundModel } from '../local/find.ts';
import type { Models } from '../models.ts';
import { verifyFiles } from './verify.ts';

export interface VerificationsOptions {
  store: Pick<Store, 'models' | 'downloads'>;
  models: Models;
  usable: (path: string) => Promise<FoundModel>;
  emit: (event: EventMessage) => void;
  clock: Clock;
  /** Aborted when the app closes. */
  closing: AbortSignal;
}

export interface Verifications {
  list(): Verification[];
  /** Resolves with the finding when it is done; `verifications.changed` reports meanwhile. */
  verify(id: string): Promise<Verification>;
  forget(id: string): void;
}

const progressEveryMs = 250;
const begun = { state: 'running', doneBytes: 0, totalBytes: 0, intact: 0, changed: [], unknown: 0, failure: null } as const;

export function createVerifications({ store, models, usable, emit, clock, closing }: VerificationsOptions): Verifications {
  /** By model. */
  const verifications = new Map<string, Verification>();

  function update(model: string, change: Partial<Verification>): Verification {
    const updated = { ...begun, changed: [], model, ...verifications.get(model), ...change };
    verifications.set(model, updated);
    emit({ event: 'verifications.changed', payload: [...verifications.values()] });
    return updated;
  }

  return {
    list: () => [...verifications.values()],
    async verify(id) {
      const { choice } = models.chosen(id);
      if (choice.kind === 'demo') throw new LoupeError('usage', 'The demo model comes with Loupe and is checked when Loupe is built.');
      if (verifications.get(id)?.state === 'running')
        throw new LoupeError('engine_busy', `The files of ${choice.name} are already being read.`, 'Wait until that is done.');
      update(id, { ...begun, changed: [], totalBytes: choice.bytes ?? 0 });
      const progress = throttle(progressEveryMs, (doneBytes: number, totalBytes: number) => void update(id, { doneBytes, totalBytes }));
      try {
        const { files } = await usable(id);
        const checks = await verifyFiles({
          model: id,
          files: files.map((file) => resolve(file)),
          models: store.models,
          downloads: store.downloads,
          clock,
          signal: closing,
          onBytes: progress,
        });
        progress.cancel();
        const of = (finding: string): typeof checks => checks.filter((check) => check.finding === finding);
        const bytes = checks.reduce((sum, check) => sum + check.bytes, 0);
        return update(id, {
          state: 'done',
          doneBytes: bytes,
          totalBytes: bytes,
          intact: of('intact').length,
          changed: of('changed').map(({ file }) => file),
          unknown: of('unknown').length,
        });
      } catch (error) {
        progress.cancel();
        const failure = toLoupeError(error);
        if (!closing.aborted) update(id, { state: 'failed', failure: failure.toFailure() });
        throw failure;
      }
    },
    forget: (id) => void verifications.delete(id),
  };
}
