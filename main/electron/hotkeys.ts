/** One hotkey for each way to capture, each followed, tried and given back on its own; recording one lets go of all. */
import { captureModes, hotkeySettings, type CaptureMode, type CaptureState, type Settings } from '../contract.ts';
import { createHotkey, type Hotkey, type HotkeyParts } from './hotkey.ts';

export interface Hotkeys extends Pick<Hotkey, 'pause' | 'resume' | 'release' | 'onChange'> {
  state(): CaptureState['hotkeys'];
  want(settings: Settings): void;
  test(mode: CaptureMode, patienceMs: number): Promise<boolean>;
  onPress(listener: (mode: CaptureMode) => void): void;
}

export function createHotkeys(parts: HotkeyParts): Hotkeys {
  const hotkeys: Record<CaptureMode, Hotkey> = {
    region: createHotkey(parts),
    display: createHotkey(parts),
    last: createHotkey(parts),
    text: createHotkey(parts),
  };
  const all = Object.values(hotkeys);

  return {
    state: () => ({
      region: hotkeys.region.state(),
      display: hotkeys.display.state(),
      last: hotkeys.last.state(),
      text: hotkeys.text.state(),
    }),
    want(settings) {
      // Two that change places: each needs what the other holds.
      for (const mode of captureModes) if (settings[hotkeySettings[mode]] !== hotkeys[mode].wanted()) hotkeys[mode].want(null);
      for (const mode of captureModes) hotkeys[mode].want(settings[hotkeySettings[mode]]);
    },
    test: (mode, patienceMs) => hotkeys[mode].test(patienceMs),
    pause: (patienceMs) => all.forEach((hotkey) => hotkey.pause(patienceMs)),
    resume: () => all.forEach((hotkey) => hotkey.resume()),
    release: () => all.forEach((hotkey) => hotkey.release()),
    onPress: (listener) => captureModes.forEach((mode) => hotkeys[mode].onPress(() => listener(mode))),
    onChange: (listener) => all.forEach((hotkey) => hotkey.onChange(listener)),
  };
}
