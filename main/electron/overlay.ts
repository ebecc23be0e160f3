/**
 * The frozen screen: one frameless window per display, above everything. The windows are made ahead and kept hidden, so that a capture
 * has nothing to start. They come and go together, and nothing can make them stay: Esc works even when no window has the keyboard
 * (but under Wayland, where keys belong to windows), and whatever ends one of them ends all.
 */
import type { GlobalShortcut } from 'electron';
import type { Display } from '../contract.ts';
import type { ScreenDisplay } from '../services/capture/geometry.ts';
import { entry } from './entries.ts';
import { createOverlayWindow, type OverlayWindow, type OverlayWindowParts } from './overlay-window.ts';
import { createSignal, type Signal } from './signal.ts';

export interface OverlayParts extends OverlayWindowParts {
  globalShortcut: Pick<GlobalShortcut, 'register' | 'unregister'>;
  wayland: boolean;
}

/** A frozen display, and what its page shows of it. */
export interface Shown {
  display: ScreenDisplay;
  page: Display;
}

export interface Overlays {
  /** A hidden window for each of these displays; those of displays that are gone, or lie elsewhere now, go. Not while any is open. */
  prepare(displays: readonly ScreenDisplay[]): void;
  /** From here on Esc cancels, whichever window has the keyboard, unless there is something to put away first. */
  begin(): void;
  /** Each appears once its page has drawn the picture. The display under the pointer gets the keyboard. */
  open(shown: readonly Shown[], focused: ScreenDisplay | null): void;
  /** The page of this display has drawn its frame, or why it cannot. */
  drawn(displayId: string): void;
  /** The page of this display has something in the hand, or no longer. */
  hold(displayId: string, holds: boolean): void;
  /** In front of everything again, with the keyboard. */
  raise(): void;
  /** Hidden, and emptied. */
  close(): void;
  destroy(): void;
  owns(contentsId: number): boolean;
  /** Esc, a window closed from outside, a page that died. Not after `close`. */
  onCancel: Signal['on'];
  /** A page did not draw its picture, so that none is shown: after a time that no machine takes. */
  onStuck: Signal['on'];
  /** The page of the display that gets the keyboard has drawn; its window is on the screen. */
  onDrawn: Signal['on'];
  onShown: Signal['on'];
}

export function createOverlays(parts: OverlayParts): Overlays {
  const { globalShortcut, wayland } = parts;
  const cancelled = createSignal();
  const stuck = createSignal();
  const drawn = createSignal();
  const shown = createSignal();
  /** By display. */
  const windows = new Map<string, OverlayWindow>();
  let front: OverlayWindow | null = null;
  /** From `begin` to `close`. */
  let isBegun = false;
  /** Has something in the hand, which Esc puts away first. */
  let holder: OverlayWindow | null = null;

  /** For windows and keys alike: after `close` they say nothing. */
  function cancel(): void {
    if (isBegun) cancelled.emit();
  }

  /** A page that does not answer holds up one press: the next one cancels, unless the page has said again that it has something. */
  function escape(): void {
    const held = holder;
    holder = null;
    if (isBegun && held?.isOpen()) held.back();
    else cancel();
  }

  function make(display: ScreenDisplay): OverlayWindow {
    const made = createOverlayWindow(parts, display, {
      gone: () => {
        // The next one is made when it is wanted: what ended this one may end that, too.
        if (windows.get(display.id) === made) windows.delete(display.id);
        if (made.isOpen()) cancel();
      },
      blind: () => {
        const isOurs = windows.get(display.id) === made;
        made.destroy();
        if (isOurs) make(display);
      },
      escaped: escape,
      stuck: () => {
        if (isBegun) stuck.emit();
      },
      drawn: () => {
        if (made === front) drawn.emit();
      },
      shown: () => {
        if (made === front) shown.emit();
        // A window manager may give the keyboard to the overlay that came last.
        else front?.focus();
      },
    });
    windows.set(display.id, made);
    return made;
  }

  /** The one that was made ahead, where it still fits. A capture needs one that is empty. */
  function windowOf(display: ScreenDisplay, toOpen: boolean): OverlayWindow {
    const ready = windows.get(display.id);
    if (ready?.fits(display) && (ready.isEmpty() || !toOpen)) return ready;
    windows.delete(display.id);
    ready?.destroy();
    return make(display);
  }

  return {
    prepare(displays) {
      if (isBegun) return;
      for (const [id, window] of windows) {
        if (displays.some((display) => display.id === id)) continue;
        windows.delete(id);
        window.destroy();
      }
      for (const display of displays) windowOf(display, false);
    },
    begin() {
      isBegun = true;
      holder = null;
      // Wayland's portal would ask the person whether Loupe may have Esc.
      if (!wayland) globalShortcut.register('Escape', entry(escape));
    },
    open(all, focused) {
      const opened = all.map(({ display, page }) => ({
        window: windowOf(display, true),
        page,
        hasKeyboard: display === focused || all.length === 1,
      }));
      front = opened.find(({ hasKeyboard }) => hasKeyboard)?.window ?? null;
      for (const { window, page, hasKeyboard } of opened) window.open(page, hasKeyboard);
    },
    drawn: (displayId) => windows.get(displayId)?.drawn(),
    hold(displayId, holds) {
      const window = windows.get(displayId) ?? null;
      if (holds) holder = window;
      else if (holder === window) holder = null;
    },
    raise() {
      for (const window of windows.values()) window.raise();
      front?.focus();
    },
    close() {
      if (isBegun && !wayland) globalShortcut.unregister('Escape');
      // First: closing must not look like a cancel.
      isBegun = false;
      front = null;
      for (const window of windows.values()) window.close();
    },
    destroy() {
      isBegun = false;
      front = null;
      const all = [...windows.values()];
      windows.clear();
      for (const window of all) window.destroy();
    },
    owns: (contentsId) => [...windows.values()].some((window) => window.owns(contentsId)),
    onCancel: cancelled.on,
    onStuck: stuck.on,
    onDrawn: drawn.on,
    onShown: shown.on,
  };
}
