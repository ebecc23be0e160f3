/** The app itself, its windows, and the ledger of connections. */
import * as v from 'valibot';
import type { AppPorts } from '../app-ports.ts';
import { abilities as abilitiesSchema, type Abilities, type Settings } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { readProblems, writeBundle } from '../host/problems.ts';
import type { DeviceInfo } from '../native-surface.ts';
import type { EngineService } from '../services/engine-service.ts';
import type { OpenedFiles } from '../services/opened-files.ts';
import { done, type AreaHandlers } from './area.ts';

const recentPromptsShown = 8;

export function hostHandlers({
  store,
  host,
  abilities,
  engine,
  opened,
}: Pick<AppPorts, 'store' | 'host' | 'abilities'> & {
  engine: Pick<EngineService, 'devices'>;
  opened: Pick<OpenedFiles, 'take' | 'piece'>;
}): AreaHandlers<'app' | 'windows' | 'privacy' | 'problems'> {
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

    'problems.list': () => readProblems(host.logsDirectory),
    'problems.bundle': async () => {
      const devices = await engine.devices().catch(() => null);
      const { version, kind, logsDirectory } = host;
      const text = writeBundle({
        version,
        host: kind,
        logsDirectory,
        settings: settingsOrNull(store),
        devices: devices?.map(plain) ?? null,
      });
      return { fileName: `loupe-problems-${new Date().toISOString().slice(0, 10)}.json`, text };
    },

    'windows.openMain': done(({ conversationId }) => host.openMain(conversationId)),
    // A host that can close the window that asks answers this itself.
    'windows.grow': () => null,
    'windows.close': () => null,
    'windows.opened': () => opened.take(),
    'windows.openedPiece': ({ id, from }) => opened.piece(id, from),

    'privacy.ledger': () => ({
      installedAt: store.ledger.installedAt(),
      entries: store.ledger.list(),
      programs: store.ledger.programs(),
    }),
  };
}

/** A store that cannot be opened has none, which is when a bundle is wanted most. */
function settingsOrNull(store: AppPorts['store']): Settings | null {
  try {
    return store.settings();
  } catch {
    return null;
  }
}

function plain({ name, memoryBytes, suitable }: DeviceInfo): Pick<DeviceInfo, 'name' | 'memoryBytes' | 'suitable'> {
  return { name, memoryBytes, suitable };
}

/** A file that comes with the model; one that cannot be read only costs its suggestions. */
function parseAbilities(value: unknown): Abilities | null {
  const result = v.safeParse(abilitiesSchema, value);
  return result.success ? result.output : null;
}
