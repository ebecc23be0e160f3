/** The overlay of one display: a window that is made ahead, hidden until its page has drawn a frozen picture, and then hidden again. */
import type { BrowserWindow, BrowserWindowConstructorOptions, NativeImage } from 'electron';
import type { Display } from '../contract.ts';
import type { ScreenDisplay } from '../services/capture/geometry.ts';
import { answer, entry } from './entries.ts';
import { broadcast } from './ipc.ts';
import { pageUrl, paper, webPreferences } from './options.ts';

/** A busy machine takes a second or two. A page that has drawn nothing after this has come to grief. */
const drawingPatienceMs = 15_000;
/** Between two looks at a page. */
const lookAgainMs = 5;
/** A look takes a few frames. */
const lookPatienceMs = 1000;

export interface OverlayWindowParts {
  createWindow: (options: BrowserWindowConstructorOptions) => BrowserWindow;
  platform: NodeJS.Platform;
  preload: string;
}

export interface OverlayWindow {
  /** Whether it can show this display: it covers just that. */
  fits(display: ScreenDisplay): boolean;
  /** Nothing of a capture before is left in its page, as far as could be seen. */
  isEmpty(): boolean;
  /** Shows the picture as soon as it is drawn. */
  open(page: Display, hasKeyboard: boolean): void;
  /** The page says that it has drawn. */
  drawn(): void;
  /** From `open` to `close`. */
  isOpen(): boolean;
  /** Its page puts away what is in the hand there. */
  back(): void;
  raise(): void;
  focus(): void;
  /** Hidden at once; the page lets go of the picture. */
  close(): void;
  destroy(): void;
  owns(contentsId: number): boolean;
}

export interface OverlayNews {
  /** Closed from outside, or its page died. Not after `destroy`. */
  gone: () => void;
  /** Whether it is empty cannot be seen: it is of no use any more. */
  blind: () => void;
  /** Esc. */
  escaped: () => void;
  /** It is open, and its page does not draw. */
  stuck: () => void;
  drawn: () => void;
  shown: () => void;
}

/** From `open` to `close`. */
interface Opening {
  /** What the page says. */
  drawn: PromiseWithResolvers<void>;
  isShown: boolean;
  patience: NodeJS.Timeout;
}

export function createOverlayWindow(
  { createWindow, platform, preload }: OverlayWindowParts,
  display: ScreenDisplay,
  news: OverlayNews,
): OverlayWindow {
  const window = createWindow(overlayOptions(display, platform, preload));
  let opening: Opening | null = null;
  /** Until the page is seen to be empty: no frame of the capture before may come to the screen with the next one. */
  let isEmpty = true;
  let isDestroyed = false;

  window.setAlwaysOnTop(true, 'screen-saver');
  if (platform === 'darwin') window.setVisibleOnAllWorkspaces(true, { visibleOnFullScreen: true, skipTransformProcessType: true });
  // Created on one display and moved to another of a different scale, a window has the wrong size until it is set again.
  window.setBounds(display.bounds);
  window.once('closed', entry(gone));
  window.webContents.once('render-process-gone', entry(gone));
  window.webContents.on(
    'before-input-event',
    entry((event, input) => {
      if (input.type !== 'keyDown' || input.key !== 'Escape') return;
      event.preventDefault();
      news.escaped();
    }),
  );
  void window.loadURL(pageUrl({ view: 'overlay', display: display.id })).catch(gone);

  function gone(): void {
    if (isDestroyed) return;
    // Before what follows asks whether it is open.
    news.gone();
    destroy();
  }

  function destroy(): void {
    isDestroyed = true;
    if (opening) clearTimeout(opening.patience);
    opening = null;
    if (!window.isDestroyed()) window.destroy();
  }

  function tell(page: Display | null): void {
    broadcast([window.webContents], { event: 'capture.frozen', payload: page });
  }

  function show(hasKeyboard: boolean): void {
    // Linux window managers keep other windows off panels. Here rather than as an option of the new window, because it shows
    // the window; and before `show`, because a window that changes its size has an empty frame on the way.
    if (platform === 'linux') window.setFullScreen(true);
    if (hasKeyboard) window.show();
    else window.showInactive();
    window.setBounds(display.bounds);
    if (hasKeyboard) window.focus();
  }

  /**
   * A frame comes some time after the page has said that it has drawn, and the first one on the screen would be an older one. So the
   * page, while it is empty, has a mark in its corner, and is looked at until that is gone.
   */
  async function showDrawn(ours: Opening, page: Display, hasKeyboard: boolean): Promise<void> {
    const isOver = (): boolean => opening !== ours;
    tell(page);
    await ours.drawn.promise;
    if ((await lookUntil(window, (seen) => !isMark(seen), isOver)) === 'over') return;
    clearTimeout(ours.patience);
    ours.isShown = true;
    show(hasKeyboard);
    news.shown();
  }

  async function empty(): Promise<void> {
    isEmpty = false;
    tell(null);
    const seen = await lookUntil(window, isMark, () => isDestroyed);
    isEmpty = seen === 'found';
    if (seen === 'blind') news.blind();
  }

  return {
    fits: ({ bounds: { x, y, width, height }, scaleFactor }) =>
      display.bounds.x === x &&
      display.bounds.y === y &&
      display.bounds.width === width &&
      display.bounds.height === height &&
      display.scaleFactor === scaleFactor,
    open(page, hasKeyboard) {
      const ours: Opening = { drawn: Promise.withResolvers(), isShown: false, patience: setTimeout(news.stuck, drawingPatienceMs) };
      opening = ours;
      void showDrawn(ours, page, hasKeyboard);
    },
    drawn() {
      if (!opening) return;
      opening.drawn.resolve();
      news.drawn();
    },
    isEmpty: () => isEmpty,
    isOpen: () => opening !== null,
    back: () => broadcast([window.webContents], { event: 'capture.back', payload: null }),
    raise() {
      if (opening?.isShown) window.moveTop();
    },
    focus() {
      if (opening?.isShown) window.focus();
    },
    close() {
      if (!opening) return;
      clearTimeout(opening.patience);
      opening = null;
      window.hide();
      void empty();
    },
    destroy,
    owns: (contentsId) => !window.isDestroyed() && window.webContents.id === contentsId,
  };
}

/**
 * Looks at one pixel of a page until it is as wanted (`found`), or until it is over. `blind`: the look was not answered. A hidden
 * window is drawn no longer once the window manager has died; what its page has drawn comes to the screen with it.
 */
async function lookUntil(
  window: BrowserWindow,
  wanted: (seen: NativeImage) => boolean,
  isOver: () => boolean,
): Promise<'found' | 'over' | 'blind'> {
  while (!isOver() && !window.isDestroyed()) {
    const seen = await Promise.race([
      answer(window.webContents.capturePage({ x: 0, y: 0, width: 1, height: 1 })).catch(() => null),
      new Promise<'blind'>((resolve) => setTimeout(resolve, lookPatienceMs, 'blind')),
    ]);
    if (isOver() || window.isDestroyed()) return 'over';
    if (seen === 'blind') return 'blind';
    if (seen && !seen.isEmpty() && wanted(seen)) return 'found';
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
  return 'over';
}

/** The colour of the mark of Overlay.svelte, which no darkened picture has. Bytes are blue, green, red. */
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
    // Its page is drawn while it is hidden, and only then shown. Nothing in it moves, so that this costs nothing.
    webPreferences: { ...webPreferences(preload), backgroundThrottling: false },
  };
}
