/** The desktop app: one instance, its windows, its tray, and the app behind them. */
import { accessSync, constants, mkdtempSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as electronModule from 'electron';
import { readAbilities } from '../host/abilities.ts';
import { createApp, type App } from '../app.ts';
import { createEngineClient } from '../engine/client.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { createLog, type Log } from '../host/log.ts';
import { makeFolderSync } from '../make-folder.ts';
import { createDocumentReader } from '../documents/document-client.ts';
import { createTextRecogniser } from '../ocr/ocr-client.ts';
import { dataDirectory } from '../host/paths.ts';
import { toLoupeError } from '../errors.ts';
import type { Engine } from '../services/ports.ts';
import { createChecker } from '../storage/check-client.ts';
import { openStore } from '../storage/store.ts';
import { chooseFolder, offerLink, offerReload, reportCapture } from './dialogs.ts';
import { createElectronCapture, type ElectronCapture } from './capture-host.ts';
import { hasShortcutsPortal, isWayland } from './desktop.ts';
import { answer, entry } from './entries.ts';
import { createSettingsFollower, followSystem } from './follow.ts';
import { hardenContents, hardenSession } from './harden.ts';
import { createHotkey } from './hotkey.ts';
import { firstIntent, intentOfArguments, intentOfLink, parseIntent, type Intent } from './intents.ts';
import { broadcast, serveWindows } from './ipc.ts';
import { menuTemplate } from './menu.ts';
import { paper, scheme, schemePrivileges } from './options.ts';
import { createOverlays } from './overlay.ts';
import { createPageServer } from './page-server.ts';
import { placesEnvironment, findPlaces, type Places } from './places.ts';
import { createNotice } from './notice.ts';
import { createQuick } from './quick.ts';
import { createRemembered } from './remembered.ts';
import { createScreen } from './screen.ts';
import { keychainSecrets } from './secrets.ts';
import { createLoupeTray } from './tray.ts';
import { startUtilityHost } from './utility-host.ts';
import { createMainWindow } from './window.ts';
import { words } from './words.ts';

type ElectronModule = typeof electronModule;

/** How long windows take to be gone from the screen after they were hidden, ms. */
const vanishMs = 150;

export interface StartOptions {
  /** Folder of the entry and what was built with it. */
  bundle: string;
  /** Of the command line, without the program. */
  args: string[];
}

/** To be called while the entry is loaded, before Electron is ready. */
export function startShell(electron: ElectronModule, { bundle, args }: StartOptions): void {
  const { app, protocol } = electron;
  const { platform, env } = process;
  const wayland = isWayland(platform, env);
  const data = dataDirectory();
  const log = createLog(join(data, 'logs'));

  app.setName(words.name);
  // Chromium's own files; the lock of the single instance is among them, so that each data folder has one.
  const profile = join(data, 'shell');
  app.setPath('userData', makeProfile(profile));
  app.enableSandbox();
  for (const flag of ['disable-background-networking', 'disable-component-update', 'disable-domain-reliability', 'no-pings'])
    app.commandLine.appendSwitch(flag);
  if (wayland) app.commandLine.appendSwitch('enable-features', 'GlobalShortcutsPortal');

  const intent = intentOfArguments(args);
  if (!app.requestSingleInstanceLock(intent)) {
    // The first instance got the intent.
    app.quit();
    return;
  }
  process.on('uncaughtException', (error) => {
    log(error);
    electron.dialog.showErrorBox(words.fault.unexpected, words.fault.unexpectedNext);
    app.exit(1);
  });
  process.on('unhandledRejection', (reason) => log(reason));
  protocol.registerSchemesAsPrivileged([{ scheme, privileges: schemePrivileges }]);

  // Intents that come before everything stands wait for it.
  let act: (next: Intent) => void = (next) => waiting.push(next);
  const waiting: Intent[] = [];
  app.on(
    'second-instance',
    entry((_event, _argv, _directory, handedOver) => act(parseIntent(handedOver) ?? { kind: 'show', conversationId: null })),
  );
  app.on(
    'open-url',
    entry((event, link) => {
      event.preventDefault();
      const linked = intentOfLink(link);
      if (linked) act(linked);
    }),
  );
  // Closing windows decides nothing: the tray, the menu and the main window do.
  app.on(
    'window-all-closed',
    entry(() => {}),
  );
  app.on(
    'web-contents-created',
    entry((_event, contents) => hardenContents(contents, { offerLink: (link) => void offerLink(electron, link).catch(log) })),
  );
  app.on(
    'child-process-gone',
    entry((_event, { type, name, reason, exitCode }) => {
      // The app's own processes log their ends themselves: they know which ends were asked for.
      if (!name?.startsWith('Loupe ')) log(`the process ${name ?? type} ended: ${reason}, code ${exitCode}`);
    }),
  );

  app
    .whenReady()
    .then(async () => {
      const places = findPlaces({ packaged: app.isPackaged, bundle, resources: process.resourcesPath });
      const portal = wayland && (await hasShortcutsPortal());
      const assembled = await assemble({ electron, places, data, log, wayland, portal });
      act = assembled.act;
      act(
        firstIntent(intent, {
          atLogin: platform === 'darwin' && app.getLoginItemSettings().wasOpenedAtLogin,
          minimised: assembled.startMinimised,
        }),
      );
      for (const next of waiting) act(next);
    })
    .catch((error: unknown) => {
      log(error);
      const { message, nextStep } = toLoupeError(error);
      electron.dialog.showErrorBox(words.fault.start, `${message}\n\n${nextStep}`);
      app.exit(1);
    });
}

/** Beside the data, or for this session alone where that cannot be written to: Chromium needs one to write to. */
function makeProfile(wanted: string): string {
  try {
    makeFolderSync(wanted, 0o700);
    accessSync(wanted, constants.W_OK);
    return wanted;
  } catch {
    return mkdtempSync(join(tmpdir(), 'loupe-shell-'));
  }
}

interface Assembly {
  electron: ElectronModule;
  places: Places;
  data: string;
  log: Log;
  wayland: boolean;
  portal: boolean;
}

/** Builds the app and its windows; `act` does what an intent asks for. Throws `store_*` where the data folder cannot be used at all. */
async function assemble({
  electron,
  places,
  data,
  log,
  wayland,
  portal,
}: Assembly): Promise<{ act: (intent: Intent) => void; startMinimised: boolean }> {
  const {
    app: shell,
    BrowserWindow,
    globalShortcut,
    ipcMain,
    Menu,
    nativeTheme,
    protocol,
    screen,
    session,
    shell: desktop,
    Tray,
    utilityProcess,
  } = electron;
  const { platform } = process;
  const version = readVersion(places.root);
  const environment = placesEnvironment(places, process.env);
  const spawn = (entry: string, name: string) => () =>
    startUtilityHost({ fork: (...given) => utilityProcess.fork(...given), entry, name, env: environment, log });
  const store = openStore(data, { checker: createChecker({ spawn: spawn(places.checkEntry, 'Loupe check') }), tolerant: true });
  const remembered = createRemembered(join(data, 'shell.json'), log);
  const createWindow = (options: Electron.BrowserWindowConstructorOptions): Electron.BrowserWindow => new BrowserWindow(options);
  const isDark = (): boolean => nativeTheme.shouldUseDarkColors;
  const { preload } = places;
  let isQuitting = false;

  const screenAccess = createScreen({
    screen,
    desktopCapturer: electron.desktopCapturer,
    systemPreferences: electron.systemPreferences,
    platform,
    wayland,
  });
  const mainWindow = createMainWindow({
    createWindow,
    platform,
    preload,
    icon: join(places.icons, '256x256.png'),
    isDark,
    displays: screenAccess.displays,
    primaryWorkArea: () => screen.getPrimaryDisplay().workArea,
    remembered,
    closesToTray: () => store.settings().closeToTray,
    onPageGone: (repeatedly) => {
      log(repeatedly ? 'the page of the main window ended repeatedly' : 'the page of the main window ended and is loaded again');
      if (repeatedly) offerReload(electron, () => mainWindow.window()?.reload()).catch(log);
    },
    onClosed: () => {
      if (!isQuitting && platform !== 'darwin') shell.quit();
    },
  });
  const quick = createQuick({ createWindow, platform, preload, isDark, onClosed: () => capture.quickClosed() });
  const notice = createNotice({ createWindow, platform, preload, isDark, onClosed: () => capture.stopCopying() });
  const overlays = createOverlays({ createWindow, globalShortcut, platform, wayland, preload, onCancel: () => void capture.cancel() });
  const hotkey = createHotkey({
    globalShortcut,
    platform,
    wayland,
    portal,
    onPress: () => startCapture('region'),
    onChange: () => {
      capture.changed();
      tray.update(hotkey.state());
    },
  });

  async function hideWindows(): Promise<() => void> {
    const hidMain = mainWindow.isFocused();
    const hidQuick = quick.isVisible();
    if (hidMain) mainWindow.hide();
    if (hidQuick) quick.hide();
    if (hidMain || hidQuick) await sleep(vanishMs);
    return () => {
      if (hidMain) mainWindow.comeBack();
      if (hidQuick) quick.reveal();
    };
  }

  const pictures = createPictureWorker({ spawn: spawn(places.pictureEntry, 'Loupe pictures') });
  const startEngine = (): Engine => createEngineClient({ spawn: spawn(places.engineEntry, 'Loupe engine'), pictures });
  let capture!: ElectronCapture;
  const app: App = createApp({
    store,
    engine: startEngine(),
    startEngine,
    pictures,
    documents: createDocumentReader({ spawn: spawn(places.documentEntry, 'Loupe documents') }),
    ocr: createTextRecogniser({ spawn: spawn(places.ocrEntry, 'Loupe text') }),
    capture: (services) => {
      const writeText = (text: string): void => void electron.clipboard.writeText(text);
      capture = createElectronCapture({
        screen: screenAccess,
        overlays,
        quick,
        notice,
        writeText,
        hotkey,
        remembered,
        services,
        hideWindows,
      });
      return capture;
    },
    abilities: await readAbilities(places.demoModel),
    secrets: keychainSecrets({ safeStorage: electron.safeStorage, platform, directory: data }),
    host: {
      kind: 'electron',
      version,
      dataDirectory: data,
      logsDirectory: join(data, 'logs'),
      demoModel: places.demoModel,
      cacheDirectory: join(data, 'cache'),
      licences: async () => ((await readJson(places.licences)) ?? []) as { name: string; text: string }[],
      openFolder: async (path) => (await answer(desktop.openPath(path))) === '',
      chooseFolder: (from) => chooseFolder(electron, from),
      openMain,
      settingsChanged: () => follow(store.settings()),
      onFault: log,
    },
  });

  // --- what windows may see and ask

  hardenSession(session.defaultSession, shell.isPackaged);
  protocol.handle(
    scheme,
    entry(
      createPageServer({
        rendererDirectory: places.renderer,
        readFile: (path) => readFile(path),
        pictureFile: app.pictureFile,
        pagePicture: app.pagePicture,
        frame: capture.frame,
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
    closeWindow: (contentsId) => (quick.owns(contentsId) ? quick.dismiss() : windowOf(contentsId)?.close()),
    onFault: log,
    onStranger: () => log('a request from a page that is not ours was refused'),
  });
  app.on((event) =>
    broadcast(
      BrowserWindow.getAllWindows().map(({ webContents }) => webContents),
      event,
    ),
  );

  // --- what the person can start

  function openMain(conversationId: number | null): void {
    if (mainWindow.show(conversationId) === 'shown') app.emit({ event: 'windows.show', payload: { conversationId } });
  }

  /** Not asked for by a window, so a dialog reports the failure. */
  function startCapture(mode: 'region' | 'display' | 'last'): void {
    capture.start(mode).catch((error: unknown) => {
      log(error);
      void reportCapture(electron, error).catch(log);
    });
  }

  const tray = createLoupeTray({
    createTray: () =>
      new Tray(join(places.icons, platform === 'darwin' ? 'trayTemplate.png' : platform === 'win32' ? 'loupe.ico' : 'tray.png')),
    buildMenu: (template) => Menu.buildFromTemplate(template),
    platform,
    actions: {
      ask: () => startCapture('region'),
      askLast: () => startCapture('last'),
      open: () => openMain(null),
      quit: () => shell.quit(),
    },
  });
  Menu.setApplicationMenu(
    Menu.buildFromTemplate(menuTemplate(platform, shell.isPackaged, { ask: () => startCapture('region'), open: () => openMain(null) })),
  );

  // --- what follows the settings and the system

  const follow = createSettingsFollower({ electron, hotkey, log });
  followSystem(electron, {
    framesOutdated: () => void capture.cancel(),
    themeChanged: () => mainWindow.window()?.setBackgroundColor(paper(isDark())),
    activated: () => openMain(null),
  });
  if (shell.isPackaged) shell.setAsDefaultProtocolClient(scheme);

  let isClosed = false;
  shell.on(
    'before-quit',
    entry((event) => {
      if (isClosed) return;
      event.preventDefault();
      if (isQuitting) return;
      isQuitting = true;
      mainWindow.quitting();
      hotkey.release();
      void capture.cancel();
      capture.stopCopying();
      quick.destroy();
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

  follow(store.settings());
  tray.update(hotkey.state());
  void app.handlers['engine.load']({});
  log(`Loupe ${version} started on ${platform} with Electron ${process.versions['electron']}`);

  function act(intent: Intent): void {
    switch (intent.kind) {
      case 'show':
        return openMain(intent.conversationId);
      case 'capture':
        return startCapture(intent.mode);
      case 'hidden':
        return;
      default:
        return intent satisfies never;
    }
  }
  return { act, startMinimised: store.settings().startMinimised };
}

/** Null for what is not there or no JSON. */
async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => 'null');
  return JSON.parse(text);
}

function readVersion(root: string): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}
