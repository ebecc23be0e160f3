// Node 24: it runs TypeScript directly, and packages with native parts expect it. An older Node (20 or later) may
// start set-up; Node 24 then comes from the npm registry into .tools/, and nothing outside the checkout changes.
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { capture, follow } from './exec.mjs';
import { tools } from './paths.mjs';
import { say, SetupError } from './report.mjs';
import { atLeast, parseVersion } from './versions.mjs';

const least = [24];

/** @param {string} version as in process.version */
export function isRecentEnough(version) {
  const parsed = parseVersion(version);
  return parsed !== undefined && atLeast(parsed, least);
}

/** The npm package with a Node 24 binary for a system, if there is one. @param {string} platform @param {string} arch */
export function nodePackage(platform, arch) {
  return platform === 'linux' && (arch === 'x64' || arch === 'arm64') ? `node-linux-${arch}` : undefined;
}

/** The path of a Node that is recent enough: this one, the one in .tools/, or one that is fetched now. */
export async function ensureNode() {
  if (isRecentEnough(process.version)) return process.execPath;

  const name = nodePackage(process.platform, process.arch);
  if (!name) {
    throw new SetupError(
      `Loupe needs Node 24 or later; this is ${process.version}.`,
      'Install Node 24 from https://nodejs.org and run the same command again.',
    );
  }
  const node = join(tools, 'node_modules', name, 'bin', 'node');
  if (!existsSync(node)) {
    say(`this is Node ${process.version}; fetching Node 24 into .tools/ ...`);
    const end = await follow('npm', ['install', '--prefix', tools, '--no-audit', '--no-fund', '--loglevel=error', `${name}@24`]);
    if (end.code !== 0)
      throw new SetupError(
        `npm could not fetch ${name}@24.`,
        'Check the network or the npm registry, or install Node 24 from https://nodejs.org, and run again.',
      );
    // The binary needs glibc 2.28; elsewhere (Alpine, very old systems) it is there and cannot run.
    const { stdout } = await capture(node, ['--version']);
    if (!isRecentEnough(stdout))
      throw new SetupError(`${node} does not run on this system.`, "Install Node 24 with the system's own package manager and run again.");
  }
  return node;
}

/** The environment in which `node` and `npm` mean the given Node. @param {string} node @returns {NodeJS.ProcessEnv} */
export function environmentOf(node) {
  return { ...process.env, PATH: dirname(node) + delimiter + (process.env['PATH'] ?? '') };
}
