/** The composition root: ports in, handlers and events out. Hosts (Electron, web, command line) stand on it. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import {
  abilities as abilitiesSchema,
  partLabel,
  type Abilities,
  type EventMessage,
  type Handlers,
  type Picture,
  type PictureOrigin,
  type TextLine,
} from './contract.ts';
import { modelsDirectory } from './host/paths.ts';
import { createChat } from './services/chat/chat.ts';
import { createEngineService } from './services/engine-service.ts';
import { LoupeError } from './errors.ts';
import { exportConversation } from './services/export.ts';
import { publishedVision, viewOf } from './services/image-view.ts';
import { createModelManager } from './services/models/manager.ts';
import { createModels } from './services/models/models.ts';
import { sessionSecrets } from './services/models/hub/secrets.ts';
import { readReferences } from './services/models/check/self-test.ts';
import { createSelfTests } from './services/models/check/self-tests.ts';
import { createPictureText } from './services/picture-text.ts';
import type {
  CaptureHost,
  Engine,
  ImageSource,
  Loose,
  PictureFacts,
  PictureWorker,
  SecretStore,
  Store,
  StoredFile,
  TextRecogniser,
} from './services/ports.ts';

export interface Host {
  kind: 'electron' | 'web';
  version: string;
  dataDirectory: string;
  logsDirectory: string;
  /** The checkpoint that comes with the app. */
  demoModel: string;
  /** Where compiled pipelines are kept. */
  cacheDirectory?: string;
  licences: () => Promise<{ name: string; text: string }[]>;
  /** False where there is no file manager to open it in. */
  openFolder: (path: string) => Promise<boolean>;
  /** Asks the person, from this folder on; null where none was chosen. Absent where the host cannot ask. */
  chooseFolder?: (from: string) => Promise<string | null>;
  openMain: (conversationId: number | null) => void;
  /** Autostart, hotkey and the like follow the settings. */
  settingsChanged?: () => void;
  /** Hears of what failed behind the scenes. */
  onFault?: (error: unknown) => void;
}

export interface AppPorts {
  store: Store;
  engine: Engine;
  pictures: PictureWorker;
  ocr: TextRecogniser;
  /** Gets a way to keep what it captures. */
  capture: (app: CaptureServices) => CaptureHost;
  host: Host;
  /** Another engine, for work that takes minutes. */
  startEngine?: () => Engine;
  /** Absent = in memory, until the process ends. */
  secrets?: SecretStore;
  /** The demo model's abilities.json, parsed; null where it is not installed. */
  abilities?: unknown;
}

export interface CaptureServices {
  addPicture: (bytes: Uint8Array, name: string) => Promise<Picture>;
  /** The text in a picture that is not kept; `of` is what events and `stopText` call it. */
  readText: (bytes: Uint8Array, name: string, of: string) => Promise<TextLine[]>;
  stopText: (of: string) => void;
  emit: (event: EventMessage) => void;
  settings: Store['settings'];
}

export interface App {
  handlers: Handlers;
  /** Answers how to stop listening. */
  on(listener: (event: EventMessage) => void): () => void;
  /** Tells every window. */
  emit(event: EventMessage): void;
  /** A file that a browser can show. Throws `not_found`. */
  pictureFile(hash: string, scale: 'full' | 'thumb'): StoredFile;
  capture: CaptureHost;
  /** Answers that are being written are kept as interrupted. */
  close(): Promise<void>;
}

const recentPromptsShown = 8;
/** Nobody who has just started it waits for a check. */
const firstCareMs = 5_000;
const careEveryMs = 10 * 60_000;
/** A disk that is full or cannot be written to is looked at so often. */
const lookEveryMs = 5_000;
/** What a last backup may hold up the end. */
const lastBackupMs = 4_000;

