// The packaged app in a real Electron on a desktop of its own: how it is made, started and driven.
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDimmed, unprivileged, until } from './desktop.mjs';
import { allowSandbox } from './electron-runtime.mjs';
import { capture } from './exec.mjs';
import { inRoot, root } from './paths.mjs';

/** @typedef {import('./desktop.mjs').Desktop} Desktop */
/** @typedef {import('./desktop.mjs').Point} Point */
/** @typedef {import('./electron-runtime.mjs').ElectronRuntime} ElectronRuntime */
/** @typedef {ReturnType<typeof driveApp>} Driver */

export const hotkey = 'ctrl+shift+space';

/**
 * What electron-builder makes of the checkout around this Electron, in a new folder.
 * @param {ElectronRuntime} runtime @returns {Promise<{ folder: string, executable: string }>}
 */
export async function packageAround(runtime) {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-app-'));
  const own = runtime.sqlite
    ? [`-c.electronVersion=${runtime.version}`, '-c.electronFuses.loadBrowserProcessSpecificV8Snapshot=false']
    : [];
  const platform = ['--linux', 'dir', '--x64', '--publish', 'never'];
  const builder = [inRoot('node_modules/electron-builder/cli.js'), ...platform, '--config', inRoot('electron-builder.yml')];
  await succeed([...builder, `-c.electronDist=${runtime.folder}`, `-c.directories.output=${folder}`, ...own]);
  const app = join(folder, 'linux-unpacked');
  if (runtime.sqlite) await replaceSqlite(join(app, 'resources'), runtime.sqlite);
  allowSandbox(app);
  makeReadable(folder);
  return { folder, executable: join(app, 'loupe') };
}

/**
 * An older Electron's Node-API does not carry our better-sqlite3: the archive gets one that it does.
 * @param {string} resources @param {string} sqlite
 */
async function replaceSqlite(resources, sqlite) {
  const archive = join(resources, 'app.asar');
  const content = join(resources, 'content');
  const asar = inRoot(
    'node_modules/@electron/asar/bin',
    readdirSync(inRoot('node_modules/@electron/asar/bin')).find((name) => name.startsWith('asar.')) ?? '',
  );
  await succeed([asar, 'extract', archive, content]);
  const place = join(content, 'node_modules', 'better-sqlite3');
  rmSync(place, { recursive: true });
  cpSync(sqlite, place, { recursive: true });
  rmSync(archive);
  rmSync(`${archive}.unpacked`, { recursive: true });
  await succeed([asar, 'pack', content, `${archive}.new`, '--unpack', '{**/*.node,**/@img/**,**/onnxruntime-node/bin/**}']);
  renameSync(`${archive}.new`, archive);
  renameSync(`${archive}.new.unpacked`, `${archive}.unpacked`);
  rmSync(content, { recursive: true });
}

/**
 * A package does not start with a debugger's switch. This one then does, and is otherwise the same, byte for byte.
 * @param {string} folder of `packageAround`
 */
export function admitDebugger(folder) {
  const archive = join(folder, 'linux-unpacked', 'resources', 'app.asar');
  const bytes = readFileSync(archive);
  const at = bytes.indexOf('"remote-debugging-port"');
  if (at < 0) throw new Error(`${archive} does not name the switch that it refuses`);
  bytes.write('remote-debugging-none', at + 1);
  writeFileSync(archive, bytes);
}

/** Another user runs it. @param {string} folder */
function makeReadable(folder) {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) makeReadable(path);
    else if (entry.isFile() && entry.name !== 'chrome-sandbox') chmodSync(path, /\.so|^loupe$|^chrome_/.test(entry.name) ? 0o755 : 0o644);
  }
}

/** @param {string[]} args of Node */
async function succeed(args) {
  const { code, stdout, stderr } = await capture(process.execPath, args, { cwd: root });
  if (code !== 0) throw new Error(`${args.slice(0, 3).join(' ')} failed:\n${`${stdout}${stderr}`.trim().split('\n').slice(-5).join('\n')}`);
}

