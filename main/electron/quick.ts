/** The quick-ask window: frameless, beside the crop, and kept when it is closed, so that it opens at once the next time. */
import type { BrowserWindow, BrowserWindowConstructorOptions } from 'electron';
import { openQuickAsk, quickAskHeight, quickAskWidth, type Rect, type Size } from '../services/capture/geometry.ts';
import { entry } from './entries.ts';
import { pageUrl, paper, webPreferences } from './options.ts';
import { createSignal, type Signal } from './signal.ts';

export interface QuickParts {
  createWindow: (options: BrowserWindowConstructorOptions) => BrowserWindow;
  platform: NodeJS.Platform;
  preload: string;
  isDark: () => boolean;
}

/** DIP. */
const leastHeight = 200;

export interface QuickAsk {
  /** Makes it ahead, hidden. */
  prepare(): void;
  /** Beside this part of the screen, inside this work area, both DIP; for a picture of this size. */
  open(crop: Rect, workArea: Rect, picture: Size): void;
  /** As high as this, as far as there is room below; its upper edge stays, so that nothing moves under the pointer. DIP. */
  grow(height: number): void;
  /** Out of the way, as while the screen is frozen. */
  hide(): void;
  /** As it was before `hide`. */
  reveal(): void;
  /** What closing means: it is hidden, and ready for the next capture. */
  dismiss(): void;
  isVisible(): boolean;
  owns(contentsId: number): boolean;
  destroy(): void;
  onClosed: Signal['on'];
}

export function createQuick({ createWindow, platform, preload, isDark }: QuickParts): QuickAsk {
  const closed = createSignal();
  let window: BrowserWindow | null = null;
  /** Its page has painted. */
  let isReady = false;
  /** Where it opens once its page is ready; null: nobody has asked for it. */
  let wanted: Rect | null = null;
  /** How high it may grow where it is. */
  let most = 0;

  function create(bounds: Rect): BrowserWindow {
    const created = createWindow(quickOptions(bounds, platform, preload, isDark()));
    isReady = false;
    created.setAlwaysOnTop(true, 'floating');
    // From outside: Alt+F4, a window list. It means what the page's own button means. What ends the app destroys the window.
    created.on(
      'close',
      entry((event) => {
        event.preventDefault();
        dismiss();
      }),
    );
    if (platform === 'darwin') created.setVisibleOnAllWorkspaces(true, { visibleOnFullScreen: true, skipTransformProcessType: true });
    created.once(
      'closed',
      entry(() => {
        if (window === created) window = null;
        closed.emit();
      }),
    );
    // A page that died is not worth keeping: the next capture opens a new one.
    created.webContents.once(
      'render-process-gone',
      entry(() => created.destroy()),
    );
    created.once(
      'ready-to-show',
      entry(() => {
        isReady = true;
        if (wanted) show(created, wanted);
      }),
    );
    void created.loadURL(pageUrl({ view: 'quick' })).catch(() => created.destroy());
    return created;
  }

  function show(shown: BrowserWindow, bounds: Rect): void {
    wanted = null;
    shown.setBounds(bounds);
    shown.show();
    // Again: on the way to a display of another scale the size changes.
    shown.setBounds(bounds);
    shown.focus();
  }

  function dismiss(): void {
    wanted = null;
    window?.hide();
    closed.emit();
  }

  return {
    prepare() {
      window ??= create({ x: 0, y: 0, width: quickAskWidth, height: leastHeight });
    },
    open(crop, workArea, picture) {
      const place = openQuickAsk(crop, workArea, quickAskHeight(picture));
      wanted = place.bounds;
      most = place.most;
      if (!window) window = create(place.bounds);
      else if (isReady) show(window, place.bounds);
    },
    grow(height) {
      if (wanted) {
        wanted = { ...wanted, height: Math.max(wanted.height, Math.min(height, most)) };
        return;
      }
      if (!window?.isVisible()) return;
      const bounds = window.getBounds();
      // A person may have moved it, or made it higher.
      const next = Math.min(height, most);
      if (next > bounds.height) window.setBounds({ ...bounds, height: next });
    },
    hide: () => window?.hide(),
    reveal: () => window?.show(),
    dismiss,
    isVisible: () => window?.isVisible() ?? false,
    owns: (contentsId) => window?.webContents.id === contentsId,
    destroy: () => window?.destroy(),
    onClosed: closed.on,
  };
}

export function quickOptions(bounds: Rect, platform: NodeJS.Platform, preload: string, dark: boolean): BrowserWindowConstructorOptions {
  return {
    ...bounds,
    show: false,
    frame: false,
    ...(platform === 'darwin' ? { type: 'panel' } : {}),
    resizable: true,
    minWidth: Math.min(quickAskWidth, bounds.width),
    minHeight: Math.min(leastHeight, bounds.height),
    minimizable: false,
    maximizable: false,
    fullscreenable: false,
    skipTaskbar: true,
    alwaysOnTop: true,
    backgroundColor: paper(dark),
    webPreferences: webPreferences(preload),
  };
}
