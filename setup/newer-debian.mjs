// Programs and libraries of a newer Debian release, unpacked beside the system under .tools/vulkan/: apt fetches and
// verifies the packages with lists, cache and status of its own, so that the system's package database is neither read
// nor changed. The programs run through the dynamic loader and libraries of the same tree, because the system's are older.
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, renameSync, writeFileSync, chmodSync } from 'node:fs';
import { basename, join } from 'node:path';
import { capture, which } from './exec.mjs';
import { tools } from './paths.mjs';
import { multiarch } from './system-packages.mjs';

const release = 'trixie';
const loaderName = process.arch === 'arm64' ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2';
const keyrings = ['/usr/share/keyrings/debian-archive-keyring.gpg', '/usr/share/keyrings/debian-archive-keyring.pgp'];

/** @typedef {{ folder: string, libraries: string, loader: string }} Tree */

/** @param {string} name @returns {Tree} */
function treeAt(name) {
  const folder = join(tools, 'vulkan', name);
  const libraries = join(folder, 'root', 'usr', 'lib', multiarch);
  return { folder, libraries, loader: join(libraries, loaderName) };
}

/** A tree that was unpacked earlier; an interrupted one is never at its final place. @param {string} name */
export function unpackedTree(name) {
  const tree = treeAt(name);
  return existsSync(tree.loader) ? tree : undefined;
}

/** The Debian archive that this machine already uses, among the archives that apt names. @param {string} repositories one URI a line */
export function debianArchive(repositories) {
  return repositories
    .split('\n')
    .find((uri) => /\/debian\/?$/.test(uri.trim()))
    ?.trim();
}

/**
 * @param {string} name folder under .tools/vulkan/
 * @param {string[]} packages
 * @param {{ backports: boolean }} options
 * @returns {Promise<Tree>} throws an Error that says why not
 */
export async function unpackNewer(name, packages, { backports }) {
  const tree = treeAt(name);
  const work = await openArchive(tree.folder, ['deb'], backports ? [release, `${release}-backports`] : [release]);
  mkdirSync(join(work, 'root'));
  await aptGet(work, [
    'install',
    '--yes',
    '--download-only',
    ...(backports ? ['--target-release', `${release}-backports`] : []),
    ...packages,
  ]);
  const archives = join(work, 'apt', 'cache', 'archives');
  for (const file of debsIn(archives)) await extract(join(archives, file), join(work, 'root'));
  rmSync(join(work, 'apt'), { recursive: true });
  rmSync(tree.folder, { recursive: true, force: true });
  renameSync(work, tree.folder);
  return tree;
}

/**
 * What is made of a source package and of a few others, of which nothing they depend on is needed.
 * @param {string} name folder under .tools/vulkan/, of which only what `make` returns stays
 * @param {string} source @param {string[]} packages
 * @param {(archive: string, root: string) => Promise<string[]>} make from the archive of the source as published, and the root that the
 *   packages are unpacked to: the files to keep
 * @returns {Promise<string>} the folder; throws an Error that says why not
 */
export async function makeOfSource(name, source, packages, make) {
  const { folder } = treeAt(name);
  const work = await openArchive(folder, ['deb', 'deb-src'], [release]);
  const fetched = join(work, 'fetched');
  const kept = join(work, 'kept');
  const root = join(work, 'root');
  for (const one of [fetched, kept, root]) mkdirSync(one);
  await aptGet(work, ['source', '--download-only', source], fetched);
  await aptGet(work, ['download', ...packages], fetched);
  for (const file of debsIn(fetched)) await extract(join(fetched, file), root);
  const archive = readdirSync(fetched).find((file) => /\.orig\.tar\.\w+$/.test(file));
  if (!archive) throw new Error(`the source of ${source} has no archive`);
  for (const file of await make(join(fetched, archive), root)) renameSync(file, join(kept, basename(file)));
  rmSync(folder, { recursive: true, force: true });
  renameSync(kept, folder);
  rmSync(work, { recursive: true });
  return folder;
}

