/**
 * The frozen screen: one frameless window per display, above everything. They come and go
 * together, and nothing can make them stay: Esc works even when no window has the keyboard (but
 * under Wayland, where keys belong to windows), and whatever ends one of them ends all.
 */
import type { BrowserWindow, BrowserWindowConstructorOptions, GlobalShortcut, NativeImage } from 'electron';
import type { ScreenDisplay } from '../services/capture/geometry.ts';
import { answer, entry } from './entries.ts';
import { pageUrl, paper, webPreferences } from './options.ts';
import { createSignal, type Signal } from './signal.ts';

export interface OverlayParts {
  createWindow: (options: BrowserWindowConstructorOptions) => BrowserWindow;
  globalShortcut: Pick<GlobalShortcut, 'register' | 'unregister'>;
  platform: NodeJS.Platform;
  wayland: boolean;
  preload: string;
}

/** For a page that never answers. On a busy machine a picture takes a second; before it is drawn there is nothing to see. */
const drawingPatienceMs = 4000;
/** Between two attempts to look at a page that has nothing to show yet. */
const lookAgainMs = 10;

export interface Overlays {
  /** From here on Esc cancels, whichever window has the keyboard. */
  begin(): void;
  /** The display under the pointer gets the keyboard. */
  open(displays: readonly ScreenDisplay[], focused: ScreenDisplay | null): void;
  /** The page of this display has drawn its frame, or why it cannot; before that a window would be a dark flash. */
  show(displayId: string): void;
  /** In front of everything again, with the keyboard. */
  raise(): void;
  close(): void;
  /** Esc, a window closed from outside, a page that died. Not after `close`. */
  onCancel: Signal['on'];
}

export function createOverlays({ createWindow, globalShortcut, platform, wayland, preload }: OverlayParts): Overlays {
  const cancelled = createSignal();
  let windows: BrowserWindow[] = [];
  let shows = new Map<string, () => void>();
  let front: BrowserWindow | null = null;
  /** From `begin` to `close`. */
  let isBegun = false;

  /** For windows and keys alike: after `close` they say nothing. */
  function cancel(): void {
    if (isBegun) cancelled.emit();
  }

  /** Wayland's portal would ask the person whether Loupe may have Esc. */
  function begin(): void {
    isBegun = true;
    if (!wayland) globalShortcut.register('Escape', entry(cancel));
  }

  function openOne(display: ScreenDisplay, focused: boolean): BrowserWindow {
    const window = createWindow(overlayOptions(display, platform, preload));
    window.setAlwaysOnTop(true, 'screen-saver');
    if (platform === 'darwin') window.setVisibleOnAllWorkspaces(true, { visibleOnFullScreen: true, skipTransformProcessType: true });
    // Created on one display and moved to another of a different scale, a window has the wrong size until it is set again.
    window.setBounds(display.bounds);
    let isShown = false;
    const show = (): void => {
      if (isShown || window.isDestroyed()) return;
      isShown = true;
      // Linux window managers keep other windows off panels. Here rather than as an option of the new window, because it shows
      // the window; and before `show`, because a window that changes its size has an empty frame on the way.
      if (platform === 'linux') window.setFullScreen(true);
      if (focused) window.show();
      else window.showInactive();
      window.setBounds(display.bounds);
      if (focused) window.focus();
    };
    if (focused) front = window;
    let hasDrawn = false;
    shows.set(display.id, () => {
      hasDrawn = true;
    });
    void showDrawn(window, { isShown: () => isShown, hasDrawn: () => hasDrawn, show });
    // Whatever is wrong then has to be seen.
    setTimeout(show, drawingPatienceMs);
    // Of a window that was closed on purpose, late news means nothing to the next capture.
    const gone = (): void => {
      if (windows.includes(window)) cancel();
    };
    window.once('closed', entry(gone));
    window.webContents.once('render-process-gone', entry(gone));
    window.webContents.on(
      'before-input-event',
      entry((event, input) => {
        if (input.type !== 'keyDown' || input.key !== 'Escape') return;
        event.preventDefault();
        gone();
      }),
    );
    void window.loadURL(pageUrl({ view: 'overlay', display: display.id })).catch(gone);
    return window;
  }

  return {
    begin,
    open(displays, focused) {
      windows = displays.map((display) => openOne(display, display === focused || displays.length === 1));
    },
    show: (displayId) => shows.get(displayId)?.(),
    raise() {
      for (const window of windows) if (window.isVisible()) window.moveTop();
      if (front?.isVisible()) front.focus();
    },
    close() {
      if (isBegun && !wayland) globalShortcut.unregister('Escape');
      // First: closing must not look like a cancel.
      isBegun = false;
      const open = windows;
      windows = [];
      shows = new Map();
      front = null;
      for (const window of open) if (!window.isDestroyed()) window.destroy();
    },
    onCancel: cancelled.on,
  };
}

interface Showing {
  isShown: () => boolean;
  /** What the page says. */
  hasDrawn: () => boolean;
  show: () => void;
}

/**
 * The page of a hidden window has no frames, unless it is looked at. So it is looked at until it says that it has drawn and
 * its mark is gone from what is seen: the page draws a mark in its corner until then, because a frame comes some time after
 * the page has said so, and the first one on the screen would be an older one.
 */
async function showDrawn(window: BrowserWindow, { isShown, hasDrawn, show }: Showing): Promise<void> {
  const look = async (): Promise<{ said: boolean; seen: NativeImage | null }> => {
    const said = hasDrawn();
    return { said, seen: await answer(window.webContents.capturePage({ x: 0, y: 0, width: 1, height: 1 })).catch(() => null) };
  };
  let looking = look();
  while (!isShown() && !window.isDestroyed()) {
    // Begun before the other ends: a page that is not looked at for a moment falls asleep, and comes to the screen without a frame.
    const next = look();
    const { said, seen } = await looking;
    looking = next;
    if (isShown() || window.isDestroyed()) return;
    if (said && !(seen && isMark(seen))) show();
    else if (!seen) await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
}

/** The colour of CaptureOverlay.svelte's mark, which no darkened picture has. Bytes are blue, green, red. */
function isMark(seen: NativeImage): boolean {
  const [blue = 0, green = 0, red = 0] = seen.toBitmap();
  return red > 200 && green < 60 && blue > 200;
}

export function overlayOptions(
  { bounds }: Pick<ScreenDisplay, 'bounds'>,
  platform: NodeJS.Platform,
  preload: string,
): BrowserWindowConstructorOptions {
  return {
    x: bounds.x,
    y: bounds.y,
    width: bounds.width,
    height: bounds.height,
    show: false,
    frame: false,
    // No kiosk anywhere: the person can always switch away.
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
