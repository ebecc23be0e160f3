/** A global hotkey: registered while it is wanted, released when it is not, and tried when asked to. */
import type { GlobalShortcut } from 'electron';
import type { HotkeyState } from '../contract.ts';
import { acceleratorText, hotkeyState, validateAccelerator } from '../services/capture/hotkey.ts';
import { LoupeError } from '../errors.ts';
import { entry } from './entries.ts';
import { createSignal, type Signal } from './signal.ts';

export interface HotkeyParts {
  globalShortcut: Pick<GlobalShortcut, 'register' | 'unregister'>;
  platform: NodeJS.Platform;
  wayland: boolean;
  /** Wayland only: the desktop has the GlobalShortcuts portal. */
  portal: boolean;
}

export interface Hotkey {
  state(): HotkeyState;
  wanted(): string | null;
  /** As in the settings; null releases it. The same again does nothing. */
  want(accelerator: string | null): void;
  /** True when it is pressed within the time, which then does nothing else. */
  test(patienceMs: number): Promise<boolean>;
  /** Lets go of its keys for a while, so that a window can record them; its state stays as it is. */
  pause(patienceMs: number): void;
  resume(): void;
  release(): void;
  /** Not while it is tested. */
  onPress: Signal['on'];
  /** Its state is another. */
  onChange: Signal['on'];
}

export function createHotkey({ globalShortcut, platform, wayland, portal }: HotkeyParts): Hotkey {
  const press = createSignal();
  const change = createSignal();
  let wanted: string | null = null;
  /** As it was registered; null = it is not. */
  let held: string | null = null;
  let proven = false;
  let tester: ((pressed: boolean) => void) | null = null;
  /** Ends the pause; null = there is none. */
  let pauseEnd: NodeJS.Timeout | null = null;

  function pressed(): void {
    if (!proven) {
      proven = true;
      change.emit();
    }
    if (tester) tester(true);
    else press.emit();
  }

  function release(): void {
    endPause();
    if (held !== null) globalShortcut.unregister(held);
    held = null;
    proven = false;
  }

  function endPause(): void {
    if (pauseEnd !== null) clearTimeout(pauseEnd);
    pauseEnd = null;
  }

  function resume(): void {
    if (pauseEnd === null) return;
    endPause();
    if (held === null || globalShortcut.register(held, entry(pressed))) return;
    // Another program was quicker.
    held = null;
    proven = false;
    change.emit();
  }

  /** Nothing is held afterwards when the system refuses it, or the combination itself is of no use. */
  function register(accelerator: string): void {
    try {
      const text = acceleratorText(validateAccelerator(accelerator, platform));
      if (globalShortcut.register(text, entry(pressed))) held = text;
    } catch (error) {
      // Electron throws a TypeError for keys that it does not know.
      if (!(error instanceof LoupeError || error instanceof TypeError)) throw error;
    }
  }

  return {
    state: () => hotkeyState({ wanted, platform, wayland, portal, registered: held !== null, proven }),
    wanted: () => wanted,
    want(accelerator) {
      if (accelerator === wanted) {
        resume();
        if (accelerator === null || held !== null) return;
      }
      release();
      wanted = accelerator;
      if (accelerator !== null) register(accelerator);
      change.emit();
    },
    test(patienceMs) {
      tester?.(false);
      return new Promise((resolve) => {
        const end = (came: boolean): void => {
          clearTimeout(timer);
          if (tester === end) tester = null;
          resolve(came);
        };
        const timer = setTimeout(end, patienceMs, false);
        tester = end;
      });
    },
    pause(patienceMs) {
      if (held === null) return;
      endPause();
      globalShortcut.unregister(held);
      pauseEnd = setTimeout(resume, patienceMs);
    },
    resume,
    release() {
      tester?.(false);
      release();
    },
    onPress: press.on,
    onChange: change.on,
  };
}
