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

/** Portals are started when somebody asks for the first time. */
const portalPatienceMs = 2000;
const portalService = ['org.freedesktop.portal.Desktop', '/org/freedesktop/portal/desktop'] as const;
type Portal = 'org.freedesktop.portal.GlobalShortcuts' | 'org.freedesktop.portal.ScreenCast';

/** `no`: it answered that there is none. `unknown`: it is not there, or did not answer in time. */
type Said = 'yes' | 'no' | 'unknown';

/** Asks the session bus with whichever of its tools is there. */
async function askForPortal(name: Portal, run: (command: string, args: string[]) => Promise<Said>): Promise<Said> {
  const [service, path] = portalService;
  const get = 'org.freedesktop.DBus.Properties.Get';
  const questions: [string, string[]][] = [
    ['busctl', ['--user', 'get-property', service, path, name, 'version']],
    ['gdbus', ['call', '--session', '--dest', service, '--object-path', path, '--method', get, name, 'version']],
    ['dbus-send', ['--session', '--print-reply', `--dest=${service}`, path, get, `string:${name}`, 'string:version']],
  ];
  let all: Said = 'unknown';
  for (const question of questions) {
    const said = await run(...question);
    if (said === 'yes') return said;
    if (said === 'no') all = said;
  }
  return all;
}

/** Without an answer there are none: a combination that never comes is worse than a sentence. */
export async function hasShortcutsPortal(run = said): Promise<boolean> {
  return (await askForPortal('org.freedesktop.portal.GlobalShortcuts', run)) === 'yes';
}

/** False where the desktop says that it hands no program a picture of the screen; Electron 33 ends with a fault when it is asked then. */
export async function mayHaveScreenCast(run = said): Promise<boolean> {
  return (await askForPortal('org.freedesktop.portal.ScreenCast', run)) !== 'no';
}

const watcher = ['org.kde.StatusNotifierWatcher', '/StatusNotifierWatcher', 'org.kde.StatusNotifierWatcher'] as const;
const registered = 'IsStatusNotifierHostRegistered';

/**
 * Whether the desktop shows icons in a tray. Linux desktops say so on the session bus; GNOME as it comes shows none, and Electron
 * does not tell. The older trays of X11 are not on the bus: where nobody answers within a second, one is taken to be there under
 * X11, but not in GNOME, which dropped them (decision 0029).
 * https://www.freedesktop.org/wiki/Specifications/StatusNotifierItem/StatusNotifierWatcher/
 */
export async function showsTray(
  platform: NodeJS.Platform,
  env: NodeJS.ProcessEnv,
  ask: (command: string, args: string[]) => Promise<string | null> = answerOf,
): Promise<boolean> {
  if (platform !== 'linux') return true;
  const [service, path, name] = watcher;
  const get = 'org.freedesktop.DBus.Properties.Get';
  const questions: [string, string[]][] = [
    ['busctl', ['--user', 'get-property', service, path, name, registered]],
    ['gdbus', ['call', '--session', '--dest', service, '--object-path', path, '--method', get, name, registered]],
    ['dbus-send', ['--session', '--print-reply', `--dest=${service}`, path, get, `string:${name}`, `string:${registered}`]],
  ];
  for (const question of questions) {
    const answer = await ask(...question);
    if (answer !== null) return /\btrue\b/.test(answer);
  }
  return !isWayland(platform, env) && !/gnome/i.test(env['XDG_CURRENT_DESKTOP'] ?? '');
}

function said(command: string, args: string[]): Promise<Said> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: portalPatienceMs }, (error) => {
      // A tool that is missing has a name for a code; one that was stopped has none.
      resolve(error === null ? 'yes' : typeof error.code === 'number' ? 'no' : 'unknown');
    });
  });
}

/** Null where there is no such program, or it failed. */
function answerOf(command: string, args: string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 1000 }, (error, output) => resolve(error === null ? output : null));
  });
}

export function configHome(env: NodeJS.ProcessEnv): string {
  return env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
}
