/** The desktop app put together: its windows, the app behind them, what they may see and ask, and what the person can start. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listenForPrograms } from '../api/serve.ts';
import { createApp, type App } from '../app.ts';
import type { CaptureMode, EventMessage } from '../contract.ts';
import { createDocumentReader } from '../documents/document-client.ts';
import { createEngineClient } from '../engine/client.ts';
import { createKernelRecords } from '../host/kernel-records.ts';
import { readAbilities } from '../host/abilities.ts';
import type { Log } from '../host/log.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { createTextRecogniser } from '../ocr/ocr-client.ts';
import { wordVectorsOf } from '../word-vectors/word-vectors.ts';
import type { Engine, Store } from '../services/ports.ts';
import { createChecker } from '../storage/check-client.ts';
import { openStore } from '../storage/store.ts';
import { offerContextMenus } from './context-menu.ts';
import type { ElectronModule } from './electron-module.ts';
import { createElectronCapture, type ElectronCapture } from './capture-host.ts';
import { chooseArchive, chooseFolder, reportCapture } from './dialogs.ts';
import { answer, entry } from './entries.ts';
import { createSettingsFollower, followSystem } from './follow.ts';
import { hardenSession } from './harden.ts';
import type { Intent } from './intents.ts';
import { broadcast, serveWindows } from './ipc.ts';
import { createLater } from './later.ts';
import { menuTemplate } from './menu.ts';
import { paper, scheme } from './options.ts';
import { createPageServer } from './page-server.ts';
import { placesEnvironment, type Places } from './places.ts';
import { createRemembered, type Remembered } from './remembered.ts';
import { keychainSecrets, vaultKeychain } from './secrets.ts';
import { createLoupeTray } from './tray.ts';
import { createTrayPresence } from './tray-presence.ts';
import { startUtilityHost } from './utility-host.ts';
import { words } from './words.ts';
import { createWindows, type Windows } from './windows.ts';

export interface Assembly {
  electron: ElectronModule;
  places: Places;
  data: string;
  log: Log;
  wayland: boolean;
  portal: boolean;
  /** Asks the desktop. */
  showsTray: () => Promise<boolean>;
}

/** Builds the app and its windows; `act` does what an intent asks for. Throws `store_*` where the data folder cannot be used at all. */
export async function assemble(assembly: Assembly): Promise<{ act: (intent: Intent) => void; startMinimised: boolean }> {
  const { electron, places, data, log } = assembly;
  const version = readVersion(places.root);
  const spawn = spawner(assembly);
  const keychain = { safeStorage: electron.safeStorage, platform: process.platform };
  const store = openStore(data, {
    checker: createChecker({ spawn: spawn(places.checkEntry, 'Loupe check') }),
    tolerant: true,
    keychain: vaultKeychain(keychain),
  });
  const remembered = createRemembered(join(data, 'shell.json'), log);
  const presence = createTrayPresence(assembly.showsTray);
  const windows = createWindows({
    ...assembly,
    remembered,
    isKept: (id) => isKept(store, id),
    closesToTray: () => store.settings().closeToTray && presence.isShown(),
    onHidden: () => tellOfTray(electron, remembered),
  });
  const follow = createSettingsFollower({ electron, hotkeys: windows.hotkeys, log });
  const app = createDesktopApp(assembly, {
    store,
    windows,
    remembered,
    spawn,
    version,
    abilities: await readAbilities(places.demoModel),
    openMain,
    comeToAsk,
    captureFailed,
    settingsChanged: () => follow(store.settings()),
  });

  function openMain(conversationId: number | null): void {
    if (windows.main.show(conversationId) === 'shown') app.emit({ event: 'windows.show', payload: { conversationId } });
  }

  /** A person who captures, or asks about what was captured, keeps screen and keyboard. */
  function comeToAsk(): void {
    app.capture.whenOver(() => (windows.quick.isVisible() ? windows.main.callAttention() : openMain(null)));
  }

  /** Not asked for by a window, so a dialog reports the failure. */
  function startCapture(mode: CaptureMode): void {
    // What is asked about it could not be kept, and the hotkey works all the same.
    if (app.isLocked()) return openMain(null);
    app.capture.start(mode).catch(captureFailed);
  }

  function captureFailed(error: unknown): void {
    log(error);
    void reportCapture(electron, error).catch(log);
  }

  serve(assembly, app, windows);
  app.on(({ event, payload }) => {
    if (event !== 'vault.changed' || payload.state !== 'locked') return;
    // What they show is not to be seen by whoever comes now.
    void app.capture.cancel();
    windows.pins.closeAll();
    windows.quick.dismiss();
  });
  offerContextMenus({
    electron,
    picture: (hash) => ({ ...store.pictures.original(hash), name: store.pictures.get(hash).name }),
    onFault: log,
  });
  const tray = offerStarts(assembly, { openMain, startCapture });
  // The first capture is as quick as the next; the main window comes first.
  windows.onMainOpened(app.capture.prepare);
  windows.hotkeys.onPress(startCapture);
  windows.hotkeys.onChange(() => tray.update(windows.hotkeys.state().region));
  followSystem(electron, {
    framesOutdated: () => void app.capture.cancel(),
    displaysChanged: app.capture.prepare,
    left: () => {
      if (!app.isLocked() && store.settings().lockWithScreen) void app.lock();
    },
    themeChanged: () => windows.main.window()?.setBackgroundColor(paper(windows.isDark())),
    activated: () => openMain(null),
  });
  if (electron.app.isPackaged) electron.app.setAsDefaultProtocolClient(scheme);
  endInOrder(assembly, app, windows, tray);

  // Trays come and go with extensions of the desktop.
  electron.app.on(
    'browser-window-focus',
    entry(() => void presence.look()),
  );
  await presence.look();
  // What is not known before it is unlocked, as whether Loupe starts with the session, stays as it is.
  if (!app.isLocked()) follow(store.settings());
  tray.update(windows.hotkeys.state().region);
  if (!app.isLocked()) void app.handlers['engine.load']({});
  log(`Loupe ${version} started on ${process.platform} with Electron ${process.versions['electron']}`);

  function act(intent: Intent): void {
    switch (intent.kind) {
      case 'show':
        return openMain(intent.conversationId);
      case 'capture':
        return startCapture(intent.mode);
      case 'hidden':
        return app.capture.prepare();
      case 'open':
        app.open(intent.paths, intent.leftOut);
        return comeToAsk();
      default:
        return intent satisfies never;
    }
  }
  return { act, startMinimised: store.settings().startMinimised };
}

