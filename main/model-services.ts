/** Models without a window: what `loupe models` works with. */
import type { EventMessage } from './contract.ts';
import { demoModel, modelsDirectory } from './host/paths.ts';
import { createModelManager, type ModelManager } from './services/models/manager.ts';
import { createModels, type Models } from './services/models/models.ts';
import { sessionSecrets } from './services/models/hub/secrets.ts';
import type { Engine } from './services/ports.ts';
import { openStore } from './storage/store.ts';

export interface ModelServicesOptions {
  dataDirectory: string;
  onEvent: (event: EventMessage) => void;
  /** Nothing will be written: works beside the running app. */
  reads?: boolean;
}

export interface ModelServicesSurroundings {
  environment?: NodeJS.ProcessEnv;
  /** Absent = asks the system. */
  hostMemoryBytes?: number;
}

export interface ModelServices {
  models: Models;
  manager: ModelManager;
  close(): Promise<void>;
}

/** Throws `store_*` when the data folder cannot be used, as while the app is running, unless it only reads. The engine starts only to list devices. */
export function openModelServices(
  { dataDirectory, onEvent, reads = false }: ModelServicesOptions,
  startEngine: () => Engine,
  { environment = process.env, hostMemoryBytes }: ModelServicesSurroundings = {},
): ModelServices {
  const store = openStore(dataDirectory, { shares: reads });
  const models = createModels({ store, demoModel });
  const manager = createModelManager({
    store,
    models,
    devices: async () => {
      const engine = startEngine();
      try {
        return await engine.devices();
      } finally {
        await engine.close();
      }
    },
    startEngine,
    secrets: sessionSecrets(),
    directory: modelsDirectory(dataDirectory, environment),
    emit: onEvent,
    environment,
    ...(hostMemoryBytes === undefined ? {} : { hostMemoryBytes }),
  });
  return {
    models,
    manager,
    async close() {
      await manager.close();
      store.close();
    },
  };
}
