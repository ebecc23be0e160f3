// `npm run bench:hotkey`: how long after the hotkey the frozen picture is there, and whether a round is ever lost, in the packaged
// app on a screen in memory. Rounds come in seeded order: main window in front, behind or hidden; left with Esc, or taken.
import { readFileSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startDesktop, until } from './desktop.mjs';
import { ensureDesktopApp } from './electron.mjs';
import { ensureElectronRuntime } from './electron-runtime.mjs';
import { driveApp, hotkey, packageAround } from './packaged-app.mjs';
import { SetupError } from './report.mjs';
import { ensureDesktopPackages } from './system-packages.mjs';

/** @typedef {'front' | 'behind' | 'hidden'} Place */
/** @typedef {'Esc' | 'drag' | 'Enter'} End */
/** @typedef {{ place: Place, end: End, ms: number, waited: number, load: number }} Round */

/** @type {Place[]} */
const places = ['front', 'behind', 'hidden'];
/** @type {End[]} */
const ends = ['Esc', 'drag', 'Enter'];

/** After this long a round counts as lost. */
const patienceMs = 30_000;

/** @param {string[]} args `--rounds N`, `--seed N`, `--app EXECUTABLE` for another build @returns {Promise<number>} exit code */
export async function benchHotkey(args) {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' }, app: { type: 'string' } },
  });
  const missing = await ensureDesktopPackages();
  if (missing) throw new SetupError('the packaged app cannot be put on a screen here.', missing);
  const packaged = values.app ? { folder: undefined, executable: values.app } : await packageOurs();
  const desktop = await startDesktop({ width: 1280, height: 800 });
  try {
    const app = driveApp(desktop, packaged.executable);
    app.start();
    await until('main window', app.main);
    report(await play({ desktop, app, rounds: Number(values.rounds), seed: Number(values.seed) }));
    reportSteps(readFileSync(join(desktop.data, 'logs', 'loupe.log'), 'utf8'));
    return 0;
  } finally {
    await desktop.stop();
    if (packaged.folder) rmSync(packaged.folder, { recursive: true, force: true });
  }
}

async function packageOurs() {
  await ensureDesktopApp();
  const found = await ensureElectronRuntime();
  if ('reason' in found)
    throw new SetupError(`${found.reason}.`, 'Install Electron (node node_modules/electron/install.js) and run again.');
  return packageAround(found.runtime);
}

/** @param {{ desktop: import('./desktop.mjs').Desktop, app: import('./packaged-app.mjs').Driver, rounds: number, seed: number }} game */
async function play({ desktop, app, rounds, seed }) {
  const { randomNumbers } = await import('../main/test/random.ts');
  const random = randomNumbers(seed);
  /** @type {<Item>(items: readonly Item[]) => Item} */
  const pick = (items) => /** @type {any} */ (items[Math.floor(random() * items.length)]);
  /** @type {Round[]} */
  const done = [];
  /** @type {string[]} */
  const lost = [];
  for (let number = 1; number <= rounds; number++) {
    const place = pick(places);
    const end = pick(ends);
    await put(desktop, app, place);
    await sleep(300 + 1500 * random());
    const start = performance.now();
    const watched = monitorEventLoopDelay({ resolution: 5 });
    watched.enable();
    try {
      await desktop.key(hotkey);
      await app.pictureShown(patienceMs);
      done.push({ place, end, ms: performance.now() - start, waited: watched.max / 1e6, load: loadavg()[0] ?? 0 });
      await app.openOverlay(() => {});
      await leave(desktop, app, end, random);
    } catch (error) {
      const windows = (await desktop.windows()).map(({ width, height }) => `${width} x ${height}`).join(', ');
      lost.push(`round ${number} (${place}, ${end}): ${error instanceof Error ? error.message : String(error)}; windows: ${windows}`);
      process.stderr.write(`LOST ${lost.at(-1)}\n`);
      await desktop.key('Escape');
    }
    if (number % 20 === 0) process.stderr.write(`${number} rounds, ${lost.length} lost\n`);
  }
  return { rounds, done, lost };
}

