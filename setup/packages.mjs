// npm packages, exactly as package-lock.json names them.
import { readFileSync } from 'node:fs';
import { follow } from './exec.mjs';
import { withLock } from './lock.mjs';
import { inRoot, root, setupLock } from './paths.mjs';
import { say, SetupError } from './report.mjs';

/** @typedef {{ packages: Record<string, { version?: string, integrity?: string, optional?: boolean }> }} Lockfile */

/**
 * Locked packages that are absent or another version. Optional ones may be absent: they are the binaries of other systems.
 * @param {Lockfile} locked package-lock.json
 * @param {Lockfile} installed node_modules/.package-lock.json, which npm keeps of what it installed
 */
export function missingPackages(locked, installed) {
  return Object.entries(locked.packages)
    .filter(([path, wanted]) => {
      if (path === '') return false;
      const found = installed.packages[path];
      return found ? found.version !== wanted.version || found.integrity !== wanted.integrity : !wanted.optional;
    })
    .map(([path]) => path);
}

/** @param {string} path @returns {Lockfile} */
function readLockfile(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { packages: {} };
  }
}

export async function ensurePackages() {
  if (packagesMissing() === 0) return;
  await withLock(setupLock, async () => {
    // The process that we waited for may have installed them.
    const missing = packagesMissing();
    if (missing === 0) return;
    say(`installing npm packages (${missing} missing or changed) ...`);
    const end = await follow('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root });
    if (end.code !== 0) throw new SetupError('`npm ci` failed (see above).', 'Check the network and the npm registry, then run again.');
  });
}

function packagesMissing() {
  return missingPackages(readLockfile(inRoot('package-lock.json')), readLockfile(inRoot('node_modules', '.package-lock.json'))).length;
}
