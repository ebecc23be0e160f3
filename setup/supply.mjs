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
export const shippedByBuilding = [
  'svelte',
  '@lucide/svelte',
  'electron',
  'node-addon-api',
  'markdown-it',
  'temml',
  'lowlight',
  'highlight.js',
  'devlop',
];

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

/** What the engine's sources include that is not ours and not the system's: folder or file -> the name under which the app shows its licence. */
export const compiledIn = { nlohmann: 'JSON for Modern C++', 'napi.h': 'node-addon-api' };
/** Names and numbers of an interface, of which nothing is left in the binary. */
const interfaces = ['vulkan', 'sys', 'linux', 'asm'];

/** @param {string} source C++ @returns {string[]} third parties, as `compiledIn` spells them */
export function thirdPartiesOf(source) {
  const included = [...source.matchAll(/^#include <([^>]+)>/gm)].map(([, path]) => /** @type {string} */ (path));
  // Headers of the standard library have no folder and no ending, those of the system an ending.
  const others = included.filter((path) => path.includes('/') || path === 'napi.h').map((path) => path.split('/')[0] ?? '');
  return [...new Set(others)].filter((name) => !interfaces.includes(name));
}

/**
 * @typedef {object} Advisory
 * @property {string} id as GitHub numbers it
 * @property {string} name of the package
 * @property {string} severity
 * @property {string} title
 */

/** What `npm audit --json` found; null where the registry gave no answer. @param {string} text @returns {Advisory[] | null} */
export function advisoriesOf(text) {
  const { vulnerabilities } =
    /** @type {{ vulnerabilities?: Record<string, { via: (string | { url: string, name: string, severity: string, title: string })[] }> }} */ (
      JSON.parse(text)
    );
  if (!vulnerabilities) return null;
  // A package that is named is faulty by way of another, which is listed itself.
  const found = Object.values(vulnerabilities).flatMap(({ via }) => via.filter((fault) => typeof fault !== 'string'));
  const byId = new Map(
    found.map(({ url, name, severity, title }) => {
      const id = url.slice(url.lastIndexOf('/') + 1);
      return [`${id} ${name}`, { id, name, severity, title }];
    }),
  );
  return [...byId.values()];
}

/**
 * What somebody has to look at: faults that nobody has judged, judgements that are too old, and judgements of what is no longer there.
 * @param {Advisory[]} advisories
 * @param {Record<string, { name: string, why: string, until: string }>} triage by id; `until`: the day on which it is judged anew
 * @param {string} today as 2026-11-28
 */
export function untriaged(advisories, triage, today) {
  const open = advisories.flatMap(({ id, name, severity, title }) => {
    const judged = triage[id];
    if (judged?.name !== name) return [`${id} (${severity}) in ${name}: ${title}. Update it, or judge it in setup/audit-triage.json.`];
    return judged.until < today ? [`${id} in ${name} was judged until ${judged.until}: "${judged.why}". Judge it anew.`] : [];
  });
  const gone = Object.entries(triage).filter(([id]) => !advisories.some((advisory) => advisory.id === id));
  return [
    ...open,
    ...gone.map(([id, { name }]) => `${id} in ${name} is judged in setup/audit-triage.json and no longer there: take it out.`),
  ];
}

/** @returns {Promise<string[] | { notAnswered: string }>} */
export async function auditFaults() {
  const { stdout, stderr } = await capture('npm', ['audit', '--json', '--package-lock-only'], { cwd: root });
  const advisories = stdout.trim() === '' ? null : advisoriesOf(stdout);
  if (!advisories) return { notAnswered: /npm error (.+)/.exec(stderr)?.[1] ?? 'npm said nothing' };
  const triage = JSON.parse(readFileSync(inRoot('setup', 'audit-triage.json'), 'utf8'));
  return untriaged(advisories, triage, new Date().toISOString().slice(0, 10));
}

/** `npm run audit`: known faults of the packages, against those that somebody has judged. */
export async function audit() {
  const faults = await auditFaults();
  if (!Array.isArray(faults))
    throw new SetupError(`the registry does not say which faults are known: ${faults.notAnswered}.`, 'Run it where it does.');
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  if (faults.length === 0) process.stdout.write('No fault is known that nobody has judged.\n');
  return faults.length === 0 ? 0 : 1;
}

/** `npm run sbom`: a CycloneDX list of every package, on standard output. What is only for development is marked as such. */
export async function sbom() {
  const { code, stdout, stderr } = await capture('npm', ['sbom', '--package-lock-only', '--sbom-format=cyclonedx'], { cwd: root });
  if (code !== 0) throw new SetupError(`npm could not list the packages: ${stderr.trim()}`, 'Run it again with npm 10 or newer.');
  process.stdout.write(stdout);
  return 0;
}