/** Neither are private conversations, nor is anything while the data are locked. */
function isKept({ conversations }: Store, id: number): boolean {
  try {
    return conversations.summary(id).id === id;
  } catch {
    return false;
  }
}

type Spawner = (entry: string, name: string) => () => ReturnType<typeof startUtilityHost>;

function spawner({ electron: { app, utilityProcess }, places, log }: Assembly): Spawner {
  const env = placesEnvironment(places, process.env, { packaged: app.isPackaged });
  return (script, name) => () => startUtilityHost({ fork: (...given) => utilityProcess.fork(...given), entry: script, name, env, log });
}

interface DesktopAppParts {
  store: Store;
  windows: Windows;
  remembered: Remembered;
  spawn: Spawner;
  version: string;
  abilities: unknown;
  openMain: (conversationId: number | null) => void;
  comeToAsk: () => void;
  captureFailed: (error: unknown) => void;
  settingsChanged: () => void;
}

/** The app, with processes of Electron's kind and a screen to capture. */
function createDesktopApp(
  { electron, places, data, log }: Assembly,
  { store, windows, remembered, spawn, version, abilities, openMain, comeToAsk, captureFailed, settingsChanged }: DesktopAppParts,
): App<ElectronCapture> {
  const pictures = createPictureWorker({ spawn: spawn(places.pictureEntry, 'Loupe pictures') });
  const cacheDirectory = join(data, 'cache');
  const startEngine = (): Engine => createEngineClient({ spawn: spawn(places.engineEntry, 'Loupe engine'), cacheDirectory, pictures });
  const writeText = (text: string): Promise<void> => answer(electron.clipboard.writeText(text));
  const app = createApp({
    store,
    engine: startEngine(),
    startEngine,
    pictures,
    documents: createDocumentReader({ spawn: spawn(places.documentEntry, 'Loupe documents') }),
    ocr: createTextRecogniser({ spawn: spawn(places.ocrEntry, 'Loupe text') }),
    wordVectors: wordVectorsOf(places.wordVectors),
    capture: (services) =>
      createElectronCapture({
        ...windows,
        hideWindows: windows.hide,
        writeText,
        toPng: (bitmap, size) => new Uint8Array(electron.nativeImage.createFromBitmap(Buffer.from(bitmap), size).toPNG()),
        remembered,
        services,
        showMain: () => openMain(null),
        onFailed: captureFailed,
      }),
    abilities,
    listenForPrograms,
    secrets: keychainSecrets({ safeStorage: electron.safeStorage, platform: process.platform, directory: data }),
    host: {
      kind: 'electron',
      version,
      dataDirectory: data,
      logsDirectory: join(data, 'logs'),
      demoModel: places.demoModel,
      cacheDirectory,
      kernelRecords: createKernelRecords(cacheDirectory, version),
      licences: async () => ((await readJson(places.licences)) ?? []) as { name: string; text: string }[],
      openFolder: async (path) => (await answer(electron.shell.openPath(path))) === '',
      chooseFolder: (from) => chooseFolder(electron, from),
      chooseArchive: (work) => chooseArchive(electron, work),
      openMain,
      showToAsk() {
        comeToAsk();
        return true;
      },
      quit: () => electron.app.quit(),
      settingsChanged,
      onFault: log,
    },
  });
  return app;
}

