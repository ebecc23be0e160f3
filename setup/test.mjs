// `npm test` and its shorter and longer relatives: which checks run, and the account of them at the end.
import {
  boundaries,
  browserSpecs,
  checkedFolders,
  format,
  fuzz,
  googleTest,
  lintEverything,
  python,
  types,
  vitest,
  windowTypes,
} from './checks.mjs';
import { single, skipped } from './counts.mjs';
import { whyNoDesktop } from './desktop.mjs';
import { ensureDesktopApp } from './electron.mjs';
import { ensureElectronRuntime } from './electron-runtime.mjs';
import { which } from './exec.mjs';
import { ensureNative } from './native.mjs';
import { ensureNewerDriver } from './newer-driver.mjs';
import { say } from './report.mjs';
import { shaderBudgets } from './shader-stats.mjs';
import { ensureSliceCheckpoint } from './slice-checkpoint.mjs';
import { softwareVulkan } from './software-vulkan.mjs';
import { account, orFailure, sideBySide } from './stages.mjs';
import { chromiumNames, driverManifests, ensureDesktopPackages } from './system-packages.mjs';

/** @typedef {import('./checks.mjs').Runtime} Runtime */
/** @typedef {import('./stages.mjs').Stage} Stage */

/**
 * Stages at a time: most wait for a timer, a disk or a process half of their time. Two, because what is tested at once competes for the
 * cores, and a person is patient for as long on a machine with more of them.
 */
const lanes = 2;

/** What needs neither a device nor the built window; the longest first. @type {Stage[]} */
const withoutDevice = [
  { name: 'lint', run: lintEverything },
  { name: 'unit tests', run: () => vitest('unit', 'unit tests') },
  { name: 'kills in mid-answer', run: () => vitest('endurance', 'kills in mid-answer') },
  { name: 'types of renderer/', run: windowTypes },
  { name: 'text in pictures', run: () => vitest('text', 'text in pictures') },
  { name: 'mutated checkpoints', run: () => fuzz('fuzz_checkpoint', 'mutated checkpoints') },
  { name: 'mutated GGUF files', run: () => fuzz('fuzz_gguf', 'mutated GGUF files') },
  { name: 'shader budgets', run: shaderBudgets },
  { name: 'window tests', run: () => vitest('window', 'window tests') },
  ...checkedFolders.map((folder) => ({ name: `types of ${folder}/`, run: () => types(folder) })),
  { name: 'import rules', run: boundaries },
  { name: 'format', run: format },
  { name: 'lint of Python', run: python },
];
const ofTheEngine = new Set(['mutated checkpoints', 'mutated GGUF files', 'shader budgets']);

/** Every check. @returns {Promise<number>} exit code */
export async function test() {
  const native = await orFailure('native build', () => ensureNative({ forTests: true }));
  const isBuilt = native.failed.length === 0;
  const results = [
    native,
    ...(await sideBySide(
      withoutDevice.filter(({ name }) => isBuilt || !ofTheEngine.has(name)),
      lanes,
    )),
  ];
  if (!isBuilt) {
    results.push(skipped('native tests and the app in Chromium', 'the native build failed'));
    return account(results);
  }
  const desktop = await orFailure('build of the window and the desktop shell', ensureDesktopApp);
  results.push(desktop);
  // Fetched and installed one after another: two of them would wait for the same lock of apt.
  const system = systemRuntime();
  const newer = await newerRuntime();
  const stages = [...onRuntimes(system, newer)];
  if (desktop.failed.length > 0) results.push(skipped('the packaged app and the app in Chromium', 'they could not be built'));
  else stages.unshift(inBrowser(system), await onDesktop(), { name: 'packaging', run: () => vitest('packaging', 'packaging') });
  results.push(...(await sideBySide(stages, lanes)));
  return account(results);
}

/**
 * Builds the engine and tests it on the system's software Vulkan: what a change of native/ or shaders/ needs.
 * @returns {Promise<number>} exit code
 */
