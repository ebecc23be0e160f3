/** The application menu. Outside macOS it is hidden until Alt is pressed, but its keys (zoom, editing) work. */
import type { MenuItemConstructorOptions } from 'electron';
import { entry } from './entries.ts';
import { words } from './words.ts';

export interface MenuActions {
  ask: () => void;
  askLater: () => void;
  open: () => void;
}

export function menuTemplate(
  platform: NodeJS.Platform,
  packaged: boolean,
  { ask, askLater, open }: MenuActions,
): MenuItemConstructorOptions[] {
  const mac = platform === 'darwin';
  const inspect: MenuItemConstructorOptions[] = packaged ? [] : [{ type: 'separator' }, { role: 'reload' }, { role: 'toggleDevTools' }];
  return [
    ...(mac ? [{ role: 'appMenu' } as const] : []),
    {
      label: words.menu.file,
      submenu: [
        { label: words.menu.ask, click: entry(ask) },
        { label: words.menu.askLater, click: entry(askLater) },
        { label: words.menu.open, click: entry(open) },
        { type: 'separator' },
        mac ? { role: 'close' } : { role: 'quit' },
      ],
    },
    { role: 'editMenu', label: words.menu.edit },
    {
      label: words.menu.view,
      submenu: [
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { type: 'separator' },
        { role: 'togglefullscreen' },
        ...inspect,
      ],
    },
    { role: 'windowMenu', label: words.menu.window },
  ];
}
