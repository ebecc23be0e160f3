import type { Settings } from '../../main/contract.ts';
import { isMac } from '../state/shortcuts.ts';

/** Whether this key press sends. While an input method composes a character, Enter belongs to it. */
export function sends(event: KeyboardEvent, sendWith: Settings['sendWith'], mac = isMac): boolean {
  if (event.key !== 'Enter' || event.isComposing || event.shiftKey || event.altKey) return false;
  const command = mac ? event.metaKey : event.ctrlKey;
  return sendWith === 'mod-enter' ? command : !event.ctrlKey && !event.metaKey;
}
