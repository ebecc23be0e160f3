// `npm test` and its shorter and longer relatives: which checks run, and the account of them at the end.
import { availableParallelism } from 'node:os';
import {
  boundaries,
  browserSpecs,
  checkedFolders,
  format,
  fuzzCheckpoints,
  googleTest,
  lintEverything,
  python,
  types,
  vitest,
  windowTypes,
} from './checks.mjs';
import { single, skipped, total } from './counts.mjs';
import { whyNoDesktop } from './desktop.mjs';
import { ensureDesktopApp } from './electron.mjs';
import { ensureElectronRuntime } from './electron-runtime.mjs';
import { which } from './exec.mjs';
import { ensureNative } from './native.mjs';
import { ensureNewerDriver } from './newer-driver.mjs';
import { say } from './report.mjs';
import { ensureSliceCheckpoint } from './slice-checkpoint.mjs';
import { softwareVulkan } from './software-vulkan.mjs';
import { account, orFailure, sideBySide, stage } from './stages.mjs';
import { chromiumNames, driverManifests, ensureDesktopPackages } from './system-packages.mjs';

/** @typedef {import('./counts.mjs').Counts} Counts */
/** @typedef {import('./checks.mjs').Runtime} Runtime */

/** What is read and not run; the longest first. @type {import('./stages.mjs').Stage[]} */
const sourceChecks = [
  { name: 'lint', run: lintEverything },
  { name: 'types of renderer/', run: windowTypes },
  ...checkedFolders.map((folder) => ({ name: `types of ${folder}/`, run: () => types(folder) })),
  { name: 'import rules', run: boundaries },
  { name: 'format', run: format },
  { name: 'lint of Python', run: python },
];

/** Every check. @returns {Promise<number>} exit code */
export async function test() {
  const results = [];
  const native = await orFailure('native build', () => ensureNative({ forTests: true }));
  results.push(native);

  results.push(...(await sideBySide(sourceChecks, availableParallelism())));
  results.push(await stage('unit tests', () => vitest('unit', 'unit tests')));
  results.push(await stage('window tests', () => vitest('window', 'window tests')));

  results.push(await stage('kills in mid-answer', () => vitest('endurance', 'kills in mid-answer')));

  if (native.failed.length > 0) {
    results.push(skipped('native tests and the app in Chromium', 'the native build failed'));
    return account(results);
  }
  const desktop = await orFailure('build of the window and the desktop shell', ensureDesktopApp);
  results.push(desktop);
  if (desktop.failed.length > 0) results.push(skipped('the packaged app and the app in Chromium', 'they could not be built'));
  else {
    results.push(await stage('packaging', () => vitest('packaging', 'packaging')));
    results.push(await onDesktop());
    results.push(await inBrowser(systemRuntime()));
  }
  results.push(await onRuntime(systemRuntime()));
  results.push(await stage('mutated checkpoints', fuzzCheckpoints));
  const newer = await newerRuntime();
  results.push(
    'reason' in newer ? skipped('native and engine tests on a newer driver (cooperative matrices)', newer.reason) : await onRuntime(newer),
  );
  return account(results);
}

/** Builds the engine and tests it on the system's software Vulkan: what a change of native/ or shaders/ needs. @returns {Promise<number>} exit code */
export async function testEngine() {
  await ensureNative({ forTests: true });
  return account([await onRuntime(systemRuntime())]);
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
  return account([await stage(name, () => vitest('slice', name, { ...runtime, env }))]);
}

/** @param {Runtime | { reason: string }} runtime @returns {Promise<Counts>} */
async function onRuntime(runtime) {
  if ('reason' in runtime) return single('native tests', runtime.reason);
  const native = await stage(`native tests, ${runtime.name}`, () => googleTest(runtime));
  const engine = await stage(`engine tests, ${runtime.name}`, () => vitest('integration', `engine tests, ${runtime.name}`, runtime));
  return total([native, engine]);
}

/** The packaged app in a real Electron. @returns {Promise<Counts>} */
async function onDesktop() {
  const why = (await ensureDesktopPackages()) ?? (await whyNoDesktop());
  const found = why === undefined ? await ensureElectronRuntime() : { reason: why };
  if ('reason' in found) {
    say(`SKIPPED: the packaged app in a real Electron, because ${found.reason}`);
    return skipped('packaged app in a real Electron', found.reason);
  }
  const name = `packaged app in Electron ${found.runtime.version}`;
  return stage(name, () => vitest('desktop', name));
}

/** @param {Runtime | { reason: string }} runtime @returns {Promise<Counts>} */
async function inBrowser(runtime) {
  const name = 'app in Chromium';
  if ('reason' in runtime) return single(name, runtime.reason);
  const chromium = chromiumNames.map(which).find((path) => path !== undefined);
  if (!chromium) return skipped(name, 'this system has no Chromium or Chrome');
  return stage(name, () => browserSpecs(runtime, chromium));
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
