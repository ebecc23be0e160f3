/** The main window: where it was, in the colour that it will have, closed into the tray, and reloaded when its page dies. */
import type { BrowserWindow, BrowserWindowConstructorOptions } from 'electron';
import { restoreWindow, type Rect, type ScreenDisplay } from '../services/capture/geometry.ts';
import { entry } from './entries.ts';
import { pageUrl, paper, shownConversation, webPreferences } from './options.ts';
import type { Remembered } from './remembered.ts';

const usual = { width: 1180, height: 800 };
/** Below this the panes no longer fit. */
const least = { width: 480, height: 400 };

export interface MainWindowParts {
  createWindow: (options: BrowserWindowConstructorOptions) => BrowserWindow;
  platform: NodeJS.Platform;
  preload: string;
  icon: string;
  isDark: () => boolean;
  displays: () => readonly ScreenDisplay[];
  primaryWorkArea: () => Rect;
  remembered: Remembered;
  /** A conversation of this number can be opened. */
  isKept: (conversationId: number) => boolean;
  /** Closing hides: the app goes on in the tray. */
  closesToTray: () => boolean;
  /** It was, by closing. */
  onHidden: () => void;
  /** The page died; `repeatedly` when reloading does not help. */
  onPageGone: (repeatedly: boolean) => void;
  /** It is on the screen for the first time. */
  onOpened: () => void;
  onClosed: () => void;
}

export interface MainWindow {
  /** Opens it at a conversation or where it was closed, or brings it to the front as it is. */
  show(conversationId: number | null): 'opened' | 'shown';
  /** On the screen, and marked as one that wants something; the keyboard stays where it is. */
  callAttention(): void;
  hide(): void;
  /**
   * With the keyboard: shown without it, a window that was hidden hears no key until it is clicked,
   * whatever the window manager says (X11).
   */
  comeBack(): void;
  /** On the screen with the keyboard. */
  isFocused(): boolean;
  /** Null while it was never opened, or is closed. */
  window(): BrowserWindow | null;
  /** Its next close is meant. */
  quitting(): void;
}

/** A page that dies more often than this within `crashWindowMs` is not loaded again by itself. */
const crashesTolerated = 3;
const crashWindowMs = 60_000;

export function createMainWindow(parts: MainWindowParts): MainWindow {
  const { createWindow, remembered, isKept, closesToTray, onHidden, onPageGone, onOpened, onClosed } = parts;
  let window: BrowserWindow | null = null;
  let isQuitting = false;
  let crashes: number[] = [];

  function remember(closing: BrowserWindow): void {
    const conversationId = shownConversation(closing.webContents.getURL());
    remembered.set({ window: { bounds: closing.getNormalBounds(), maximized: closing.isMaximized() }, conversationId });
  }

  /** Where it was closed, unless that is gone, as private conversations are. */
  function lastConversation(): number | null {
    const { conversationId } = remembered.get();
    return conversationId !== null && isKept(conversationId) ? conversationId : null;
  }

  function create(conversationId: number | null, withKeyboard = true): BrowserWindow {
    const saved = remembered.get().window;
    const created = createWindow(mainOptions(parts));
    created.once(
      'ready-to-show',
      entry(() => {
        if (saved?.maximized) created.maximize();
        if (withKeyboard) created.show();
        else created.showInactive();
        onOpened();
      }),
    );
    created.on(
      'close',
      entry((event) => {
        remember(created);
        if (isQuitting || !closesToTray()) return;
        event.preventDefault();
        created.hide();
        onHidden();
      }),
    );
    created.once(
      'closed',
      entry(() => {
        if (window === created) window = null;
        onClosed();
      }),
    );
    created.webContents.on(
      'render-process-gone',
      entry((_event, { reason }) => {
        if (reason === 'clean-exit') return;
        const now = Date.now();
        crashes = [...crashes.filter((time) => now - time < crashWindowMs), now];
        const repeatedly = crashes.length > crashesTolerated;
        onPageGone(repeatedly);
        if (!repeatedly) created.reload();
      }),
    );
    void created.loadURL(pageUrl({ view: 'main', conversationId: conversationId ?? lastConversation() })).catch(() => onPageGone(true));
    return created;
  }

  return {
    show(conversationId) {
      if (!window) {
        window = create(conversationId);
        return 'opened';
      }
      if (window.isMinimized()) window.restore();
      window.show();
      window.focus();
      return 'shown';
    },
    callAttention() {
      if (!window) {
        window = create(null, false);
        return;
      }
      if (!window.isVisible() && !window.isMinimized()) window.showInactive();
      window.flashFrame(true);
    },
    hide: () => window?.hide(),
    comeBack: () => window?.show(),
    // Hidden, it keeps the keyboard until X11 has said who has it now.
    isFocused: () => Boolean(window?.isVisible() && window.isFocused()),
    window: () => window,
    quitting: () => {
      isQuitting = true;
    },
  };
}

export function mainOptions({
  platform,
  preload,
  icon,
  isDark,
  displays,
  primaryWorkArea,
  remembered,
}: Pick<
  MainWindowParts,
  'platform' | 'preload' | 'icon' | 'isDark' | 'displays' | 'primaryWorkArea' | 'remembered'
>): BrowserWindowConstructorOptions {
  const saved = remembered.get().window?.bounds ?? null;
  return {
    ...restoreWindow(saved, displays(), primaryWorkArea(), usual, least),
    minWidth: least.width,
    minHeight: least.height,
    // Shown when the page has painted: no white flash.
    show: false,
    backgroundColor: paper(isDark()),
    autoHideMenuBar: true,
    // macOS takes the icon of the app's folder.
    ...(platform === 'darwin' ? {} : { icon }),
    webPreferences: webPreferences(preload),
  };
}
