/** The icon in the tray or menu bar, and what it offers. */
import type { Menu, MenuItemConstructorOptions, Tray } from 'electron';
import { describeAccelerator, parseAccelerator } from '../services/capture/hotkey.ts';
import type { HotkeyState } from '../contract.ts';
import { entry } from './entries.ts';
import { words } from './words.ts';

export interface TrayActions {
  ask: () => void;
  askLast: () => void;
  /** After a while, in which a menu can be opened. */
  askLater: () => void;
  open: () => void;
  quit: () => void;
}

export interface TrayParts {
  createTray: () => Tray;
  buildMenu: (template: MenuItemConstructorOptions[]) => Menu;
  platform: NodeJS.Platform;
  actions: TrayActions;
}

export interface LoupeTray {
  /** The menu says which hotkey works. */
  update(hotkey: HotkeyState): void;
  destroy(): void;
}

export function createLoupeTray({ createTray, buildMenu, platform, actions }: TrayParts): LoupeTray {
  const tray = createTray();
  tray.setToolTip(words.name);
  // macOS opens the menu on a click by itself.
  if (platform !== 'darwin') tray.on('click', entry(actions.open));
  return {
    update: (hotkey) => tray.setContextMenu(buildMenu(trayTemplate(hotkey, actions, platform))),
    destroy: () => tray.destroy(),
  };
}

export function trayTemplate(hotkey: HotkeyState, actions: TrayActions, platform: NodeJS.Platform): MenuItemConstructorOptions[] {
  const works = hotkey.accelerator !== null && (hotkey.status === 'registered' || hotkey.status === 'unsure');
  // As text: the key itself is registered elsewhere, and would be taken twice.
  const key = works ? describeAccelerator(parseAccelerator(hotkey.accelerator!), platform) : '';
  return [
    { label: key ? `${words.menu.ask}  (${key})` : words.menu.ask, click: entry(actions.ask) },
    { label: words.menu.askLast, click: entry(actions.askLast) },
    { label: words.menu.askLater, click: entry(actions.askLater) },
    { type: 'separator' },
    { label: words.menu.open, click: entry(actions.open) },
    { type: 'separator' },
    { label: words.menu.quit, click: entry(actions.quit) },
  ];
}
