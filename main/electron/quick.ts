/** The quick-ask window: frameless, beside the crop, and kept when it is closed, so that it opens at once the next time. */
import type { BrowserWindow, BrowserWindowConstructorOptions } from 'electron';
import { placeQuickAsk, quickAskWidth, type Rect } from '../services/capture/geometry.ts';
import { entry } from './entries.ts';
import { pageUrl, paper, webPreferences } from './options.ts';
import { createSignal, type Signal } from './signal.ts';

export interface QuickParts {
  createWindow: (options: BrowserWindowConstructorOptions) => BrowserWindow;
  platform: NodeJS.Platform;
  preload: string;
  isDark: () => boolean;
}

export interface QuickAsk {
  /** Beside this part of the screen, inside this work area, both DIP. */
  open(crop: Rect, workArea: Rect): void;
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

/** As high as a short answer needs; longer ones scroll. DIP. */
const height = 560;

export function createQuick({ createWindow, platform, preload, isDark }: QuickParts): QuickAsk {
  const closed = createSignal();
  let window: BrowserWindow | null = null;

  function create(bounds: Rect): BrowserWindow {
    const created = createWindow(quickOptions(bounds, platform, preload, isDark()));
    created.setAlwaysOnTop(true, 'floating');
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
      entry(() => show(created, bounds)),
    );
    void created.loadURL(pageUrl({ view: 'quick' })).catch(() => created.destroy());
    return created;
  }

  function show(shown: BrowserWindow, bounds: Rect): void {
    shown.setBounds(bounds);
    shown.show();
    // Again: on the way to a display of another scale the size changes.
    shown.setBounds(bounds);
    shown.focus();
  }

  return {
    open(crop, workArea) {
      const bounds = placeQuickAsk(crop, workArea, { width: quickAskWidth, height });
      if (window) show(window, bounds);
      else window = create(bounds);
    },
    hide: () => window?.hide(),
    reveal: () => window?.show(),
    dismiss() {
      window?.hide();
      closed.emit();
    },
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
    minHeight: Math.min(240, bounds.height),
    minimizable: false,
    maximizable: false,
    fullscreenable: false,
    skipTaskbar: true,
    alwaysOnTop: true,
    backgroundColor: paper(dark),
    webPreferences: webPreferences(preload),
  };
}
