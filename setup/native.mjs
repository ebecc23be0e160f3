// The native engine: one CMake build of the addon, its tests and the shaders.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describeEnd, follow, which } from './exec.mjs';
import { ensureGlslc, presentGlslc } from './glslc.mjs';
import { withLock } from './lock.mjs';
import { inRoot, nativeBuild, root, setupLock, shaderBuild } from './paths.mjs';
import { say, SetupError } from './report.mjs';
import { describeFile, fingerprint, isCurrent, listFiles, removeStamp, writeStamp } from './stamps.mjs';
import { ensureSystemPackages } from './system-packages.mjs';

const addon = join(nativeBuild, 'loupe.node');
const tests = join(nativeBuild, 'loupe_tests');
const stamp = join(nativeBuild, '.loupe-stamp');

/** What the build reads: sources, headers from npm, the shader compiler, and which parts are asked for. @param {boolean} withTests */
function buildFingerprint(withTests) {
  const glslc = presentGlslc() ?? 'none';
  const headers = ['node_modules/node-addon-api/package.json', 'node_modules/node-api-headers/package.json', 'setup/native.mjs'];
  return fingerprint([
    ...listFiles(root, ['native', 'shaders']),
    ...headers.map((path) => describeFile(root, path)),
    describeFile('/', glslc),
    root,
    `tests ${withTests}`,
  ]);
}

const generator = () => (which('ninja') ? 'Ninja' : 'Unix Makefiles');

function configureArguments() {
  return [
    ...['-S', inRoot('native'), '-B', nativeBuild, '-G', generator(), '-DCMAKE_BUILD_TYPE=Release'],
    // For clangd and other tools that read C++.
    '-DCMAKE_EXPORT_COMPILE_COMMANDS=ON',
    `-DLOUPE_NODE_INCLUDE=${inRoot('node_modules/node-api-headers/include')}`,
    `-DLOUPE_NODE_ADDON_API=${inRoot('node_modules/node-addon-api')}`,
    `-DLOUPE_SHADER_OUT=${shaderBuild}`,
  ];
}

/**
 * CMake refuses a build folder of another place or generator, as after moving the checkout.
 * @param {string} cache contents of CMakeCache.txt
 * @param {string} source
 * @param {string} generator
 */
export function fitsCache(cache, source, generator) {
  return cache.includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${source}\n`) && cache.includes(`CMAKE_GENERATOR:INTERNAL=${generator}\n`);
}

/** There is a build folder, and CMake goes on with it. */
function isConfigured() {
  const cache = join(nativeBuild, 'CMakeCache.txt');
  return existsSync(cache) && fitsCache(readFileSync(cache, 'utf8'), inRoot('native'), generator());
}

/** A build with tests serves those who need none. @param {boolean} forTests */
function isBuilt(forTests) {
  const current = (forTests ? [true] : [true, false]).some((withTests) => isCurrent(stamp, buildFingerprint(withTests)));
  return current && existsSync(addon) && (!forTests || existsSync(tests));
}

/** @param {{ forTests: boolean }} options */
export async function ensureNative({ forTests }) {
  if (forTests || !isBuilt(forTests)) await ensureSystemPackages({ forTests });
  if (isBuilt(forTests)) return;
  await withLock(setupLock, async () => {
    // The process that we waited for may have built it.
    if (!isBuilt(forTests)) await build(forTests);
  });
}

/** @param {boolean} forTests */
async function build(forTests) {
  const glslc = await ensureGlslc();
  if (!isConfigured()) rmSync(nativeBuild, { recursive: true, force: true });
  removeStamp(stamp);
  // Sources that change during the build must not count as built: take the fingerprint before it.
  const print = buildFingerprint(forTests);

  say('building the native engine (a few minutes the first time) ...');
  const targets = ['loupe_addon', 'loupe_shaders', ...(forTests ? ['loupe_tests', 'fuzz_checkpoint', 'fuzz_gguf'] : [])];
  await step([
    ...configureArguments(),
    `-DLOUPE_GLSLC=${glslc}`,
    `-DLOUPE_TESTS=${forTests ? 'ON' : 'OFF'}`,
    '-Wno-dev',
    '--log-level=WARNING',
  ]);
  await buildTargets(targets);
  for (const product of [addon, ...(forTests ? [tests] : [])]) {
    if (!existsSync(product)) throw new SetupError(`the native build did not produce ${product}.`, 'Remove build/native and run again.');
  }
  writeStamp(stamp, print);
  say('the native engine is built');
}

/** `npm run addon`: the addon and the shaders, and nothing else of the build. @returns {Promise<number>} exit code */
export async function rebuildAddon() {
  if (isConfigured()) await withLock(setupLock, () => buildTargets(['loupe_addon', 'loupe_shaders']));
  else await ensureNative({ forTests: false });
  say('the addon is built; a running `npm run dev` takes it by itself');
  return 0;
}

/** @param {string[]} targets */
const buildTargets = (targets) => step(['--build', nativeBuild, '--parallel', String(availableParallelism()), '--target', ...targets]);

/** @param {string[]} args */
async function step(args) {
  const end = await follow('cmake', args, { cwd: root });
  if (end.code !== 0)
    throw new SetupError(
      `the native build failed: cmake ${describeEnd(end)} (see above).`,
      'If the messages do not help, remove build/native and run again.',
    );
}

/**
 * A program of native/tools/, built when its sources changed. To be called after `ensureNative({ forTests: true })`.
 * @param {string} name
 */
export async function ensureNativeTool(name) {
  await buildTargets([name]);
  return join(nativeBuild, name);
}
