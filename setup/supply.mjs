// What Loupe is made of: the packages that ship, their licences, and which packages run a program when they are installed.
import { readFileSync } from 'node:fs';
import { capture } from './exec.mjs';
import { inRoot, root } from './paths.mjs';
import { SetupError } from './report.mjs';

/**
 * @typedef {object} Package
 * @property {string} name
 * @property {string} version
 * @property {string} licence SPDX, as package.json states it; "" where it states none
 * @property {boolean} ships
 * @property {boolean} runsOnInstall
 */

/** Licences of what ships: each lets anybody use, change and pass on, and asks for no more than its text, or (LGPL) a library that can be replaced. */
export const allowedLicences = [
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '(MIT OR CC0-1.0)',
  'LGPL-3.0-or-later',
  'Apache-2.0 AND LGPL-3.0-or-later',
  'Apache-2.0 AND LGPL-3.0-or-later AND MIT',
];

/** Packages that would run a program of theirs on install, which .npmrc forbids, and what they lack without it. */
export const skippedInstallScripts = {
  'onnxruntime-node': 'the libraries for CUDA, hundreds of megabytes that Loupe does not use',
  'electron-winstaller': 'its own 7-Zip, for a kind of Windows installer that Loupe does not make',
};

/** Development packages of which code is built into the window, or that are what the app runs on. */
export const shippedByBuilding = ['svelte', '@lucide/svelte', 'electron', 'markdown-it', 'temml', 'lowlight', 'highlight.js', 'devlop'];

/** Every package of the lock file. @param {string} text of package-lock.json @returns {Package[]} */
export function packagesOf(text) {
  const { packages } =
    /** @type {{ packages: Record<string, { version: string, license?: string, dev?: boolean, devOptional?: boolean, hasInstallScript?: boolean }> }} */ (
      JSON.parse(text)
    );
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, { version, license = '', dev = false, devOptional = false, hasInstallScript = false }]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      return {
        name,
        version,
        licence: license,
        ships: !(dev || devOptional) || shippedByBuilding.includes(name),
        runsOnInstall: hasInstallScript,
      };
    });
}

export const lockedPackages = () => packagesOf(readFileSync(inRoot('package-lock.json'), 'utf8'));

/** What may not be: a sentence each. @param {Package[]} packages */
export function faultsOf(packages) {
  return packages.flatMap(({ name, version, licence, ships, runsOnInstall }) => [
    ...(ships && !allowedLicences.includes(licence)
      ? [`${name} ${version} ships and its licence is "${licence}", which is not on the list.`]
      : []),
    ...(runsOnInstall && !Object.hasOwn(skippedInstallScripts, name)
      ? [`${name} ${version} has a program to run when it is installed, and is not on the list of those that work without.`]
      : []),
  ]);
}

/** `npm run sbom`: a CycloneDX list of every package, on standard output. What is only for development is marked as such. */
export async function sbom() {
  const { code, stdout, stderr } = await capture('npm', ['sbom', '--package-lock-only', '--sbom-format=cyclonedx'], { cwd: root });
  if (code !== 0) throw new SetupError(`npm could not list the packages: ${stderr.trim()}`, 'Run it again with npm 10 or newer.');
  process.stdout.write(stdout);
  return 0;
}
