/** A small window above everything that says what Loupe is doing for a person who is elsewhere. It never takes the keyboard. */
import type { BrowserWindow, BrowserWindowConstructorOptions } from 'electron';
import type { Rect } from '../services/capture/geometry.ts';
import { entry } from './entries.ts';
import { pageUrl, paper, webPreferences } from './options.ts';
import { createSignal, type Signal } from './signal.ts';

export interface NoticeParts {
  createWindow: (options: BrowserWindowConstructorOptions) => BrowserWindow;
  platform: NodeJS.Platform;
  preload: string;
  isDark: () => boolean;
}

export interface Notice {
  /** At the upper edge of this work area, DIP. */
  open(workArea: Rect): void;
  close(): void;
  /** Put away by the person, or its page died. Not after `close`. */
  onClosed: Signal['on'];
}

/** DIP. */
export const noticeSize = { width: 380, height: 88 };
const fromEdge = 24;

export function createNotice({ createWindow, platform, preload, isDark }: NoticeParts): Notice {
  const closed = createSignal();
  let window: BrowserWindow | null = null;

  function close(): void {
    const open = window;
    // First: closing must not look like a person's doing.
    window = null;
    open?.destroy();
  }

  return {
    open(workArea) {
      close();
      const bounds = placeNotice(workArea);
      const created = createWindow({ ...noticeOptions(platform, preload, isDark()), ...bounds });
      window = created;
      created.setAlwaysOnTop(true, 'screen-saver');
      if (platform === 'darwin') created.setVisibleOnAllWorkspaces(true, { visibleOnFullScreen: true, skipTransformProcessType: true });
      created.once(
        'closed',
        entry(() => {
          if (window !== created) return;
          window = null;
          closed.emit();
        }),
      );
      created.webContents.once(
        'render-process-gone',
        entry(() => created.destroy()),
      );
      created.once(
        'ready-to-show',
        entry(() => {
          created.setBounds(bounds);
          created.showInactive();
        }),
      );
      void created.loadURL(pageUrl({ view: 'notice' })).catch(() => created.destroy());
    },
    close,
    onClosed: closed.on,
  };
}

export function placeNotice({ x, y, width, height }: Rect): Rect {
  const own = { width: Math.min(noticeSize.width, width), height: Math.min(noticeSize.height, height) };
  return { ...own, x: Math.round(x + (width - own.width) / 2), y: Math.min(y + fromEdge, y + height - own.height) };
}

function noticeOptions(platform: NodeJS.Platform, preload: string, dark: boolean): BrowserWindowConstructorOptions {
  return {
    show: false,
    frame: false,
    ...(platform === 'darwin' ? { type: 'panel' } : {}),
    focusable: false,
    resizable: false,
    movable: false,
    minimizable: false,
    maximizable: false,
    fullscreenable: false,
    skipTaskbar: true,
    alwaysOnTop: true,
    acceptFirstMouse: true,
    backgroundColor: paper(dark),
    webPreferences: webPreferences(preload),
  };
}
