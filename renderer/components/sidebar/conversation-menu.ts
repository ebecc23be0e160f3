import Eraser from '@lucide/svelte/icons/eraser';
import FileBraces from '@lucide/svelte/icons/file-braces';
import FileText from '@lucide/svelte/icons/file-text';
import Pencil from '@lucide/svelte/icons/pencil';
import Pin from '@lucide/svelte/icons/pin';
import PinOff from '@lucide/svelte/icons/pin-off';
import Trash from '@lucide/svelte/icons/trash';
import type { ConversationSummary } from '../../../main/contract.ts';
import type { ShortcutName } from '../../state/shortcuts.ts';
import { strings } from '../../strings.ts';
import type { ExportFormat } from '../../state/conversations.svelte.ts';
import type { MenuItem } from '../ui/Menu.svelte';

export interface ConversationActions {
  rename: () => void;
  pin: () => void;
  exportAs: (format: ExportFormat) => void;
  delete: () => void;
  erase: () => void;
}

/** What can be done with a conversation: the same in its row and above its messages. `keys` are those that work in that place. */
export function conversationMenu(
  { pinned }: Pick<ConversationSummary, 'pinned'>,
  actions: ConversationActions,
  keys: Partial<Record<keyof ConversationActions, ShortcutName>>,
): MenuItem[] {
  const text = strings.sidebar;
  const shortcut = (name: keyof ConversationActions) => (keys[name] ? { shortcut: keys[name] } : {});
  return [
    { label: text.rename, icon: Pencil, ...shortcut('rename'), onselect: actions.rename },
    { label: pinned ? text.unpin : text.pin, icon: pinned ? PinOff : Pin, onselect: actions.pin },
    { label: strings.chat.exportMarkdown, icon: FileText, ...shortcut('exportAs'), onselect: () => actions.exportAs('markdown') },
    { label: strings.chat.exportJson, icon: FileBraces, onselect: () => actions.exportAs('json') },
    { label: text.delete, icon: Trash, ...shortcut('delete'), danger: true, onselect: actions.delete },
    { label: text.erase, icon: Eraser, danger: true, onselect: actions.erase },
  ];
}
