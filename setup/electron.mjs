// The desktop shell: finding Electron, bundling what it runs, and packaging it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInForeground, capture, describeEnd } from './exec.mjs';
import { ensureNative } from './native.mjs';
import { inRoot, root, shellBuild } from './paths.mjs';
import { ensureRenderer } from './renderer.mjs';
import { say, SetupError } from './report.mjs';
import { describeFile, fingerprint, isCurrent, listFiles, removeStamp, writeStamp } from './stamps.mjs';
import { viteBuild } from './vite.mjs';

const stamp = inRoot('build', '.shell-stamp');
const workers = ['picture-worker.js', 'check-worker.js', 'ocr-worker.js', 'line-thread.js', 'document-worker.js'];
const products = ['main.js', 'host.js', ...workers, 'preload.cjs', 'licences.json'];

/** The executable inside Electron's folder. @param {NodeJS.Platform} platform */
export function executableName(platform) {
  if (platform === 'darwin') return join('Electron.app', 'Contents', 'MacOS', 'Electron');
  return platform === 'win32' ? 'electron.exe' : 'electron';
}

/**
 * What ELECTRON_OVERRIDE_DIST_PATH names, or what the package has fetched; undefined when neither is there.
 * @param {NodeJS.ProcessEnv} env
 */
export function presentElectron(env = process.env) {
  const folder = env['ELECTRON_OVERRIDE_DIST_PATH'] ?? inRoot('node_modules', 'electron', 'dist');
  const binary = join(folder, executableName(process.platform));
  return existsSync(binary) ? binary : undefined;
}

/**
 * Why a window cannot be shown here, whatever is installed.
 * @param {NodeJS.Platform} platform
 * @param {NodeJS.ProcessEnv} env
 * @param {number | undefined} user
 */
export function whyNoWindow(platform, env, user) {
  if (platform !== 'linux') return undefined;
  if (!env['DISPLAY'] && !env['WAYLAND_DISPLAY']) return 'there is no desktop here (neither DISPLAY nor WAYLAND_DISPLAY is set)';
  return user === 0 ? 'Electron does not run as root' : undefined;
}

/** Fetches Electron's binary where that is possible. @returns {Promise<{ binary: string } | { reason: string }>} */
export async function findElectron() {
  const reason = whyNoWindow(process.platform, process.env, process.getuid?.());
  if (reason) return { reason };
  const present = presentElectron();
  if (present) return { binary: present };
  const installer = inRoot('node_modules', 'electron', 'install.js');
  if (!existsSync(installer)) return { reason: 'the electron package is not installed' };
  say('fetching Electron (about 120 MB, once) ...');
  await capture(process.execPath, [installer], { cwd: root });
  const fetched = presentElectron();
  return fetched ? { binary: fetched } : { reason: 'there is no Electron binary here, and none could be fetched' };
}

function buildFingerprint() {
  const sources = listFiles(root, ['main', 'resources/licences', 'resources/models']).filter((line) => !/\.test\.ts |\/test\//.test(line));
  return fingerprint([
    ...sources,
    ...['package-lock.json', 'package.json', 'setup/electron.mjs', 'setup/vite.mjs'].map((path) => describeFile(root, path)),
  ]);
}

/** The bundle in build/app/: one file per process, and the licences of what is in it. */
export async function ensureShell() {
  if (isCurrent(stamp, buildFingerprint()) && products.every((name) => existsSync(join(shellBuild, name)))) return;
  removeStamp(stamp);
  // Sources that change during the build must not count as built.
  const print = buildFingerprint();
  say('building the desktop shell ...');
  for (const mode of ['production', 'preload']) {
    const end = await viteBuild(['--config', inRoot('main/electron/vite.config.ts'), '--mode', mode]);
    if (end.code !== 0)
      throw new SetupError(
        `the desktop shell could not be built: vite ${describeEnd(end)} (see above).`,
        'If the messages do not help, remove node_modules/ and run again.',
      );
  }
  const { readLicences } = await import('../main/host/licences.ts');
  writeFileSync(join(shellBuild, 'licences.json'), JSON.stringify(await readLicences(root)));
  writeStamp(stamp, print);
}

/** Everything that the desktop app runs. */
export async function ensureDesktopApp() {
  await ensureNative({ forTests: false });
  await ensureRenderer();
  await ensureShell();
}

/**
 * The desktop app from this checkout.
 * @param {string} binary of `findElectron`
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
export async function startElectron(binary, args) {
  await ensureDesktopApp();
  return runInForeground(binary, [join(shellBuild, 'main.js'), ...args], { cwd: root });
}

/**
 * `npm run package [-- arguments of electron-builder]`: installers for this system, in release/.
 * @param {string[]} args @returns {Promise<number>} exit code
 */
export async function packageApp(args) {
  await ensureDesktopApp();
  const { version } = JSON.parse(readFileSync(inRoot('node_modules/electron/package.json'), 'utf8'));
  say(`packaging with Electron ${version} ...`);
  return runInForeground(
    process.execPath,
    [inRoot('node_modules/electron-builder/cli.js'), '--config', inRoot('electron-builder.yml'), '--publish', 'never', ...args],
    { cwd: root },
  );
}
