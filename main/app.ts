/** The composition root: ports in, handlers and events out. Hosts (Electron, web, command line) stand on it. */
import { join } from 'node:path';
import type { App, AppPorts } from './app-ports.ts';
import { mostConsents, type Captured, type EventMessage, type TextLine } from './contract.ts';
import { archiveHandlers } from './handlers/archive.ts';
import { conversationHandlers } from './handlers/conversations.ts';
import { documentHandlers } from './handlers/documents.ts';
import { extractionHandlers } from './handlers/extractions.ts';
import { hostHandlers } from './handlers/host.ts';
import { modelHandlers } from './handlers/models.ts';
import { captureHandlers, pictureHandlers } from './handlers/pictures.ts';
import { programHandlers } from './handlers/programs.ts';
import { serverHandlers } from './handlers/servers.ts';
import { vaultHandlers } from './handlers/vault.ts';
import { storageHandlers } from './handlers/storage.ts';
import { modelsDirectory } from './host/paths.ts';
import { newSecret } from './host/secret.ts';
import type { CaptureHost, DocumentFile, SecretStore } from './services/ports.ts';
import { createArchives, type Archives } from './services/archive/archive.ts';
import { createChat } from './services/chat/chat.ts';
import { createConsents, type Consents } from './services/consents.ts';
import { createLibrary } from './services/documents/library.ts';
import { libraryFile } from './services/documents/library-file.ts';
import { createPagePictures } from './services/documents/page-pictures.ts';
import { createReadings } from './services/documents/readings.ts';
import { createUploads } from './services/documents/uploads.ts';
import { drawnBy, seenWidth } from './services/documents/ask.ts';
import { createEngineService, type EngineService } from './services/engine-service.ts';
import { createExtractions } from './services/extraction/extractions.ts';
import { createPictureReader } from './services/extraction/picture-reader.ts';
import { startMaintenance } from './services/maintenance.ts';
import { readReferences } from './services/models/check/sanity-check.ts';
import { createSanityChecks } from './services/models/check/sanity-checks.ts';
import { sessionSecrets } from './services/models/hub/secrets.ts';
import { createModelManager } from './services/models/manager.ts';
import { createModels, type Models } from './services/models/models.ts';
import { createOpenedFiles } from './services/opened-files.ts';
import { createSecondReader } from './services/second-reader/second-reader.ts';
import { startPictureIndex } from './services/picture-index.ts';
import { createPictureText } from './services/picture-text.ts';
import { createPictures, type Pictures } from './services/pictures.ts';
import { createPrivately } from './services/private.ts';
import { countInLedger, createPrograms, type Programs } from './services/programs.ts';
import { createServers } from './services/servers/servers.ts';
import { createVaultService, lockable } from './services/vault.ts';

export type { App, AppPorts, CaptureServices, Host } from './app-ports.ts';

/** The longest that a last backup may delay the end. */
const lastBackupMs = 4_000;

