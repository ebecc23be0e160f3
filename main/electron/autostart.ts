/** Starting with the session, hidden: a login item on macOS and Windows, a desktop entry on Linux. */
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { App } from 'electron';
import { makeFolderSync } from '../make-folder.ts';
import { words } from './words.ts';

export interface AutostartParts {
  app: Pick<App, 'setLoginItemSettings'>;
  platform: NodeJS.Platform;
  /** What starts Loupe: the AppImage where it is one, else the executable. */
  executable: string;
  /** $XDG_CONFIG_HOME, or its default. */
  configHome: string;
}

/** Throws what the file system throws. */
export function setAutostart(wanted: boolean, { app, platform, executable, configHome }: AutostartParts): void {
  if (platform !== 'linux') {
    app.setLoginItemSettings({ openAtLogin: wanted, args: ['--hidden'] });
    return;
  }
  const file = join(configHome, 'autostart', 'loupe.desktop');
  if (!wanted) {
    rmSync(file, { force: true });
    return;
  }
  makeFolderSync(dirname(file));
  writeFileSync(file, desktopEntry(executable));
}

export function desktopEntry(executable: string): string {
  return [
    '[Desktop Entry]',
    'Type=Application',
    `Name=${words.name}`,
    `Exec=${quote(executable)} --hidden`,
    'Terminal=false',
    'X-GNOME-Autostart-enabled=true',
    '',
  ].join('\n');
}

/** As the Desktop Entry Specification asks: quoted, its special characters escaped for the quotes and then for the file, % doubled. */
function quote(argument: string): string {
  return `"${argument.replaceAll(/["`$\\]/g, '\\$&')}"`.replaceAll('\\', '\\\\').replaceAll('%', '%%');
}