export function createApp({
  store,
  engine: port,
  pictures,
  ocr,
  capture: createCapture,
  host,
  startEngine,
  secrets = sessionSecrets(),
  abilities,
}: AppPorts): App {
  const listeners = new Set<(event: EventMessage) => void>();
  const emit = (event: EventMessage): void => {
    for (const listener of listeners) listener(event);
  };

  const models = createModels({ store, demoModel: host.demoModel });
  const engine = createEngineService({
    engine: port,
    settings: () => store.settings(),
    model: (id) => models.chosen(id),
    cacheDirectory: host.cacheDirectory,
    onChange: (state) => {
      emit({ event: 'engine.changed', payload: state });
      selfTests.follow(state);
    },
  });
  const selfTests = createSelfTests({ store, engine, references: async (id) => readReferences(await models.chosen(id).place()), emit });
  const manager = createModelManager({
    store,
    models,
    devices: () => engine.devices(),
    startEngine,
    secrets,
    directory: modelsDirectory(host.dataDirectory),
    emit,
  });
  const chat = createChat({ store, engine, emit });
  const text = createPictureText({ recogniser: ocr, emit });
  const capture = createCapture({
    addPicture: (bytes, name) => addPicture({ bytes, name }, { kind: 'capture' }),
    readText: (bytes, name, of) => text.readOnce(of, { source: { bytes, name } }),
    stopText: text.stop,
    emit,
    settings: () => store.settings(),
  });

  let begun = false;
  /** Once what is kept can be written to: at the start, or when the disk has room again. */
  function begin(): void {
    if (begun) return;
    try {
      store.conversations.markInterrupted();
      manager.recover();
      begun = store.care.state().access === 'writable';
    } catch (error) {
      // It is said in the window already.
      if (store.care.state().access === 'writable') host.onFault?.(error);
    }
  }
  let { generation } = store.care.state();
  store.care.onChange((state) => {
    if (state.generation !== generation) begun = false;
    ({ generation } = state);
    if (state.access === 'writable') begin();
    emit({ event: 'storage.changed', payload: state });
  });
  begin();

  /** Takes a moment: not while somebody waits for words. */
  function care(): void {
    if (chat.isBusy()) return;
    if (store.care.state().access === 'writable') sweepStore();
    void store.care.maintain();
  }
  const timers = [
    setTimeout(care, firstCareMs),
    setInterval(care, careEveryMs),
    setInterval(() => {
      if (/full|readOnly/.test(store.care.state().access)) store.care.retry();
    }, lookEveryMs),
  ];
  for (const timer of timers) timer.unref();

  async function addPicture(source: Extract<ImageSource, { bytes: Uint8Array }>, origin: PictureOrigin): Promise<Picture> {
    const hash = createHash('sha256').update(source.bytes).digest('hex');
    const known = store.pictures.find(hash);
    if (known) {
      store.pictures.touch(hash);
      return known;
    }
    return store.pictures.add({ ...source, origin, ...(await pictures.inspect(source)) });
  }

  /** The page of a file as a picture of its own, so that nothing else has to know of pages. */
  function addPage(whole: Picture, { part, display, ...facts }: PictureFacts): Promise<Picture> | Picture {
    if (!part || !display) return whole;
    return addPicture(
      { bytes: display, name: `${whole.name.slice(0, 220)}, ${partLabel(part)}` },
      { kind: 'page', of: whole.hash, ...part, ...readingOf(facts) },
    );
  }

  function wholeOf(hash: string): Picture {
    const picture = store.pictures.get(hash);
    return picture.origin.kind === 'page' ? store.pictures.get(picture.origin.of) : picture;
  }

  function sweepStore(): void {
    try {
      store.sweep();
    } catch (error) {
      // A full disk, as a rule: what is kept is not touched, and the next time may do.
      host.onFault?.(error);
    }
  }

  /** Nothing of this process may be written into another database: ids would mean something else there. */
  function replaceStore(replace: () => Promise<string | null> | string | null): Promise<{ keptAside: string | null }> {
    if (store.care.state().access !== 'closed') {
      chat.forget();
      for (const { id, state } of store.downloads.list()) if (state === 'running' || state === 'queued') manager.pause(id);
    }
    return Promise.resolve(replace()).then((keptAside) => ({ keptAside }));
  }

  const original = (hash: string): ImageSource => ({ path: store.pictures.original(hash).path });

  function conversationChanged(id: number): void {
    emit({ event: 'conversation.changed', payload: { ...store.conversations.summary(id), busy: chat.isBusy(id) } });
  }

  const handlers: Handlers = {
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
    'app.licences': () => host.licences(),

    'storage.state': () => store.care.state(),
    'storage.retry': () => store.care.retry(),
    'storage.backups': () => store.care.backups(),
    'storage.restore': async ({ name }) => replaceStore(() => store.care.restore(name)),
    'storage.startAnew': async () => replaceStore(() => store.care.startAnew()),
    'storage.accept': () => store.care.accept(),
    'storage.emptyBin': () => ({ freedBytes: store.care.emptyBin() }),

    'settings.get': () => store.settings(),
    'settings.set': (change) => {
      const before = store.settings();
      const settings = store.saveSettings(change);
      emit({ event: 'settings.changed', payload: settings });
      host.settingsChanged?.();
      const { model, device, contextLength } = settings;
      if (model !== before.model || device !== before.device || contextLength !== before.contextLength) void engine.follow();
      return settings;
    },

    'engine.state': () => engine.state(),
    'engine.load': () => {
      void engine.load();
      return null;
    },
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
      const choice = await manager.add(path);
      // In the background: it can be used meanwhile.
      void manager.verify(choice.id).catch(() => {});
      return choice;
    },
    'models.remove': async ({ id, files = false }) => {
      await manager.remove(id, files);
      if (store.settings().guard === id) emit({ event: 'settings.changed', payload: store.saveSettings({ guard: null }) });
      return null;
    },
    'models.catalogue': () => manager.catalogue(),
    'models.find': ({ path }) => manager.find(path),
    'models.fit': ({ path }) => manager.fit(path),
    'models.downloads': () => manager.downloads(),
    'models.download': ({ model, repository, directory }) => manager.download(model, repository, directory),
    'models.pause': ({ id }) => {
      manager.pause(id);
      return null;
    },
    'models.resume': ({ id }) => {
      manager.resume(id);
      return null;
    },
    'models.cancel': async ({ id }) => {
      await manager.cancel(id);
      return null;
    },
    'models.verify': ({ id }) => {
      models.chosen(id);
      // What comes of it is told by `verifications.changed`.
      void manager.verify(id).catch(() => {});
      return null;
    },
    'models.verifications': () => manager.verifications(),
    'models.quantise': ({ id, form }) => {
      manager.startQuantising(id, form);
      return null;
    },
    'models.stopQuantising': ({ id }) => {
      manager.stopQuantising(id);
      return null;
    },
    'models.quantisings': () => manager.quantisings(),
    'models.selfTests': () => selfTests.list(),
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

    'conversations.list': () => store.conversations.list().map((summary) => ({ ...summary, busy: chat.isBusy(summary.id) })),
    'conversations.open': ({ id }) => chat.live(store.conversations.open(id)),
    'conversations.search': ({ query, limit }) => store.conversations.search(query, limit),
    'conversations.rename': ({ id, title }) => {
      store.conversations.rename(id, title);
      conversationChanged(id);
      return null;
    },
    'conversations.pin': ({ id, pinned }) => {
      store.conversations.pin(id, pinned);
      conversationChanged(id);
      return null;
    },
    'conversations.delete': ({ id }) => {
      chat.stopConversation(id);
      store.conversations.delete(id);
      emit({ event: 'conversation.deleted', payload: { id } });
      return null;
    },
    'conversations.restore': ({ id }) => {
      store.conversations.restore(id);
      conversationChanged(id);
      return null;
    },
    'conversations.selectBranch': ({ messageId }) => ({ leafId: store.conversations.selectBranch(messageId) }),
    'conversations.pinPicture': ({ id, hash }) => {
      store.conversations.pinPicture(id, hash);
      emit({ event: 'picture.pinned', payload: { conversationId: id, picture: hash === null ? null : store.pictures.get(hash) } });
      return null;
    },
    'conversations.saveDraft': ({ id, text, pictures: hashes }) => {
      store.conversations.saveDraft(id, text, hashes);
      return null;
    },
    'conversations.draft': () => store.conversations.draft(),
    'conversations.export': ({ id, format }) => exportConversation(chat.live(store.conversations.open(id)), format),

    'chat.send': (input) => chat.send(input),
    'chat.regenerate': ({ messageId }) => chat.regenerate(messageId),
    'chat.continue': ({ messageId }) => chat.continue(messageId),
    'chat.stop': ({ messageId }) => {
      chat.stop(messageId);
      return null;
    },
    'chat.measure': (input) => chat.measure(input),

    'pictures.add': async ({ bytes, name, kind }) => {
      const source = { bytes, name };
      // Known or not: which picture it is of a file that holds several is not known of old ones.
      const facts = await pictures.inspect(source);
      const whole = store.pictures.add({ ...source, ...facts, origin: { kind, ...readingOf(facts) } });
      return facts.part ? addPage(whole, facts) : whole;
    },
    'pictures.pages': async ({ hash, from }) => {
      const whole = wholeOf(hash);
      const found = await pictures.pages(original(whole.hash), from);
      if (!found) throw new LoupeError('usage', `${whole.name} holds one picture.`);
      return found;
    },
    'pictures.page': async ({ hash, number }) => {
      const whole = wholeOf(hash);
      return addPage(whole, await pictures.inspect(original(whole.hash), number));
    },
    'pictures.crop': async ({ hash, region }) => {
      const { name, origin } = store.pictures.get(hash);
      const { ground, cutOff } = origin;
      return addPicture(
        { bytes: await pictures.crop(original(hash), region), name },
        { kind: 'crop', of: hash, region, ...readingOf({ ground, cutOff }) },
      );
    },
    'pictures.compose': async ({ hashes, layout, labels }) => {
      const name = hashes
        .map((hash) => store.pictures.get(hash).name)
        .join(', ')
        .slice(0, 255);
      return addPicture(
        { bytes: await pictures.compose(hashes.map(original), layout, labels), name },
        { kind: 'compose', of: hashes, layout, labels },
      );
    },
    'pictures.text': ({ hash }) => text.read(hash, { source: original(hash) }),
    'pictures.stopText': ({ hash }) => {
      text.stop(hash);
      return null;
    },
    'pictures.view': (size) => viewOf(size, engine.chosen()?.vision ?? publishedVision),

    'capture.state': () => capture.state(),
    'capture.start': async ({ mode }) => {
      await capture.start(mode);
      return null;
    },
    'capture.display': ({ displayId }) => capture.display(displayId),
    'capture.drawn': async ({ displayId }) => {
      await capture.drawn(displayId);
      return null;
    },
    'capture.finish': async ({ displayId, region }) => {
      await capture.finish(displayId, region);
      return null;
    },
    'capture.text': ({ displayId, region }) => capture.text(displayId, region),
    'capture.cancel': async () => {
      await capture.cancel();
      return null;
    },
    'capture.current': () => capture.current(),
    'capture.testHotkey': async () => ({ pressed: await capture.testHotkey() }),
    'capture.pauseHotkey': async ({ paused }) => {
      await capture.pauseHotkey(paused);
      return null;
    },

    'windows.openMain': ({ conversationId }) => {
      host.openMain(conversationId);
      return null;
    },
    // A host that can close the window that asks answers this itself.
    'windows.close': () => null,

    'privacy.ledger': () => ({ installedAt: store.ledger.installedAt(), entries: store.ledger.list() }),
  };

  return {
    handlers,
    on(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit,
    pictureFile: (hash, scale) => store.pictures.shown(hash, scale),
    capture,
    async close() {
      for (const timer of timers) clearTimeout(timer);
      chat.close();
      selfTests.close();
      await Promise.all([engine.close(), pictures.close(), ocr.close(), manager.close()]);
      // Short sessions are all that some people have.
      await store.care.finish(lastBackupMs);
      store.close();
    },
  };
}

/** Of how a picture was read, what is worth keeping with it. */
function readingOf({ ground, cutOff }: Loose<Pick<PictureFacts, 'ground' | 'cutOff'>>): Pick<PictureOrigin, 'ground' | 'cutOff'> {
  return { ...(ground ? { ground } : {}), ...(cutOff ? { cutOff } : {}) };
}

/** A file that comes with the model; one that cannot be read only costs its suggestions. */
function parseAbilities(value: unknown): Abilities | null {
  const result = v.safeParse(abilitiesSchema, value);
  return result.success ? result.output : null;
}
