/** The app itself, its windows, and the ledger of connections. */
import * as v from 'valibot';
import type { AppPorts } from '../app-ports.ts';
import { abilities as abilitiesSchema, type Abilities } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { done, type AreaHandlers } from './area.ts';

const recentPromptsShown = 8;

export function hostHandlers({
  store,
  host,
  abilities,
}: Pick<AppPorts, 'store' | 'host' | 'abilities'>): AreaHandlers<'app' | 'windows' | 'privacy'> {
  return {
    'app.info': () => ({
      version: host.version,
      host: host.kind,
      platform: process.platform,
      dataDirectory: host.dataDirectory,
      logsDirectory: host.logsDirectory,
      abilities: parseAbilities(abilities),
      recentPrompts: store.conversations.recentPrompts(recentPromptsShown),
    }),
    'app.openFolder': async ({ which }) => {
      const path = which === 'data' ? host.dataDirectory : host.logsDirectory;
      return { path, opened: await host.openFolder(path) };
    },
    'app.quit': done(() => {
      if (!host.quit)
        throw new LoupeError('usage', 'Loupe in a browser ends in the terminal that started it.', 'Press Ctrl-C there, or close this tab.');
      // After the answer: the window that asks is still there.
      setImmediate(host.quit);
    }),
    'app.licences': () => host.licences(),

    'windows.openMain': done(({ conversationId }) => host.openMain(conversationId)),
    // A host that can close the window that asks answers this itself.
    'windows.close': () => null,

    'privacy.ledger': () => ({ installedAt: store.ledger.installedAt(), entries: store.ledger.list() }),
  };
}

/** A file that comes with the model; one that cannot be read only costs its suggestions. */
function parseAbilities(value: unknown): Abilities | null {
  const result = v.safeParse(abilitiesSchema, value);
  return result.success ? result.output : null;
}
