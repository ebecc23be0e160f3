/** The desktop app under Playwright, where an Electron binary is at hand. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { _electron, type ElectronApplication, type Page } from 'playwright';
import { presentElectron } from '../../setup/electron.mjs';
import { inRoot, shellBuild } from '../../setup/paths.mjs';

/** Why these specs cannot run here; undefined where they can. */
export function whyNoElectron(): string | undefined {
  if (!presentElectron()) return 'skipped: no Electron binary';
  if (process.platform === 'linux' && !process.env['DISPLAY'] && !process.env['WAYLAND_DISPLAY'])
    return 'skipped: no desktop to open a window on (try xvfb-run)';
  return existsSync(join(shellBuild, 'main.js')) ? undefined : 'skipped: the desktop shell is not built';
}

export interface Shell {
  app: ElectronApplication;
  /** The main window's page, loaded. */
  page: Page;
  dataDirectory: string;
  /** Ends the app; the data folder goes unless it was given. */
  close(): Promise<void>;
}

export interface LaunchOptions {
  /** A folder to go on with; absent = a new one. */
  dataDirectory?: string;
  args?: string[];
}

export async function launchShell({ dataDirectory, args = [] }: LaunchOptions = {}): Promise<Shell> {
  const executablePath = presentElectron();
  if (!executablePath) throw new Error('There is no Electron binary; ask whyNoElectron() first.');
  const directory = dataDirectory ?? mkdtempSync(join(tmpdir(), 'loupe-electron-'));
  const app = await _electron.launch({
    executablePath,
    // Chromium's sandbox does not work as root.
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), join(shellBuild, 'main.js'), ...args],
    cwd: inRoot(),
    env: { ...definedOnly(process.env), LOUPE_DATA: directory },
  });
  const page = await app.firstWindow();
  await page.waitForLoadState('load');
  return {
    app,
    page,
    dataDirectory: directory,
    async close() {
      await app.close();
      if (dataDirectory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The page of a window that opens later, as the overlay or the quick-ask window do. */
export async function windowOf(app: ElectronApplication, view: 'overlay' | 'quick'): Promise<Page> {
  const isIt = (page: Page): boolean => new URL(page.url()).searchParams.get('view') === view;
  return app.windows().find(isIt) ?? app.waitForEvent('window', { predicate: isIt });
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
