// `npm test` and its shorter and longer relatives: which checks run, and the account of them at the end.
import { browserSpecs, checkedFolders, format, fuzzCheckpoints, googleTest, lint, types, vitest, windowTypes } from './checks.mjs';
import { allGood, single, skipped, summaryLine, total } from './counts.mjs';
import { whyNoDesktop } from './desktop.mjs';
import { ensureDesktopApp } from './electron.mjs';
import { ensureElectronRuntime } from './electron-runtime.mjs';
import { which } from './exec.mjs';
import { ensureNative } from './native.mjs';
import { ensureNewerDriver } from './newer-driver.mjs';
import { say, SetupError } from './report.mjs';
import { ensureSliceCheckpoint } from './slice-checkpoint.mjs';
import { softwareVulkan } from './software-vulkan.mjs';
import { chromiumNames, driverManifests, ensureDesktopPackages } from './system-packages.mjs';

/** @typedef {import('./counts.mjs').Counts} Counts */
/** @typedef {import('./checks.mjs').Runtime} Runtime */

/** @param {{ newerDriver: boolean }} options @returns {Promise<number>} exit code */
export async function test({ newerDriver }) {
  const results = [];
  const native = await orFailure('native build', () => ensureNative({ forTests: true }));
  results.push(native);

  results.push(await stage('format', format));
  for (const folder of checkedFolders) results.push(await stage(`types of ${folder}/`, () => types(folder)));
  results.push(await stage('types of renderer/', windowTypes));
  results.push(await stage('lint', lint));
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
  if (newerDriver) {
    results.push(await stage('mutated checkpoints', fuzzCheckpoints));
    const newer = await newerRuntime();
    results.push(
      'reason' in newer
        ? skipped('native and engine tests on a newer driver (cooperative matrices)', newer.reason)
        : await onRuntime(newer),
    );
  }
  return account(results);
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

/** @param {string} name @param {() => Promise<Counts>} check */
async function stage(name, check) {
  say(`--- ${name}`);
  const start = performance.now();
  const counts = await check();
  say(`${name}: ${summaryLine(counts)} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return counts;
}

/** A step that must succeed, as a check. @param {string} name @param {() => Promise<void>} step @returns {Promise<Counts>} */
async function orFailure(name, step) {
  try {
    await step();
    return single(name);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(`${error.message}\n       ${error.nextStep}`);
    return single(name, `${error.message} ${error.nextStep}`);
  }
}

/** @param {Counts[]} results @returns {number} exit code */
function account(results) {
  const counts = total(results);
  const list = [
    ...counts.skipped.map((test) => ({ ...test, how: 'SKIPPED' })),
    ...counts.failed.map((test) => ({ ...test, how: 'FAILED' })),
  ];
  for (const { how, name, why } of list) process.stdout.write(`${how}  ${name}: ${why}\n`);
  process.stdout.write(`${summaryLine(counts)}\n`);
  return allGood(counts) ? 0 : 1;
}
