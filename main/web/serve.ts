/** `loupe serve`: store, engine and pictures of this machine behind the loopback host. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { readAbilities } from '../host/abilities.ts';
import { listenForPrograms } from '../api/serve.ts';
import { createApp, type App, type AppPorts } from '../app.ts';
import { createDocumentReader } from '../documents/document-client.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { createKernelRecords } from '../host/kernel-records.ts';
import { readLicences } from '../host/licences.ts';
import { createLog, type Log } from '../host/log.ts';
import { createTextRecogniser } from '../ocr/ocr-client.ts';
import { wordVectorsOf } from '../word-vectors/word-vectors.ts';
import { demoModel, rendererDirectory, root, wordVectorsDirectory } from '../host/paths.ts';
import { LoupeError, type Failure } from '../errors.ts';
import type { Engine, PictureWorker, Store } from '../services/ports.ts';
import { createChecker } from '../storage/check-client.ts';
import { openStore } from '../storage/store.ts';
import { browserCapture } from './browser-capture.ts';
import { removeRedirects, writeRedirect } from './redirect-file.ts';
import { startWebHost, type WebHost } from './server.ts';
import { noteServing, withWayToRunning } from './serving.ts';

export interface ServeOptions {
  /** With what prepares the pictures that it is asked about, and the folder for compiled pipelines. */
  startEngine: (pictures: PictureWorker, cacheDirectory: string) => Engine;
  version: string;
  dataDirectory: string;
  /** 0 or absent = any free one. */
  port?: number | undefined;
  /** Called with a link when a window should be shown that is not there. */
  openMain?: (link: string) => void;
}

export interface Served {
  app: App;
  host: WebHost;
  /** What is wrong with the data that it keeps; null where nothing is known. */
  problem(): Failure | null;
  /** Opens a link in the system's browser; false where there is none. */
  open(link: string): Promise<boolean>;
  close(): Promise<void>;
}

/** The app of this machine, behind no host yet: `openMain` is what a window is asked for with. Throws `store_*`. */
export async function openApp(
  { startEngine, version, dataDirectory, ...more }: Omit<ServeOptions, 'port' | 'openMain'> & Pick<AppPorts, 'listenForPrograms'>,
  openMain: (app: App, conversationId: number | null) => void = () => {},
  showToAsk: () => boolean = () => false,
): Promise<{ app: App; store: Store; log: Log }> {
  const logsDirectory = join(dataDirectory, 'logs');
  const log = createLog(logsDirectory);
  const store = await openStoreHere(dataDirectory);
  const pictures = createPictureWorker();
  const cacheDirectory = join(dataDirectory, 'cache');
  const app = createApp({
    store,
    engine: startEngine(pictures, cacheDirectory),
    startEngine: () => startEngine(pictures, cacheDirectory),
    pictures,
    documents: createDocumentReader(),
    ocr: createTextRecogniser(),
    wordVectors: wordVectorsOf(wordVectorsDirectory),
    capture: browserCapture,
    abilities: await readAbilities(demoModel),
    ...more,
    host: {
      kind: 'web',
      version,
      dataDirectory,
      logsDirectory,
      demoModel,
      cacheDirectory,
      kernelRecords: createKernelRecords(cacheDirectory, version),
      licences: () => readLicences(root),
      openFolder: openWithSystem,
      onFault: log,
      openMain: (conversationId) => openMain(app, conversationId),
      showToAsk,
    },
  });
  return { app, store, log };
}

/**
 * Ready when it answers; the model loads meanwhile. A database that cannot be opened is the window's first
 * matter. Throws `store_*` when the data folder cannot be used at all, and `port_unavailable`.
 */
export async function serve({ startEngine, version, dataDirectory, port = 0, openMain = () => {} }: ServeOptions): Promise<Served> {
  /** None until the host is there. */
  let windows = (): number => 0;
  const { app, store, log } = await openApp(
    { startEngine, version, dataDirectory, listenForPrograms },
    (app, conversationId) => {
      app.emit({ event: 'windows.show', payload: { conversationId } });
      openMain(host.link(conversationId ?? undefined));
    },
    // A page cannot come to the front by itself; one that is open shows the question.
    () => windows() > 0,
  );
  const host = await startWebHost({ app, rendererDirectory, port, onFault: log }).catch(async (error: unknown) => {
    await app.close();
    throw error;
  });
  ({ windows } = host);
  const forgetServing = noteServing(dataDirectory, host.port);
  if (!app.isLocked()) void app.handlers['engine.load']({});
  return {
    app,
    host,
    problem: () => store.care.problem(),
    open: (link) => openWithSystem(writeRedirect(dataDirectory, link)),
    async close() {
      forgetServing();
      removeRedirects(dataDirectory);
      await host.close();
      await app.close();
    },
  };
}

async function openStoreHere(dataDirectory: string): Promise<Store> {
  try {
    return openStore(dataDirectory, { checker: createChecker(), tolerant: true });
  } catch (error) {
    throw error instanceof LoupeError && error.code === 'store_locked' ? await withWayToRunning(error, dataDirectory) : error;
  }
}

/** Opens a folder or an address with the system's own program; false where there is no desktop to open it on. */
export async function openWithSystem(target: string): Promise<boolean> {
  const desktop = process.platform !== 'linux' || process.env['DISPLAY'] !== undefined || process.env['WAYLAND_DISPLAY'] !== undefined;
  if (!desktop) return false;
  const [command = '', ...args] =
    process.platform === 'win32'
      ? ['cmd', '/c', 'start', '""', target.replaceAll('&', '^&')]
      : process.platform === 'darwin'
        ? ['open', target]
        : ['xdg-open', target];
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'ignore', detached: true });
    child.once('error', () => resolve(false));
    child.once('spawn', () => {
      child.unref();
      resolve(true);
    });
  });
}
