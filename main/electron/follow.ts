/** What follows the settings, and what the system reports. */
import type { Settings } from '../contract.ts';
import type { Log } from '../host/log.ts';
import type { ElectronModule } from './electron-module.ts';
import { setAutostart } from './autostart.ts';
import { configHome } from './desktop.ts';
import { entry } from './entries.ts';
import type { Hotkeys } from './hotkeys.ts';
import { outdatesFrames } from './screen.ts';

interface FollowerOptions {
  electron: ElectronModule;
  hotkeys: Pick<Hotkeys, 'want'>;
  log: Log;
}

/** Returns a function that applies settings to hotkeys, theme and autostart. */
export function createSettingsFollower({ electron: { app, nativeTheme }, hotkeys, log }: FollowerOptions): (settings: Settings) => void {
  let autostart: boolean | null = null;
  return (settings) => {
    hotkeys.want(settings);
    nativeTheme.themeSource = settings.theme;
    // A checkout does not start itself with the session.
    if (!app.isPackaged || settings.autostart === autostart) return;
    autostart = settings.autostart;
    try {
      setAutostart(autostart, {
        app,
        platform: process.platform,
        executable: process.env['APPIMAGE'] ?? process.execPath,
        configHome: configHome(process.env),
      });
    } catch (error) {
      log(error);
    }
  };
}

interface SystemListeners {
  /** Displays changed, or the person left: a frozen screen is no longer what is there. */
  framesOutdated: () => void;
  /** After that: displays came, went, or lie elsewhere. */
  displaysChanged: () => void;
  /** Nobody sits here any more: the screen is locked, or the computer sleeps. */
  left: () => void;
  themeChanged: () => void;
  /** On a Mac: the icon in the dock was clicked. */
  activated: () => void;
}

export function followSystem(
  { app, nativeTheme, powerMonitor, screen }: ElectronModule,
  { framesOutdated, displaysChanged, left, themeChanged, activated }: SystemListeners,
): void {
  const changed = (): void => {
    framesOutdated();
    displaysChanged();
  };
  screen.on('display-added', entry(changed));
  screen.on('display-removed', entry(changed));
  screen.on(
    'display-metrics-changed',
    entry((_event, _display, metrics) => {
      if (outdatesFrames(metrics)) changed();
    }),
  );
  const leave = (): void => {
    framesOutdated();
    left();
  };
  powerMonitor.on('suspend', entry(leave));
  powerMonitor.on('lock-screen', entry(leave));
  nativeTheme.on('updated', entry(themeChanged));
  app.on('activate', entry(activated));
}