export function createApp<Capture extends CaptureHost>(ports: AppPorts<Capture>): App<Capture> {
  const { store, host, pictures: worker, documents, ocr, wordVectors, secrets = sessionSecrets() } = ports;
  const listeners = new Set<(event: EventMessage) => void>();
  const emit = (event: EventMessage): void => {
    for (const listener of listeners) listener(event);
  };

  const opened = createOpenedFiles();
  const models = createModels({ store, demoModel: host.demoModel });
  const servers = createServers({ store, secrets, pictures: worker, onChange: (payload) => emit({ event: 'servers.changed', payload }) });
  const engine = createEngineService({
    engine: ports.engine,
    settings: () => store.settings(),
    model: (id) => models.chosen(id),
    server: servers.find,
    cacheDirectory: host.cacheDirectory,
    kernelRecords: host.kernelRecords,
    onChange: (state) => {
      emit({ event: 'engine.changed', payload: state });
      if (state.status === 'failed') host.onFault?.(`the model could not be loaded (${state.failure?.code ?? 'internal'})`);
      sanityChecks.follow(state);
    },
  });
  ports.engine.onLost(({ kind, code }) => host.onFault?.(`the engine was lost during ${kind} (${code})`));
  const sanityChecks = createSanityChecks({
    store,
    engine,
    references: async (id) => readReferences(await models.chosen(id).place()),
    emit,
  });
  const manager = createModelManager({
    store,
    models,
    devices: () => engine.devices(),
    startEngine: ports.startEngine,
    secrets,
    directory: modelsDirectory(host.dataDirectory),
    emit,
  });
  const pictures = createPictures({ store, worker });
  const text = createPictureText({ recogniser: ocr, emit });
  const capture = ports.capture({
    addPicture: (bytes, name, madeFor) => pictures.add({ bytes, name }, { kind: 'capture' }, madeFor),
    addPrivately: (bytes, name) => addPrivately({ bytes, name }),
    readText: (bytes, name, of, onLine) => text.readOnce(of, { source: { bytes, name } }, onLine),
    stopText: text.stop,
    emit,
    settings: () => store.settings(),
  });
  async function addPrivately(source: { bytes: Uint8Array; name: string }): Promise<Captured> {
    const { id: conversationId } = privately.open();
    try {
      return { picture: await pictures.add(source, { kind: 'capture' }, conversationId), conversationId };
    } catch (error) {
      privately.close(conversationId);
      throw error;
    }
  }
  const { library, uploads, readings, pagePictures, extractions } = createDocumentParts(ports, engine, emit);
  const readPicture = async (hash: string, options: { background: boolean; signal: AbortSignal }): Promise<TextLine[]> =>
    text.readSilently(hash, { source: pictures.original(hash) }, options);
  const secondReader = createSecondReader({
    store,
    read: (hash, signal) => readPicture(hash, { background: true, signal }),
    sees: () => (engine.chosen() ?? engine.state()).vision !== null,
    emit,
    onFault: host.onFault,
  });
  const chat = createChat({
    store,
    engine,
    showPage: pagePictures.show,
    wordVectors,
    readText: (hash, signal) => readPicture(hash, { background: false, signal }),
    onFault: host.onFault,
    mayHaveDocuments: servers.mayHaveDocuments,
    nameOf: (id) => (servers.find(id) ?? models.chosen(id)).choice.name,
    emit,
    onAnswer: (answer) => void secondReader.check(answer),
  });
  const privately = createPrivately({ store, chat, text, emit });
  const archives: Archives = createArchives({
    store,
    pictures,
    version: host.version,
    emit,
    onPut(put) {
      if (put.of === 'conversation')
        emit({ event: 'conversation.changed', payload: { ...store.conversations.summary(put.id), busy: chat.isBusy(put.id) } });
      else if (put.of === 'document') {
        emit({ event: 'document.changed', payload: readings.view(store.documents.get(put.id)) });
        readings.resume();
      } else if (put.of === 'table') emit({ event: 'extraction.changed', payload: { ...store.extractions.get(put.id), running: false } });
      else {
        emit({ event: 'settings.changed', payload: store.settings() });
        host.settingsChanged?.();
      }
    },
  });
  const pause = async (): Promise<void> => {
    await Promise.all([readings.pause(), extractions.pause(), archives.stop()]);
  };
  const maintenance = startMaintenance({ store, chat, manager, pause, emit, onFault: host.onFault });
  const vault = createVaultService({
    store,
    chat,
    maintenance,
    emit,
    onOpened() {
      begin();
      emit({ event: 'settings.changed', payload: store.settings() });
      host.settingsChanged?.();
      void engine.follow();
    },
  });
  const pictureIndex = startPictureIndex({
    store,
    recogniser: ocr,
    original: pictures.original,
    isBusy: chat.isBusy,
    onFault: host.onFault,
  });
  listeners.add(({ event }) => {
    if (event === 'message.changed' || event === 'storage.changed' || event === 'settings.changed') pictureIndex.look();
    if (event === 'storage.changed') {
      readings.resume();
      extractions.resumeAll();
    }
  });
  const consents = createConsents({
    remembered: () => store.settings().programTools,
    remember(programTools) {
      emit({ event: 'settings.changed', payload: store.saveSettings({ programTools }) });
    },
    showWindow: () => host.showToAsk?.() ?? false,
    onChange: (payload) => emit({ event: 'programs.asked', payload }),
    mostRemembered: mostConsents,
  });
  const programs = createProgramsBeside(ports, { engine, models, pictures, secrets, consents, capture, emit });
  listeners.add(({ event }) => {
    if (event === 'settings.changed' || event === 'storage.changed') void programs?.follow();
  });
  void programs?.follow();
  let hasBegun = false;
  /** What a Loupe that was killed has left; once it can be seen. */
  function begin(): void {
    if (hasBegun || store.care.state().access === 'closed') return;
    hasBegun = true;
    forgetTexts(ports);
    void pagePictures.prune().catch((error: unknown) => host.onFault?.(error));
  }
  begin();
  readings.resume();
  extractions.resumeAll();

  const handlers = {
    ...hostHandlers({ ...ports, engine, opened }),
    ...storageHandlers({ store, host, engine, maintenance, manager, servers, emit }),
    ...modelHandlers({ store, host, engine, models, manager, sanityChecks, emit }),
    ...archiveHandlers(archives, host),
    ...conversationHandlers({ store, chat, privately, emit }),
    ...pictureHandlers({ pictures, text, engine }),
    ...documentHandlers({ store, documents, library, uploads, readings, pagePictures, emit }),
    ...extractionHandlers(extractions),
    ...captureHandlers(capture),
    ...programHandlers(programs, consents),
    ...serverHandlers(servers),
    ...vaultHandlers(vault),
  };
  return {
    handlers: lockable(handlers, vault),
    lock: () => vault.lock().catch((error: unknown) => host.onFault?.(error)),
    isLocked: vault.isLocked,
    on(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit,
    pictureFile: (hash, scale) => store.pictures.shown(hash, scale),
    pagePicture: pagePictures.show,
    capture,
    open(paths, leftOut) {
      opened.add(paths, leftOut);
      emit({ event: 'windows.opened', payload: null });
    },
    async close() {
      await programs?.close();
      await archives.stop();
      maintenance.close();
      vault.close();
      pictureIndex.close();
      secondReader.close();
      chat.close();
      servers.close();
      sanityChecks.close();
      await Promise.all([uploads.close(), readings.close(), extractions.close(), pagePictures.close()]);
      await Promise.all([engine.close(), worker.close(), documents.close(), ocr.close(), manager.close()]);
      forgetTexts(ports);
      // Short sessions are all that some people have.
      await store.care.finish(lastBackupMs);
      store.close();
    },
  };
}

/** A disk that cannot be written to keeps them until it can. */
function forgetTexts({ store, host }: Pick<AppPorts, 'store' | 'host'>): void {
  try {
    store.forgetTexts();
  } catch (error) {
    host.onFault?.(error);
  }
}

/** Null where the host answers no programs. */
function createProgramsBeside(
  { store, pictures: worker, host, listenForPrograms }: Pick<AppPorts, 'store' | 'pictures' | 'host' | 'listenForPrograms'>,
  parts: {
    engine: EngineService;
    models: Models;
    pictures: Pictures;
    secrets: SecretStore;
    consents: Consents;
    capture: CaptureHost;
    emit: (event: EventMessage) => void;
  },
): Programs | null {
  if (!listenForPrograms) return null;
  const { secrets, ...shared } = parts;
  const services = {
    ...shared,
    worker,
    conversations: store.conversations,
    privately: store.privately,
    settings: () => store.settings(),
    version: host.version,
    onFault: host.onFault ?? ((): void => {}),
  };
  return createPrograms({
    settings: () => store.settings(),
    secrets,
    listen: (options) => listenForPrograms(services, options),
    newKey: newSecret,
    count: countInLedger(store.ledger, services.onFault),
    onChange: (payload) => parts.emit({ event: 'programs.changed', payload }),
  });
}

/** What works with the library of documents. */
function createDocumentParts(
  { store, host, documents, ocr, wordVectors }: Pick<AppPorts, 'store' | 'host' | 'documents' | 'ocr' | 'wordVectors'>,
  engine: EngineService,
  emit: (event: EventMessage) => void,
) {
  const library = createLibrary({ store, reader: documents });
  const uploads = createUploads({ files: store.documentFiles, library });
  const readings = createReadings({ store, library, recogniser: ocr, emit, onFault: host.onFault });
  const pagePictures = createPagePictures({
    store,
    reader: documents,
    directory: join(host.dataDirectory, 'cache', 'pages'),
    passwordOf: readings.passwordOf,
    onLocked: readings.fail,
  });
  const fileOf = (id: number): DocumentFile => libraryFile(store.documentFiles, store.documents.get(id), readings.passwordOf(id));
  const extractions = createExtractions({
    store,
    engine,
    readings,
    draw: drawnBy((id, number) => pagePictures.show(id, number, seenWidth)),
    wordVectors,
    readPicture: createPictureReader({ reader: documents, recogniser: ocr, fileOf }),
    emit,
    onFault: host.onFault,
  });
  return { library, uploads, readings, pagePictures, extractions };
}
