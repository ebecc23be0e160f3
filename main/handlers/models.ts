/** The engine, and the models that it may run. */
import type { AppPorts } from '../app-ports.ts';
import type { EventMessage } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { EngineService } from '../services/engine-service.ts';
import type { SanityChecks } from '../services/models/check/sanity-checks.ts';
import type { ModelManager } from '../services/models/manager.ts';
import type { Models } from '../services/models/models.ts';
import { done, type AreaHandlers } from './area.ts';

export interface ModelHandlersOptions extends Pick<AppPorts, 'store' | 'host'> {
  engine: EngineService;
  models: Models;
  manager: ModelManager;
  sanityChecks: SanityChecks;
  emit: (event: EventMessage) => void;
}

export function modelHandlers({
  store,
  host,
  engine,
  models,
  manager,
  sanityChecks,
  emit,
}: ModelHandlersOptions): AreaHandlers<'engine' | 'models'> {
  /** In the background; `verifications.changed` reports what comes of it. */
  const verify = (id: string): void => void manager.verify(id).catch(() => {});

  /** What was found for a window: it adds nothing else. */
  const found = new Set<string>();

  return {
    'engine.state': () => engine.state(),
    'engine.load': done(() => void engine.load()),
    'engine.devices': async () =>
      (await engine.devices()).map(({ index, name, kind, memoryBytes, suitable, reason }) => ({
        index,
        name,
        kind,
        memoryBytes,
        suitable,
        reason,
      })),

    'models.list': () => models.list(),
    'models.add': async ({ path }) => {
      if (!found.has(path)) throw unknown(path);
      const choice = await manager.add(path);
      verify(choice.id);
      return choice;
    },
    'models.remove': async ({ id, files = false }) => {
      await manager.remove(id, files);
      if (store.settings().guard === id) emit({ event: 'settings.changed', payload: store.saveSettings({ guard: null }) });
      return null;
    },
    'models.catalogue': () => manager.catalogue(),
    'models.find': async ({ path }) => {
      const models = await manager.find(path);
      for (const model of models) found.add(model.path);
      return models;
    },
    'models.fit': ({ id }) => {
      if (!models.list().some((model) => model.id === id)) throw unknown(id);
      return manager.fit(id);
    },
    'models.downloads': () => manager.downloads(),
    'models.download': ({ model, repository }) => manager.download(model, repository, null),
    'models.pause': done(({ id }) => manager.pause(id)),
    'models.resume': done(({ id }) => manager.resume(id)),
    'models.cancel': done(({ id }) => manager.cancel(id)),
    'models.verify': done(({ id }) => {
      models.chosen(id);
      verify(id);
    }),
    'models.verifications': () => manager.verifications(),
    'models.quantise': done(({ id, form }) => manager.startQuantising(id, form)),
    'models.stopQuantising': done(({ id }) => manager.stopQuantising(id)),
    'models.quantisings': () => manager.quantisings(),
    'models.sanityChecks': () => sanityChecks.list(),
    'models.chooseFolder': async () => (await host.chooseFolder?.((await manager.folder()).directory)) ?? null,
    'models.folder': () => manager.folder(),
    'models.setFolder': async ({ path }) => {
      const settings = await manager.setFolder(path);
      emit({ event: 'settings.changed', payload: settings });
      return settings;
    },
    'models.licence': ({ licence }) => manager.licence(licence),
    'models.acceptLicence': ({ licence, version }) => manager.acceptLicence(licence, version),
    'models.token': ({ token }) => manager.setToken(token),
  };
}

function unknown(named: string): LoupeError {
  return new LoupeError('not_found', `${named} is not among the models that were found.`, 'Look for it on the page of models first.');
}
