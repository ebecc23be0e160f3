/** The store, and the settings in it. */
import type { AppPorts } from '../app-ports.ts';
import type { EventMessage } from '../contract.ts';
import type { EngineService } from '../services/engine-service.ts';
import type { Maintenance } from '../services/maintenance.ts';
import type { ModelManager } from '../services/models/manager.ts';
import type { Servers } from '../services/servers/servers.ts';
import type { AreaHandlers } from './area.ts';

export interface StorageHandlersOptions extends Pick<AppPorts, 'store' | 'host'> {
  engine: Pick<EngineService, 'follow'>;
  maintenance: Maintenance;
  manager: Pick<ModelManager, 'stayHere'>;
  servers: Pick<Servers, 'stayHere'>;
  emit: (event: EventMessage) => void;
}

export function storageHandlers({
  store,
  host,
  engine,
  maintenance,
  manager,
  servers,
  emit,
}: StorageHandlersOptions): AreaHandlers<'storage' | 'settings'> {
  return {
    'storage.state': () => store.care.state(),
    'storage.retry': () => store.care.retry(),
    'storage.backups': () => store.care.backups(),
    'storage.restore': ({ name }) => maintenance.replaceStore(() => store.care.restore(name)),
    'storage.startAnew': () => maintenance.replaceStore(() => store.care.startAnew()),
    'storage.accept': () => store.care.accept(),
    'storage.emptyBin': () => ({ freedBytes: store.care.emptyBin() }),

    'settings.get': () => store.settings(),
    'settings.set': (change) => {
      const before = store.settings();
      const settings = store.saveSettings(change);
      emit({ event: 'settings.changed', payload: settings });
      host.settingsChanged?.();
      if (settings.neverConnect) {
        manager.stayHere();
        servers.stayHere();
      }
      const { model, device, contextLength } = settings;
      if (model !== before.model || device !== before.device || contextLength !== before.contextLength) void engine.follow();
      return settings;
    },
  };
}