export async function testEngine() {
  await ensureNative({ forTests: true });
  return account(await sideBySide(engineTests(systemRuntime(), ['driver', 'integration']), 1));
}

/**
 * The engine at the true widths of the 11B model: minutes, and gigabytes of memory.
 * @returns {Promise<number>} exit code
 */
export async function slice() {
  await ensureNative({ forTests: true });
  const newer = await newerRuntime();
  // The newer driver is several times as fast.
  const runtime = 'reason' in newer ? systemRuntime() : newer;
  if ('reason' in runtime) return account([single('slice tests', runtime.reason)]);
  const env = { ...runtime.env, LOUPE_SLICE: await ensureSliceCheckpoint() };
  const name = `slice tests, ${runtime.name}`;
  return account(await sideBySide([{ name, run: () => vitest('slice', name, { ...runtime, env }) }], 1));
}

/**
 * What a driver can get wrong is proved on both; the rest of the engine tests on the newer one, which is several times as fast.
 * @param {Runtime | { reason: string }} system @param {Runtime | { reason: string }} newer @returns {Stage[]}
 */
function onRuntimes(system, newer) {
  if (!('reason' in newer)) return [...engineTests(newer, ['driver', 'integration']), ...engineTests(system, ['driver'])];
  const name = 'native and engine tests on a newer driver (cooperative matrices)';
  return [...engineTests(system, ['driver', 'integration']), { name, run: async () => skipped(name, newer.reason) }];
}

/** @param {Runtime | { reason: string }} runtime @param {string[]} projects of vitest.config.ts @returns {Stage[]} */
function engineTests(runtime, projects) {
  if ('reason' in runtime) return [{ name: 'native tests', run: async () => single('native tests', runtime.reason) }];
  const name = `engine tests, ${runtime.name}`;
  return [
    { name, run: () => vitest(projects, name, runtime) },
    { name: `native tests, ${runtime.name}`, run: () => googleTest(runtime) },
  ];
}

/** The packaged app in a real Electron. @returns {Promise<Stage>} */
async function onDesktop() {
  const why = (await ensureDesktopPackages()) ?? (await whyNoDesktop());
  const found = why === undefined ? await ensureElectronRuntime() : { reason: why };
  if ('reason' in found) {
    const name = 'packaged app in a real Electron';
    say(`SKIPPED: the ${name}, because ${found.reason}`);
    return { name, run: async () => skipped(name, found.reason) };
  }
  const name = `packaged app in Electron ${found.runtime.version}`;
  return { name, run: () => vitest('desktop', name) };
}

/** @param {Runtime | { reason: string }} runtime @returns {Stage} */
function inBrowser(runtime) {
  const name = 'app in Chromium';
  if ('reason' in runtime) return { name, run: async () => single(name, runtime.reason) };
  const chromium = chromiumNames.map(which).find((path) => path !== undefined);
  if (!chromium) return { name, run: async () => skipped(name, 'this system has no Chromium or Chrome') };
  return { name, run: () => browserSpecs(runtime, chromium) };
}

/** @returns {Runtime | { reason: string }} */
function systemRuntime() {
  const [manifest] = driverManifests('lvp_icd');
  return manifest
    ? { name: 'system lavapipe', env: softwareVulkan(manifest) }
    : { reason: 'this system has no lavapipe (software Vulkan) driver' };
}

/** @returns {Promise<Runtime | { reason: string }>} */
async function newerRuntime() {
  const found = await ensureNewerDriver();
  if ('reason' in found) {
    say(`SKIPPED: tests on a newer driver, because ${found.reason}`);
    return found;
  }
  const { tree, manifest, layers, node } = found.driver;
  return { name: 'newer lavapipe', launch: [tree.loader, '--library-path', tree.libraries], node, env: softwareVulkan(manifest, layers) };
}
