// A desktop of its own for a test: a screen in memory, a window manager, keys and a pointer, and a look at every pixel.
// The app that runs on it is not root's: Chromium's sandbox would not start.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { capture, which } from './exec.mjs';
import { say } from './report.mjs';

/** @typedef {{ x: number, y: number }} Point */
/** @typedef {Point & { width: number, height: number, id: string }} Window */
/** @typedef {Awaited<ReturnType<typeof startDesktop>>} Desktop */

/** A user with few rights on every Linux, for a session of root's. */
const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
export const unprivileged = isRoot ? { uid: nobody, gid: nobody } : {};

/** To the user that the app runs as. @param {string} folder */
export function giveAway(folder) {
  if (!isRoot) return;
  for (const entry of ['.', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })]) chownSync(join(folder, entry), nobody, nobody);
}

/** The colour of the empty screen: no toolkit has it. */
export const backdrop = 0x3366cc;

/** Whether a colour is the backdrop's, darkened, as a frozen picture of it is under the overlay. @param {number} colour */
export function isDimmed(colour) {
  const [red, green, blue] = [colour >> 16, (colour >> 8) & 255, colour & 255];
  return Math.abs(green - 2 * red) <= 4 && Math.abs(blue - 4 * red) <= 8 && red > 10 && red < backdrop >> 16;
}

/** Why there can be no such desktop here. @returns {Promise<string | undefined>} */
export async function whyNoDesktop() {
  if (process.platform !== 'linux') return 'a screen in memory is an X server, on Linux';
  const missing = ['Xvfb', 'Xorg', 'xrandr', 'openbox', 'tint2', 'xdotool', 'xsetroot', 'unzip'].filter((program) => !which(program));
  if (missing.length > 0) return `this system lacks ${missing.join(', ')}`;
  if (!isRoot && (await capture('unshare', ['--user', 'true'])).code !== 0)
    return "Chromium's sandbox needs user namespaces, which this system does not allow";
  return undefined;
}

/**
 * What a desktop's programs share.
 * @typedef {{ run: Run, env: NodeJS.ProcessEnv, xdotool: (...args: string[]) => Promise<string> }} Session
 */
/**
 * @typedef {(command: string, args: string[], options?: import('node:child_process').SpawnOptions) =>
 *   import('node:child_process').ChildProcess} Run
 */

/**
 * @param {{ width: number, height: number }} size of the screen, which with `displays` holds them all
 * @param {readonly string[]} [displays] each as `1280x800+0+0`, in a size that monitors have; their pixels cannot be looked at
 */