/** @param {Desktop} desktop @param {string} executable */
export function driveApp(desktop, executable) {
  const { size } = desktop;
  /** @param {string[]} args */
  const start = (...args) => desktop.run(executable, args, { env: desktop.env, cwd: desktop.data, ...unprivileged });

  /** Covers the screen. */
  const overlay = async () => (await desktop.windows()).find(({ width, height }) => width === size.width && height === size.height);
  /** As wide as quickAskWidth. */
  const quick = async () => (await desktop.windows()).find(({ width }) => width === 420);
  /** As wide as noticeSize. */
  const notice = async () => (await desktop.windows()).find(({ width }) => width === 380);
  const main = async () => (await desktop.windows()).find(({ width }) => width > 420 && width < size.width);
  const gone = async (/** @type {() => Promise<unknown>} */ get) => !(await get());
  const pictures = join(desktop.data, 'pictures');
  /** Where no other window is. */
  const corner = { x: 20, y: 20 };

  return {
    start,
    overlay,
    quick,
    notice,
    main,
    /** The overlay, once its picture is on the screen and it has the keyboard. @param {() => unknown} [press] */
    async openOverlay(press = () => desktop.key(hotkey)) {
      await press();
      await this.pictureShown();
      const window = await until('overlay', overlay);
      await until('keyboard in the overlay', () => desktop.hasKeyboard(window.id));
      return window;
    },
    pictureShown: (patienceMs = 60_000) => until('frozen picture', () => isDimmed(desktop.colour(corner)), { patienceMs, everyMs: 3 }),
    overlayGone: () => until('end of the overlay', () => gone(overlay)),
    quickGone: () => until('end of the quick-ask window', () => gone(quick)),
    mainGone: () => until('end of the main window', () => gone(main)),
    /**
     * By a second start, as a person does it. It has handed over when it ends:
     * the window may be there before, and would come again later.
     */
    async showMain() {
      const second = start();
      await until('end of the second start', () => second.exitCode !== null);
      return until('main window', main);
    },
    /** Sizes of the captures that were kept. */
    kept: () =>
      !existsSync(pictures)
        ? []
        : readdirSync(pictures, { recursive: true, withFileTypes: true })
            .filter((entry) => entry.isFile())
            .map(({ parentPath, name }) => pngSize(join(parentPath, name)))
            .filter((size) => size !== null),
    /**
     * Drags, takes once the region is seen, and waits until that very region is kept. A window manager may hold a press back
     * until it has made the window the active one, but no key: an Enter within milliseconds would come first, and take the whole screen.
     * @param {Point} from @param {Point} to
     */
    async take(from, to) {
      const [width, height] = [to.x - from.x + 1, to.y - from.y + 1];
      const inside = { x: Math.round((from.x + to.x) / 2), y: Math.round((from.y + to.y) / 2) };
      const dimmed = desktop.colour(inside);
      await desktop.drag(from, to);
      await until('selected region', () => desktop.colour(inside) !== dimmed, { everyMs: 3 });
      await desktop.key('Return');
      await until('quick-ask window', quick);
      await until(`picture of ${width} x ${height}`, () => this.kept().some((size) => size.width === width && size.height === height), {
        patienceMs: 30_000,
      });
    },
  };
}

/**
 * Null for what is not a PNG, such as a preview, or is not whole yet.
 * @param {string} path
 * @returns {{ width: number, height: number } | null}
 */
function pngSize(path) {
  const header = Buffer.alloc(24);
  try {
    const file = openSync(path, 'r');
    readSync(file, header);
    closeSync(file);
  } catch {
    // A file that is not whole yet has another name a moment later.
    return null;
  }
  return header.toString('latin1', 1, 4) === 'PNG' ? { width: header.readUInt32BE(16), height: header.readUInt32BE(20) } : null;
}
