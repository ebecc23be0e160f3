/** Every window of the desktop app, what they are made of, and the hotkeys. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../host/log.ts';
import type { ElectronModule } from './electron-module.ts';
import { savePicture } from './context-menu.ts';
import { offerReload } from './dialogs.ts';
import { mayHaveScreenCast } from './desktop.ts';
import { createCaptureTimes, type CaptureTimes } from './capture-times.ts';
import { createHotkeys, type Hotkeys } from './hotkeys.ts';
import { createNotice, type Notice } from './notice.ts';
import { createOverlays, type Overlays } from './overlay.ts';
import { createPins, type Pins } from './pins.ts';
import type { Places } from './places.ts';
import { createQuick, type QuickAsk } from './quick.ts';
import type { Remembered } from './remembered.ts';
import { createScreen, type ScreenAccess } from './screen.ts';
import { createSignal, type Signal } from './signal.ts';
import { createMainWindow, type MainWindow } from './window.ts';
import { words } from './words.ts';
import { xWindows } from './x11/windows.ts';

/** How long windows take to be gone from the screen after they were hidden, ms. */
const vanishMs = 150;
/** An X server answers within a few milliseconds; nobody waits for one that does not. */
const windowsPatienceMs = 400;

export interface WindowsParts {
  electron: ElectronModule;
  places: Places;
  remembered: Remembered;
  isKept: (conversationId: number) => boolean;
  log: Log;
  wayland: boolean;
  /** Wayland only: the desktop has the GlobalShortcuts portal. */
  portal: boolean;
  /** Closing the main window hides it. */
  closesToTray: () => boolean;
  onHidden: () => void;
}

export interface Windows {
  main: MainWindow;
  quick: QuickAsk;
  notice: Notice;
  pins: Pins;
  /** A picture that has no file: asks where to, and says what goes wrong. */
  savePicture: (png: Uint8Array) => void;
  overlays: Overlays;
  times: CaptureTimes;
  hotkeys: Hotkeys;
  screen: ScreenAccess;
  isDark: () => boolean;
  /** Takes our own windows out of the way; returns a function that brings them back. */
  hide: () => Promise<() => void>;
  onMainOpened: Signal['on'];
  onMainClosed: Signal['on'];
}

export function createWindows({
  electron,
  places,
  remembered,
  isKept,
  log,
  wayland,
  portal,
  closesToTray,
  onHidden,
}: WindowsParts): Windows {
  const { BrowserWindow, desktopCapturer, globalShortcut, nativeTheme, systemPreferences } = electron;
  const { platform } = process;
  const { preload } = places;
  const createWindow = (options: Electron.BrowserWindowConstructorOptions): Electron.BrowserWindow => new BrowserWindow(options);
  const icon = join(places.icons, '256x256.png');
  const isDark = (): boolean => nativeTheme.shouldUseDarkColors;
  const shared = { createWindow, platform, preload, isDark };
  const mainOpened = createSignal();
  const mainClosed = createSignal();

  const screen = createScreen({
    screen: electron.screen,
    desktopCapturer,
    systemPreferences,
    platform,
    wayland,
    // Windows and macOS tell only those who call them by native code.
    findWindows: async () => (platform === 'linux' && !wayland ? xWindows(process.env, windowsPatienceMs) : []),
    mayShare: mayHaveScreenCast,
  });
  const main = createMainWindow({
    ...shared,
    icon,
    displays: screen.displays,
    primaryWorkArea: () => electron.screen.getPrimaryDisplay().workArea,
    remembered,
    isKept,
    closesToTray,
    onHidden,
    onPageGone: (repeatedly) => {
      log(repeatedly ? 'the page of the main window ended repeatedly' : 'the page of the main window ended and is loaded again');
      if (repeatedly) offerReload(electron, () => main.window()?.reload()).catch(log);
    },
    onOpened: mainOpened.emit,
    onClosed: mainClosed.emit,
  });
  const quick = createQuick(shared);

  const save = (png: Uint8Array): void =>
    savePicture(electron, () => ({ bytes: png, mediaType: 'image/png', name: words.capture.pictureName }), log);

  async function hide(): Promise<() => void> {
    const hidMain = main.isFocused();
    const hidQuick = quick.isVisible();
    if (hidMain) main.hide();
    if (hidQuick) quick.hide();
    if (hidMain || hidQuick) await sleep(vanishMs);
    return () => {
      if (hidMain) main.comeBack();
      if (hidQuick) quick.reveal();
    };
  }

  return {
    main,
    quick,
    notice: createNotice(shared),
    pins: createPins({
      ...shared,
      icon,
      displays: screen.displays,
      savePicture: save,
      popUp: (template, window) => electron.Menu.buildFromTemplate(template).popup({ window }),
    }),
    savePicture: save,
    overlays: createOverlays({ createWindow, globalShortcut, platform, wayland, preload }),
    times: createCaptureTimes(log),
    hotkeys: createHotkeys({ globalShortcut, platform, wayland, portal }),
    screen,
    isDark,
    hide,
    onMainOpened: mainOpened.on,
    onMainClosed: mainClosed.on,
  };
}
