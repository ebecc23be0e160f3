import Eraser from '@lucide/svelte/icons/eraser';
import FileBraces from '@lucide/svelte/icons/file-braces';
import FileText from '@lucide/svelte/icons/file-text';
import ListChecks from '@lucide/svelte/icons/list-checks';
import MessageSquareText from '@lucide/svelte/icons/message-square-text';
import Pencil from '@lucide/svelte/icons/pencil';
import Pin from '@lucide/svelte/icons/pin';
import PinOff from '@lucide/svelte/icons/pin-off';
import Save from '@lucide/svelte/icons/save';
import Share2 from '@lucide/svelte/icons/share-2';
import Tag from '@lucide/svelte/icons/tag';
import Trash from '@lucide/svelte/icons/trash';
import X from '@lucide/svelte/icons/x';
import type { ConversationSummary } from '../../../main/contract.ts';
import type { ShortcutName } from '../../state/shortcuts.ts';
import { strings } from '../../strings.ts';
import type { ExportFormat } from '../../state/conversations.svelte.ts';
import type { MenuItem } from '../ui/Menu.svelte';

export interface ConversationActions {
  rename: () => void;
  pin: () => void;
  tag: () => void;
  instruct: () => void;
  share: () => void;
  exportAs: (format: ExportFormat) => void;
  delete: () => void;
  erase: () => void;
  /** Of a private one: it is stored. */
  keep: () => void;
  /** In the list: several are chosen from here on. */
  choose?: () => void;
}

/** What can be done with a conversation: the same in its row and above its messages. `keys` are those that work in that place. */
export function conversationMenu(
  { pinned, private: isPrivate }: Pick<ConversationSummary, 'pinned' | 'private'>,
  actions: ConversationActions,
  keys: Partial<Record<keyof ConversationActions, ShortcutName>>,
): MenuItem[] {
  const text = strings.sidebar;
  const shortcut = (name: keyof ConversationActions) => (keys[name] ? { shortcut: keys[name] } : {});
  const exports: MenuItem[] = [
    { label: strings.share.open, icon: Share2, onselect: actions.share },
    { label: strings.chat.exportMarkdown, icon: FileText, ...shortcut('exportAs'), onselect: () => actions.exportAs('markdown') },
    { label: strings.chat.exportJson, icon: FileBraces, onselect: () => actions.exportAs('json') },
  ];
  const rename: MenuItem = { label: text.rename, icon: Pencil, ...shortcut('rename'), onselect: actions.rename };
  const instruct: MenuItem = { label: text.instruct, icon: MessageSquareText, onselect: actions.instruct };
  if (isPrivate)
    return [
      rename,
      instruct,
      { label: strings.privately.keep, icon: Save, onselect: actions.keep },
      ...exports,
      { label: strings.privately.close, icon: X, ...shortcut('delete'), danger: true, onselect: actions.delete },
    ];
  return [
    rename,
    { label: pinned ? text.unpin : text.pin, icon: pinned ? PinOff : Pin, onselect: actions.pin },
    { label: text.tag, icon: Tag, onselect: actions.tag },
    instruct,
    ...exports,
    ...(actions.choose ? [{ label: text.choose, icon: ListChecks, onselect: actions.choose }] : []),
    { label: text.delete, icon: Trash, ...shortcut('delete'), danger: true, onselect: actions.delete },
    { label: text.erase, icon: Eraser, danger: true, onselect: actions.erase },
  ];
}
