/** Capture in the web host: the window asks its browser for the screen; nothing is to be done here. */
import type { HotkeyState } from '../contract.ts';
import type { CaptureHost } from '../services/ports.ts';
import { LoupeError } from '../errors.ts';

const hotkey: HotkeyState = {
  accelerator: null,
  status: 'unsupported',
  advice: 'A browser cannot listen to keys while another program is in front. The desktop app can.',
};

export function browserCapture(): CaptureHost {
  const noPin = (): never => {
    throw new LoupeError('not_found', 'A browser pins no pictures to the screen. The desktop app can.');
  };
  const refuse = async (): Promise<never> => {
    throw new LoupeError(
      'capture_failed',
      'In the browser, Loupe captures through the browser’s own screen sharing.',
      'Use the capture button in the window.',
    );
  };
  return {
    state: async () => ({
      by: 'browser',
      reason: null,
      hotkeys: { region: hotkey, display: hotkey, last: hotkey, text: hotkey },
      permission: 'not-needed',
    }),
    start: refuse,
    take: refuse,
    display: async () => null,
    drawn: refuse,
    hold: refuse,
    finish: refuse,
    text: refuse,
    save: refuse,
    pin: refuse,
    pins: { picture: noPin, move: noPin, resize: noPin, fade: noPin, next: noPin, close: noPin },
    copying: () => null,
    stopCopying: () => {},
    cancel: async () => {},
    current: async () => null,
    testHotkey: async () => false,
    pauseHotkey: async () => {},
  };
}