export async function startDesktop({ width, height }, displays) {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-desktop-'));
  chmodSync(folder, 0o755);
  /** @type {import('node:child_process').ChildProcess[]} */
  const children = [];
  /** @type {Run} */
  function run(command, args, options = {}) {
    const child = spawn(command, args, { stdio: 'ignore', ...options });
    child.on('error', () => {});
    children.push(child);
    return child;
  }

  const home = makeHome(folder);
  const env = {
    ...{ PATH: process.env['PATH'], LANG: 'C.UTF-8', HOME: home, XDG_RUNTIME_DIR: join(home, 'run'), LOUPE_DATA: join(home, 'data') },
    ...{
      ...(await (displays ? startDisplays(folder, run) : startScreen(folder, { width, height }, run))),
      XDG_SESSION_TYPE: 'x11',
      DBUS_SESSION_BUS_ADDRESS: 'disabled:',
    },
  };

  /** @param {string[]} args */
  async function xdotool(...args) {
    return (await capture('xdotool', args, { env })).stdout.trim();
  }

  if (displays) await arrangeDisplays(displays, env);

  const session = { run, env, xdotool };
  const manager = superviseWindowManager(session);
  await until('window manager', async () => (await xdotool('get_num_desktops')) !== '');
  await startPanel(session);
  await capture('xsetroot', ['-solid', `#${backdrop.toString(16)}`], { env });

  const screen = displays ? null : openSync(join(folder, 'Xvfb_screen0'), 'r');
  const { base, stride } = screen === null ? { base: 0, stride: 0 } : layout(screen);
  const pixel = Buffer.alloc(4);

  return {
    env,
    size: { width, height },
    data: join(home, 'data'),
    run,
    /** @param {string[]} names */
    key: (...names) => xdotool('key', ...names),
    /** @param {Point} from @param {Point} to */
    drag: (from, to) => xdotool(...move(from), 'mousedown', '1', ...move(between(from, to)), ...move(to), 'mouseup', '1'),
    /** With a key held. @param {string} key @param {Point} from @param {Point} to */
    dragWith: (key, from, to) =>
      xdotool('keydown', key, ...move(from), 'mousedown', '1', ...move(between(from, to)), ...move(to), 'mouseup', '1', 'keyup', key),
    /** @param {Point} at @param {'1' | '3' | '4' | '5'} [button] left, right, wheel up, wheel down */
    click: (at, button = '1') => xdotool(...move(at), 'click', button),
    /** Gives the keyboard to the panel. */
    leaveWindows: () => xdotool('search', '--onlyvisible', '--class', '^tint2$', 'windowfocus'),
    /** @param {string} id */
    activate: (id) => xdotool('windowactivate', '--sync', id),

    /** @param {Point} at */
    point: (at) => xdotool(...move(at)),

    /** Red, green and blue of a pixel, as one number. @param {Point} at */
    colour({ x, y }) {
      if (screen === null) throw new Error('the pixels of several displays cannot be looked at');
      readSync(screen, pixel, 0, 4, base + y * stride + x * 4);
      return pixel.readUInt32LE(0) & 0xff_ffff;
    },

    /** Whether this window has the keyboard. @param {string} id */
    hasKeyboard: async (id) => (await xdotool('getactivewindow')) === id,

    /** What the app has on the screen. @returns {Promise<Window[]>} */
    async windows() {
      const ids = (await xdotool('search', '--onlyvisible', '--class', '^loupe$')).split('\n').filter((id) => id !== '');
      const found = await Promise.all(ids.map(async (id) => geometry(id, await xdotool('getwindowgeometry', '--shell', id))));
      // Helpers of the toolkit are a few pixels.
      return found.filter((window) => window !== null).filter((window) => window.width > 250);
    },

    /** Ends the window manager as a crash does; resolves once the next one answers. */
    async crashWindowManager() {
      const before = manager.started();
      children.findLast((child) => child.spawnfile === 'openbox')?.kill('SIGKILL');
      await until('next window manager', () => manager.started() > before);
      const main = (await this.windows())[0];
      // Until it has taken over, nothing moves the keyboard: leaving a window and coming back is its work.
      await until('window manager that gives the keyboard', async () => {
        await this.leaveWindows();
        if (main) await capture('timeout', ['5', 'xdotool', 'windowactivate', '--sync', main.id], { env });
        return main === undefined || (await xdotool('getwindowfocus')) === main.id;
      });
    },

    async stop() {
      manager.stop();
      if (screen !== null) closeSync(screen);
      for (const child of children.reverse()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill();
        await Promise.race([ended, sleep(5000, undefined, { ref: false })]);
        child.kill('SIGKILL');
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/**
 * A screen in memory. Only programs that have the cookie may draw on it or press its keys.
 * @param {string} folder
 * @param {{ width: number, height: number }} size
 * @param {Run} run
 */
async function startScreen(folder, { width, height }, run) {
  const authority = join(folder, 'authority');
  writeFileSync(authority, cookie(), { mode: 0o644 });
  const screen = ['-screen', '0', `${width}x${height}x24`, '-fbdir', folder];
  const server = run('Xvfb', ['-displayfd', '3', ...screen, '-auth', authority, '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const number = await firstLine(/** @type {import('node:stream').Readable} */ (server.stdio[3]));
  return { DISPLAY: `:${number}`, XAUTHORITY: authority };
}

/**
 * Several displays in memory, by the X server that drives cards, and a driver without one. Xvfb's are one screen to programs.
 * @param {string} folder
 * @param {Run} run
 */
async function startDisplays(folder, run) {
  const [authority, configuration] = [join(folder, 'authority'), join(folder, 'xorg.conf')];
  writeFileSync(authority, cookie(), { mode: 0o644 });
  writeFileSync(
    configuration,
    `Section "ServerFlags"
  Option "AutoAddDevices" "false"
EndSection
Section "Device"
  Identifier "card"
  Driver "dummy"
  VideoRam 256000
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 5.0 - 1000.0
  VertRefresh 5.0 - 200.0
EndSection
Section "Screen"
  Identifier "screen"
  Device "card"
  Monitor "monitor"
  DefaultDepth 24
EndSection
`,
  );
  const alone = ['-noreset', '-novtswitch', '-sharevts', 'vt7', '-nolisten', 'tcp', '-logfile', join(folder, 'Xorg.log')];
  const server = run('Xorg', ['-displayfd', '3', '-config', configuration, '-auth', authority, ...alone], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const number = await firstLine(/** @type {import('node:stream').Readable} */ (server.stdio[3]));
  return { DISPLAY: `:${number}`, XAUTHORITY: authority };
}

/** @param {readonly string[]} places @param {NodeJS.ProcessEnv} env */
async function arrangeDisplays(places, env) {
  for (const [index, place] of places.entries()) {
    const [mode = '', x, y] = place.split('+');
    const output = `DUMMY${index}`;
    // The first output has them all.
    if (index > 0) await succeeds('xrandr', ['--addmode', output, mode], env);
    await succeeds('xrandr', ['--output', output, '--mode', mode, '--pos', `${x}x${y}`, ...(index === 0 ? ['--primary'] : [])], env);
  }
  // The server tells programs of what it has arranged when it is asked for it.
  await succeeds('xrandr', [], env);
}

/** @param {string} program @param {string[]} args @param {NodeJS.ProcessEnv} env */
async function succeeds(program, args, env) {
  const { code, stderr } = await capture(program, args, { env });
  if (code !== 0) throw new Error(`${[program, ...args].join(' ')} failed: ${stderr.trim()}`);
}

/** @param {string} folder */
function makeHome(folder) {
  const home = join(folder, 'home');
  for (const part of ['.', 'run', 'data', '.config']) {
    mkdirSync(join(home, part), { recursive: true, mode: 0o700 });
    if (isRoot) chownSync(join(home, part), nobody, nobody);
  }
  return home;
}

/**
 * Starts it again when it dies, as a session does: without one no window gets the keyboard, and none can be closed.
 * @param {Session} session
 */
function superviseWindowManager({ run, env }) {
  const most = 6;
  let started = 0;
  let isStopping = false;

  function start() {
    started++;
    const manager = run('openbox', [], { env, ...unprivileged, stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    manager.stderr?.on('data', (/** @type {Buffer} */ data) => {
      words = `${words}${data}`.slice(-2000);
    });
    manager.once('exit', (code, signal) => {
      if (isStopping || started === most) return;
      say(`the window manager ended (${signal ?? `code ${code}`}); another takes over. Its last words: ${words.trim() || 'none'}`);
      start();
    });
  }

  start();
  return {
    started: () => started,
    stop() {
      isStopping = true;
    },
  };
}

/**
 * A place for tray icons. Asked for while the window manager is still starting, it may wait for ever: then another one does not.
 * @param {Session} session
 */
async function startPanel({ run, env, xdotool }) {
  for (let left = 2; ; left--) {
    const panel = run('tint2', [], { env, ...unprivileged });
    try {
      await until('panel', async () => (await xdotool('search', '--onlyvisible', '--class', '^tint2$')) !== '', { patienceMs: 30_000 });
      return;
    } catch (error) {
      panel.kill();
      if (left === 0) throw error;
    }
  }
}

/**
 * Waits, for long enough that only what never comes is missed.
 * @template Value
 * @param {string} what
 * @param {() => Value | Promise<Value>} get
 * @param {{ patienceMs?: number, everyMs?: number }} [options]
 * @returns {Promise<NonNullable<Value>>}
 */
export async function until(what, get, { patienceMs = 60_000, everyMs = 60 } = {}) {
  const end = performance.now() + patienceMs;
  for (;;) {
    const value = await get();
    if (value) return value;
    if (performance.now() > end) throw new Error(`there is no ${what} after ${patienceMs / 1000} s`);
    await sleep(everyMs);
  }
}

/** @param {Point} at */
const move = ({ x, y }) => ['mousemove', String(x), String(y)];
/** @param {Point} a @param {Point} b */
const between = (a, b) => ({ x: Math.round((a.x + b.x) / 2), y: Math.round((a.y + b.y) / 2) });

/**
 * Of `xdotool getwindowgeometry --shell`; null for a window that no longer exists.
 * @param {string} id
 * @param {string} text
 * @returns {Window | null}
 */
export function geometry(id, text) {
  const [x, y, width, height] = ['X', 'Y', 'WIDTH', 'HEIGHT'].map((name) =>
    Number(new RegExp(`^${name}=(-?\\d+)$`, 'm').exec(text)?.[1] ?? NaN),
  );
  return [x, y, width, height].some((value) => value === undefined || Number.isNaN(value))
    ? null
    : /** @type {Window} */ ({ id, x, y, width, height });
}

/**
 * Where the pixels are in Xvfb's file, which is an X window dump: a header of big-endian words, a colour table, rows.
 * @param {number} file
 */
function layout(file) {
  const header = Buffer.alloc(100);
  readSync(file, header, 0, header.length, 0);
  /** @param {number} index */
  const word = (index) => header.readUInt32BE(index * 4);
  return { base: word(0) + word(19) * 12, stride: word(12) };
}

/** An authority file with one entry, for any address. */
function cookie() {
  /** @param {Buffer} bytes */
  const counted = (bytes) => Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
  return Buffer.concat([
    Buffer.of(255, 255),
    ...[Buffer.alloc(0), Buffer.alloc(0), Buffer.from('MIT-MAGIC-COOKIE-1'), randomBytes(16)].map(counted),
  ]);
}

/** @param {import('node:stream').Readable} stream @returns {Promise<string>} */
async function firstLine(stream) {
  let text = '';
  for await (const chunk of stream) {
    text += chunk;
    if (text.includes('\n')) return text.trim();
  }
  throw new Error('the X server did not start');
}