/** What windows may see and ask. */
function serve(
  { electron: { app: shell, BrowserWindow, ipcMain, protocol, session }, places, log }: Assembly,
  app: App<ElectronCapture>,
  { quick, overlays, pins }: Pick<Windows, 'quick' | 'overlays' | 'pins'>,
): void {
  hardenSession(session.defaultSession, shell.isPackaged);
  protocol.handle(
    scheme,
    entry(
      createPageServer({
        rendererDirectory: places.renderer,
        readFile: (path) => readFile(path),
        pictureFile: app.pictureFile,
        pagePicture: app.pagePicture,
        onFault: log,
      }),
    ),
  );
  const windowOf = (contentsId: number): Electron.BrowserWindow | undefined =>
    BrowserWindow.getAllWindows().find(({ webContents }) => webContents.id === contentsId);
  serveWindows({
    ipcMain,
    handlers: app.handlers,
    isOurWindow: (contentsId) => windowOf(contentsId) !== undefined,
    growWindow: (contentsId, height) => {
      if (quick.owns(contentsId)) quick.grow(height);
    },
    closeWindow: (contentsId) => (quick.owns(contentsId) ? quick.dismiss() : windowOf(contentsId)?.close()),
    onFault: log,
    onStranger: () => log('a request from a page that is not ours was refused'),
  });
  app.on((event) =>
    broadcast(
      BrowserWindow.getAllWindows()
        .map(({ webContents }) => webContents)
        .filter(({ id }) => forQuietPages.has(event.event) || !(overlays.owns(id) || pins.owns(id))),
      event,
    ),
  );
}

/** What the pages of overlays and pins need to hear, which have nothing to do most of the time and must not wake at each word of an answer. */
const forQuietPages = new Set<EventMessage['event']>(['settings.changed', 'storage.changed']);

interface Starts {
  openMain: (conversationId: number | null) => void;
  startCapture: (mode: CaptureMode) => void;
}

/** Once: who closed the window may think that Loupe has ended. */
function tellOfTray({ Notification }: ElectronModule, remembered: Remembered): void {
  if (remembered.get().toldOfTray || !Notification.isSupported()) return;
  new Notification({ ...words.tray, silent: true }).show();
  remembered.set({ toldOfTray: true });
}

type LoupeTray = ReturnType<typeof createLoupeTray>;

/** Long enough to open the menu that is to be captured. */
const captureDelayMs = 3_000;

/** What the person can start: from the tray and from the menu. */
function offerStarts({ electron: { app: shell, Menu, Tray }, places }: Assembly, { openMain, startCapture }: Starts): LoupeTray {
  const { platform } = process;
  const ask = (): void => startCapture('region');
  const later = createLater(ask, captureDelayMs);
  const open = (): void => openMain(null);
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(platform, shell.isPackaged, { ask, askLater: later.start, open })));
  const tray = createLoupeTray({
    createTray: () =>
      new Tray(join(places.icons, platform === 'darwin' ? 'trayTemplate.png' : platform === 'win32' ? 'loupe.ico' : 'tray.png')),
    buildMenu: (template) => Menu.buildFromTemplate(template),
    platform,
    actions: { ask, askLast: () => startCapture('last'), askLater: later.start, open, quit: () => shell.quit() },
  });
  return {
    update: tray.update,
    destroy() {
      later.cancel();
      tray.destroy();
    },
  };
}

/** What was said last is kept before the end; quitting twice ends nothing sooner. */
function endInOrder(
  { electron: { app: shell }, log }: Assembly,
  app: App,
  { main, quick, overlays, pins, hotkeys, onMainClosed }: Windows,
  tray: LoupeTray,
): void {
  let isQuitting = false;
  let isClosed = false;
  onMainClosed(() => {
    if (!isQuitting && process.platform !== 'darwin') shell.quit();
  });
  shell.on(
    'before-quit',
    entry((event) => {
      if (isClosed) return;
      event.preventDefault();
      if (isQuitting) return;
      isQuitting = true;
      main.quitting();
      hotkeys.release();
      void app.capture.cancel();
      app.capture.stopCopying();
      quick.destroy();
      overlays.destroy();
      pins.closeAll();
      tray.destroy();
      void app
        .close()
        .catch(log)
        .finally(() => {
          isClosed = true;
          shell.quit();
        });
    }),
  );
}

/** Null for what is not there or no JSON. */
async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => 'null');
  return JSON.parse(text);
}

function readVersion(root: string): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}