/** An empty folder beside `folder`, with apt's state and lists. @param {string} folder @param {string[]} kinds @param {string[]} suites */
async function openArchive(folder, kinds, suites) {
  if (!which('apt-get') || !which('dpkg-deb')) throw new Error('unpacking packages of a newer Debian needs apt-get and dpkg-deb');
  const keyring = keyrings.find((path) => existsSync(path));
  const targets = await capture('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']);
  const archive = debianArchive(targets.stdout);
  if (!keyring || !archive) throw new Error('this system does not use a Debian archive');
  const work = `${folder}.partial`;
  rmSync(work, { recursive: true, force: true });
  for (const each of ['apt/lists/partial', 'apt/cache/archives/partial']) mkdirSync(join(work, each), { recursive: true });
  const lines = suites.flatMap((suite) => kinds.map((kind) => `${kind} [signed-by=${keyring}] ${archive} ${suite} main\n`));
  writeFileSync(join(work, 'apt', 'sources.list'), lines.join(''));
  writeFileSync(join(work, 'apt', 'status'), '');
  await aptGet(work, ['update']);
  return work;
}

/** @param {string} folder */
const debsIn = (folder) => readdirSync(folder).filter((file) => file.endsWith('.deb'));

/** @param {string} file a .deb @param {string} root */
async function extract(file, root) {
  const { code, stderr } = await capture('dpkg-deb', ['--extract', file, root]);
  if (code !== 0) throw new Error(`${basename(file)} cannot be unpacked: ${stderr.trim()}`);
}

/** apt-get with all its state under `work`. @param {string} work @param {string[]} args @param {string} [cwd] where it puts files */
async function aptGet(work, args, cwd = work) {
  const options = {
    'Dir::Etc::sourcelist': join(work, 'apt', 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::State::lists': join(work, 'apt', 'lists'),
    'Dir::State::status': join(work, 'apt', 'status'),
    'Dir::Cache': join(work, 'apt', 'cache'),
    'APT::Install-Recommends': 'false',
    'Acquire::Languages': 'none',
    // Nothing is installed: no lock to take, and no other user who could write into this checkout.
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': '',
  };
  const { code, stderr } = await capture(
    'apt-get',
    ['-qq', ...Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]), ...args],
    { cwd },
  );
  if (code !== 0) throw new Error(`apt-get ${args[0]} failed: ${stderr.trim().split('\n').at(-1) ?? ''}`);
}

/**
 * A command that runs a program of the tree, wherever the checkout lies.
 * @param {Tree} tree @param {string} program name in the tree's /usr/bin @returns {string} path of the command
 */
export function writeLauncher(tree, program) {
  const path = join(tree.folder, 'bin', program);
  mkdirSync(join(tree.folder, 'bin'), { recursive: true });
  writeFileSync(
    path,
    `#!/bin/sh
tree=$(dirname "$(dirname "$(readlink -f "$0")")")
libraries=$tree/root/usr/lib/${multiarch}
exec "$libraries/${loaderName}" --library-path "$libraries" --argv0 ${program} "$tree/root/usr/bin/${program}" "$@"
`,
  );
  chmodSync(path, 0o755);
  return path;
}

/**
 * A copy of a dynamically linked program that uses the tree's loader and libraries by itself. For Node this is needed
 * instead of a launcher: under a launcher process.execPath is the loader, and workers would start that.
 * @param {Tree} tree @param {string} program @param {string} copy
 */
export async function copyOnto(tree, program, copy) {
  copyFileSync(program, copy);
  // DT_RPATH, not DT_RUNPATH: only the former also holds for libraries that are opened at run time, as drivers are.
  const { code, stderr } = await capture('patchelf', [
    '--set-interpreter',
    tree.loader,
    '--force-rpath',
    '--set-rpath',
    tree.libraries,
    copy,
  ]);
  if (code === 0) return;
  rmSync(copy);
  throw new Error(`patchelf cannot adapt ${program}: ${stderr.trim()}`);
}
