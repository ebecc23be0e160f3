/** `loupe api`: the models and the engine of this machine behind the local API. */
import { join } from 'node:path';
import { LoupeError } from '../errors.ts';
import type { ProgramServices } from '../app-ports.ts';
import { createKernelRecords } from '../host/kernel-records.ts';
import { createLog } from '../host/log.ts';
import { demoModel } from '../host/paths.ts';
import { newSecret } from '../host/secret.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { createEngineService, type EngineService } from '../services/engine-service.ts';
import { createModels, type Models } from '../services/models/models.ts';
import { createPictures } from '../services/pictures.ts';
import type { Engine, PictureWorker, ProgramBytes, Store } from '../services/ports.ts';
import { countInLedger, type ListenOptions, type ProgramServer } from '../services/programs.ts';
import { openStore } from '../storage/store.ts';
import { createAnswerer } from './answerer.ts';
import { createHistory, type History } from './history.ts';
import { shortestKey, usualLimits, type ApiLimits } from './limits.ts';
import { createOllamaDialect } from './ollama.ts';
import { createOpenAiDialect } from './openai.ts';
import { createQueue } from './queue.ts';
import { startApiServer, type ApiServer } from './server.ts';
import { createToolDialect, type ToolParts } from './tools.ts';

export interface ApiServeOptions {
  /** With what prepares the pictures that it is asked about. */
  startEngine: (pictures: PictureWorker, cacheDirectory: string) => Engine;
  version: string;
  dataDirectory: string;
  /** 0 = any free one. */
  port: number;
  /** Absent: a new one. */
  key?: string | undefined;
  origins?: readonly string[];
}

export interface ServedApi {
  readonly port: number;
  readonly key: string;
  close(): Promise<void>;
}

/** Ready when it answers; the model loads meanwhile. Throws `usage` for a bad key, `store_*` and `port_unavailable`. */
export async function serveApi({
  startEngine,
  version,
  dataDirectory,
  port,
  key = newSecret(),
  origins = [],
}: ApiServeOptions): Promise<ServedApi> {
  checkKey(key);
  const onFault = createLog(join(dataDirectory, 'logs'));
  const store = openStore(dataDirectory);
  const pictures = createPictureWorker();
  const models = createModels({ store, demoModel });
  const history = createHistory(store, createPictures({ store, worker: pictures }));
  const cacheDirectory = join(dataDirectory, 'cache');
  const engine = createEngineService({
    engine: startEngine(pictures, cacheDirectory),
    settings: () => store.settings(),
    model: (id) => models.chosen(id),
    cacheDirectory,
    kernelRecords: createKernelRecords(cacheDirectory, version),
    onChange: () => {},
  });
  const closeParts = async (): Promise<void> => {
    await Promise.all([engine.close(), pictures.close()]);
    store.close();
  };
  try {
    const server = await startApi({
      engine,
      models,
      pictures,
      history,
      settings: () => store.settings(),
      version,
      port,
      key,
      origins,
      onAnswered: countInLedger(store.ledger, onFault),
      onFault,
    });
    void engine.load();
    return {
      port: server.port,
      key,
      async close() {
        await server.close();
        await closeParts();
      },
    };
  } catch (error) {
    await closeParts();
    throw error;
  }
}

/** Beside an app that runs already: what programs have kept shows in its windows at once. */
export function listenForPrograms(
  { conversations, pictures, worker, consents, capture, privately, emit, ...app }: ProgramServices,
  options: ListenOptions,
): Promise<ProgramServer> {
  const history = createHistory({ conversations }, pictures, (id) =>
    emit({ event: 'conversation.changed', payload: { ...conversations.summary(id), busy: false } }),
  );
  const tools = { consents, capture, worker, conversations, privately };
  return startApi({ ...app, ...options, pictures: worker, history, tools });
}

export interface ApiParts {
  engine: EngineService;
  models: Pick<Models, 'list'>;
  pictures: Pick<PictureWorker, 'compose'>;
  history: History;
  /** Absent where there is no window to confirm anything in. */
  tools?: ToolParts;
  settings: Store['settings'];
  version: string;
  port: number;
  key: string;
  origins?: readonly string[];
  limits?: ApiLimits;
  onAnswered?: (bytes: ProgramBytes) => void;
  onFault?: (error: unknown) => void;
}

/** Throws `port_unavailable`. */
export function startApi({ version, tools, limits = usualLimits, ...parts }: ApiParts): Promise<ApiServer> {
  const answerer = createAnswerer({ ...parts, queue: createQueue(limits.waiting) });
  const dialects = [
    createOpenAiDialect(answerer, demoModel),
    createOllamaDialect(answerer, { demoModel, version }),
    createToolDialect({ answerer, chosen: () => parts.settings().model, parts: tools ?? null }),
  ] as const;
  return startApiServer({ ...parts, dialects, limits });
}

/** It stands in headers and addresses. */
function checkKey(key: string): void {
  if (key.length >= shortestKey && /^[\w-]+$/.test(key)) return;
  throw new LoupeError(
    'usage',
    'The key does not do.',
    `Choose one of at least ${shortestKey} letters (A-Z, a-z), digits, "-" and "_", or leave --key out: Loupe then makes one.`,
  );
}