/**
 * Where the main window is before a round.
 * @param {import('./desktop.mjs').Desktop} desktop
 * @param {import('./packaged-app.mjs').Driver} app
 * @param {Place} place
 */
async function put(desktop, app, place) {
  const shown = await app.main();
  if (place === 'hidden') {
    if (!shown) return;
    await desktop.activate(shown.id);
    await desktop.key('alt+F4');
    await app.mainGone();
    return;
  }
  const { id } = shown ?? (await app.showMain());
  await desktop.activate(id);
  if (place === 'behind') await desktop.leaveWindows();
}

/**
 * @param {import('./desktop.mjs').Desktop} desktop
 * @param {import('./packaged-app.mjs').Driver} app
 * @param {End} end
 * @param {() => number} random
 */
async function leave(desktop, app, end, random) {
  if (end === 'Esc') {
    await desktop.key('Escape');
    await app.overlayGone();
    return;
  }
  if (end === 'Enter') await desktop.key('Return');
  else {
    // No two crops alike: the same picture is kept once.
    const at = { x: 300 + Math.round(200 * random()), y: 200 + Math.round(200 * random()) };
    await app.take(at, { x: at.x + 40 + Math.round(300 * random()), y: at.y + 40 + Math.round(200 * random()) });
  }
  await until('quick-ask window', app.quick, { patienceMs });
  await desktop.key('Escape');
  await app.quickGone();
}

/** A lost round may have been timed before it was lost. @param {{ rounds: number, done: Round[], lost: string[] }} result */
function report({ rounds, done, lost }) {
  const say = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);
  const sorted = done.toSorted((a, b) => a.ms - b.ms);
  const at = (/** @type {number} */ part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]?.ms ?? NaN;
  const median = at(0.5);
  say(`${rounds} rounds, ${lost.length} lost`);
  say(`  from the hotkey to the picture in the overlay: median ${ms(median)}, p99 ${ms(at(0.99))}, longest ${ms(at(1))}`);
  for (const place of places) {
    const these = sorted.filter((round) => round.place === place);
    say(
      `  main window ${place}: ${these.length} rounds, median ${ms(these[Math.floor(these.length / 2)]?.ms ?? NaN)}, ` +
        `longest ${ms(these.at(-1)?.ms ?? NaN)}`,
    );
  }
  say(`  slower than three times the median: ${sorted.filter((round) => round.ms > 3 * median).length}`);
  say('  the slowest:');
  for (const round of sorted.slice(-5).reverse()) {
    const watcher = `this process, which only watches, waited up to ${ms(round.waited)} for a core`;
    say(`    ${ms(round.ms)}: ${round.place}, ${round.end}; ${watcher}; load ${round.load.toFixed(1)}`);
  }
  for (const line of lost) say(`  LOST ${line}`);
}

/** What the app itself has measured, of the rounds whose lines its log still holds. @param {string} log */
function reportSteps(log) {
  /** @type {Map<string, number[]>} */
  const steps = new Map();
  for (const [, parts = ''] of log.matchAll(/frozen screen shown after \d+ ms: (.*)/g))
    for (const [, step = '', took] of parts.matchAll(/(\w+) (\d+)/g)) steps.set(step, [...(steps.get(step) ?? []), Number(took)]);
  process.stdout.write('  steps, in the app (medians):\n');
  for (const [step, times] of steps) {
    const sorted = times.toSorted((a, b) => a - b);
    process.stdout.write(`    ${step}: ${ms(sorted[Math.floor(sorted.length / 2)] ?? NaN)}, longest ${ms(sorted.at(-1) ?? NaN)}\n`);
  }
}

/** @param {number} value */
const ms = (value) => `${value.toFixed(0)} ms`;
