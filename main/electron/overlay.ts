/**
 * The frozen screen: one frameless window per display, above everything. They come and go
 * together, and nothing can make them stay: Esc works even when no window has the keyboard (but
 * under Wayland, where keys belong to windows), and whatever ends one of them ends all.
 */
import type { BrowserWindow, BrowserWindowConstructorOptions, GlobalShortcut } from 'electron';
import type { ScreenDisplay } from '../services/capture/geometry.ts';
import { pageUrl, paper, webPreferences } from './options.ts';

export interface OverlayParts {
  createWindow: (options: BrowserWindowConstructorOptions) => BrowserWindow;
  globalShortcut: Pick<GlobalShortcut, 'register' | 'unregister'>;
  platform: NodeJS.Platform;
  wayland: boolean;
  preload: string;
  /** Esc, a window closed from outside, a page that died. Not after `close`. */
  onCancel: () => void;
}

/** A frame is drawn in a tenth of this. */
const drawingPatienceMs = 1000;

export interface Overlays {
  /** The display under the pointer gets the keyboard. */
  open(displays: readonly ScreenDisplay[], focused: ScreenDisplay | null): void;
  /** The page of this display has drawn its frame; before that a window would be a dark flash. */
  show(displayId: string): void;
  close(): void;
}

export function createOverlays({ createWindow, globalShortcut, platform, wayland, preload, onCancel }: OverlayParts): Overlays {
  let windows: BrowserWindow[] = [];
  let shows = new Map<string, () => void>();

  function cancel(): void {
    if (windows.length > 0) onCancel();
  }

  function openOne(display: ScreenDisplay, focused: boolean): BrowserWindow {
    const window = createWindow(overlayOptions(display, platform, preload));
    window.setAlwaysOnTop(true, 'screen-saver');
    if (platform === 'darwin') window.setVisibleOnAllWorkspaces(true, { visibleOnFullScreen: true, skipTransformProcessType: true });
    // Created on one display and moved to another of a different scale, a window has the wrong size until it is told again.
    window.setBounds(display.bounds);
    let isShown = false;
    const show = (): void => {
      if (isShown || window.isDestroyed()) return;
      isShown = true;
      if (focused) window.show();
      else window.showInactive();
      window.setBounds(display.bounds);
      if (focused) window.focus();
    };
    shows.set(display.id, show);
    // A page that cannot draw its frame says why, and has to be seen.
    setTimeout(show, drawingPatienceMs);
    window.once('closed', cancel);
    window.webContents.once('render-process-gone', cancel);
    window.webContents.on('before-input-event', (event, input) => {
      if (input.type !== 'keyDown' || input.key !== 'Escape') return;
      event.preventDefault();
      cancel();
    });
    void window.loadURL(pageUrl({ view: 'overlay', display: display.id })).catch(cancel);
    return window;
  }

  function close(): void {
    const open = windows;
    // Emptied first: closing must not look like a cancel.
    windows = [];
    shows = new Map();
    if (open.length > 0 && !wayland) globalShortcut.unregister('Escape');
    for (const window of open) if (!window.isDestroyed()) window.destroy();
  }

  return {
    open(displays, focused) {
      close();
      windows = displays.map((display) => openOne(display, display === focused || displays.length === 1));
      // Wayland's portal would ask the person whether Loupe may have Esc.
      if (!wayland) globalShortcut.register('Escape', cancel);
    },
    show: (displayId) => shows.get(displayId)?.(),
    close,
  };
}

export function overlayOptions({ bounds }: Pick<ScreenDisplay, 'bounds'>, platform: NodeJS.Platform, preload: string): BrowserWindowConstructorOptions {
  return {
    x: bounds.x,
    y: bounds.y,
    width: bounds.width,
    height: bounds.height,
    show: false,
    frame: false,
    // Linux window managers keep other windows off panels. No kiosk anywhere: the person can always switch away.
    fullscreen: platform === 'linux',
    fullscreenable: platform === 'linux',
    ...(platform === 'darwin' ? { type: 'panel' } : {}),
    resizable: false,
    movable: false,
    minimizable: false,
    maximizable: false,
    skipTaskbar: true,
    hasShadow: false,
    thickFrame: false,
    roundedCorners: false,
    enableLargerThanScreen: true,
    acceptFirstMouse: true,
    alwaysOnTop: true,
    backgroundColor: paper(true),
    webPreferences: webPreferences(preload),
  };
}
