import type { Settings } from '../../../main/contract.ts';
import { toRequestFailure } from '../../api/client.ts';
import { getLoupe } from '../../state/context.ts';

export type Save = (change: Partial<Settings>) => Promise<boolean>;

/** Stores at once; a refusal is shown in the app's own words, and what was set stays. For a component's start. */
export function createSave(): Save {
  const { app, toasts } = getLoupe();
  return async (change) => {
    try {
      await app.saveSettings(change);
      return true;
    } catch (error) {
      toasts.failure(toRequestFailure(error));
      return false;
    }
  };
}
