// The entry of every npm script: `node setup/run.mjs <command> [arguments]`.
// Runs on Node 20 without any package; sets up what is missing and continues under Node 24.
import { fileURLToPath } from 'node:url';
import { check } from './check.mjs';
import { dev } from './dev.mjs';
import { findElectron, packageApp, startElectron } from './electron.mjs';
import { runInForeground } from './exec.mjs';
import { fix } from './format.mjs';
import { benchHotkey } from './hotkey-benchmark.mjs';
import { ensureNative, rebuildAddon } from './native.mjs';
import { ensureNode, environmentOf } from './node24.mjs';
import { ensurePackages } from './packages.mjs';
import { inRoot, root } from './paths.mjs';
import { unusableIn } from './place.mjs';
import { ensureRenderer } from './renderer.mjs';
import { say, SetupError } from './report.mjs';
import { shaderStats } from './shader-stats.mjs';
import { audit, sbom } from './supply.mjs';
import { benchStart } from './start-benchmark.mjs';
import { slice, test, testEngine } from './test.mjs';
import { predict } from './time-model.mjs';
import { benchText } from './text-benchmark.mjs';

/** @param {string[]} args */
async function loupe(args) {
  // What only prints something, or speaks with a Loupe that runs, needs no engine.
  const needsNoEngine =
    args.length === 0 || ['help', '--version', 'mcp'].includes(args[0] ?? '') || args.includes('--help') || args.includes('-h');
  if (!needsNoEngine) await ensureNative({ forTests: false });
  if (!needsNoEngine && args[0] === 'serve') await ensureRenderer();
  // npm runs scripts in the package's folder; paths on the command line are relative to where the person is.
  return runInForeground(process.execPath, [inRoot('main/cli/loupe.ts'), ...args], { cwd: process.env['INIT_CWD'] ?? process.cwd() });
}

/** The app: in its own window where there is an Electron, else in the browser. @param {string[]} args */
async function start(args) {
  const electron = await findElectron();
  if ('binary' in electron) return startElectron(electron.binary, args);
  say(`${electron.reason}, so Loupe opens in your browser instead. Only this computer can reach it.`);
  return loupe(['serve', ...args]);
}

/** @type {Record<string, (args: string[]) => Promise<number>>} */
const commands = {
  start,
  loupe,
  dev,
  addon: rebuildAddon,
  fix,
  check,
  test,
  'test-engine': testEngine,
  slice,
  package: packageApp,
  'bench-hotkey': benchHotkey,
  'bench-text': benchText,
  'bench-start': benchStart,
  'shader-stats': shaderStats,
  predict,
  sbom,
  audit,
};

async function main() {
  const [name = '', ...args] = process.argv.slice(2);
  const command = commands[name];
  if (!command) throw new SetupError(`unknown command "${name}".`, `Known: ${Object.keys(commands).join(', ')}.`);

  const unusable = unusableIn(root);
  if (unusable) {
    const message = `this checkout is at ${root}, and the tools that build Loupe cannot handle ${unusable} in a path.`;
    throw new SetupError(message, 'Move or rename the folder so that its path has none.');
  }

  const node = await ensureNode();
  if (node !== process.execPath)
    return runInForeground(node, [fileURLToPath(import.meta.url), name, ...args], { env: environmentOf(node) });
  await ensurePackages();
  // What Node compiled, types taken away, is kept for the next of the many processes: each starts in a third of the time.
  process.env['NODE_COMPILE_CACHE'] ??= inRoot('build', 'compile-cache');
  return command(args);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`${error.message}\n       ${error.nextStep}`);
  process.exitCode = 1;
}
