// The entry of every npm script: `node setup/run.mjs <start|loupe|test|slice|ready|fix|package|bench-hotkey> [arguments]`.
// Runs on Node 20 without any package; sets up what is missing and goes on under Node 24.
import { fileURLToPath } from 'node:url';
import { findElectron, packageApp, startElectron } from './electron.mjs';
import { become } from './exec.mjs';
import { fix } from './format.mjs';
import { benchHotkey } from './hotkey-benchmark.mjs';
import { ensureNative } from './native.mjs';
import { ensureNode, environmentOf } from './node24.mjs';
import { ensurePackages } from './packages.mjs';
import { inRoot, root } from './paths.mjs';
import { unusableIn } from './place.mjs';
import { ensureRenderer } from './renderer.mjs';
import { say, SetupError } from './report.mjs';
import { slice, test } from './test.mjs';

/** @param {string[]} args */
async function loupe(args) {
  // What only says something needs no engine.
  const speaks = args.length === 0 || ['help', '--version'].includes(args[0] ?? '') || args.includes('--help') || args.includes('-h');
  if (!speaks) await ensureNative({ forTests: false });
  if (!speaks && args[0] === 'serve') await ensureRenderer();
  // npm runs scripts in the package's folder; paths on the command line are meant from where the person is.
  return become(process.execPath, [inRoot('main/cli/loupe.ts'), ...args], { cwd: process.env['INIT_CWD'] ?? process.cwd() });
}

/** The app: in its own window where Electron is, else in the browser. @param {string[]} args */
async function start(args) {
  const electron = await findElectron();
  if ('binary' in electron) return startElectron(electron.binary, args);
  say(`${electron.reason}: Loupe opens in your browser instead (for this machine alone).`);
  return loupe(['serve', ...args]);
}

/** @type {Record<string, (args: string[]) => Promise<number>>} */
const commands = {
  start,
  loupe,
  test: () => test({ newerDriver: true }),
  ready: () => test({ newerDriver: false }),
  slice,
  fix,
  package: packageApp,
  'bench-hotkey': benchHotkey,
};

async function main() {
  const [name = '', ...args] = process.argv.slice(2);
  const command = commands[name];
  if (!command) throw new SetupError(`unknown command "${name}".`, `Known: ${Object.keys(commands).join(', ')}.`);

  const unusable = unusableIn(root);
  if (unusable) {
    const message = `this checkout lies at ${root}, and the tools that build Loupe stumble over ${unusable} in a path.`;
    throw new SetupError(message, 'Move it to a folder without that in its name, or rename the folder.');
  }

  const node = await ensureNode();
  if (node !== process.execPath) return become(node, [fileURLToPath(import.meta.url), name, ...args], { env: environmentOf(node) });
  await ensurePackages();
  return command(args);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`${error.message}\n       ${error.nextStep}`);
  process.exitCode = 1;
}
