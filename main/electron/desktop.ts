/** What kind of desktop this is, where it decides what works. */
import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Also true for programs that run under Wayland by way of X11: neither screen nor keys are theirs. */
export function isWayland(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): boolean {
  return (
    platform === 'linux' &&
    (env['XDG_SESSION_TYPE'] === 'wayland' || (env['XDG_SESSION_TYPE'] === undefined && Boolean(env['WAYLAND_DISPLAY'])))
  );
}

const portal = ['org.freedesktop.portal.Desktop', '/org/freedesktop/portal/desktop', 'org.freedesktop.portal.GlobalShortcuts'] as const;

/** Asks the session bus with whichever of its tools is there; without an answer within a second there is no portal. */
export async function hasShortcutsPortal(run: (command: string, args: string[]) => Promise<boolean> = succeeds): Promise<boolean> {
  const [service, path, name] = portal;
  const questions: [string, string[]][] = [
    ['busctl', ['--user', 'get-property', service, path, name, 'version']],
    [
      'gdbus',
      ['call', '--session', '--dest', service, '--object-path', path, '--method', 'org.freedesktop.DBus.Properties.Get', name, 'version'],
    ],
  ];
  for (const question of questions) if (await run(...question)) return true;
  return false;
}

function succeeds(command: string, args: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 1000 }, (error) => resolve(error === null));
  });
}

export function configHome(env: NodeJS.ProcessEnv): string {
  return env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
}
