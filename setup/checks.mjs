// The checks behind `npm test` and `npm run check`. Each returns counts and does not throw for what it finds.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { countGoogleTest, countVitest, single } from './counts.mjs';
import { capture, describeEnd, follow, followAndKeep } from './exec.mjs';
import { formatTree } from './format.mjs';
import { inRoot, nativeBuild, reports, root } from './paths.mjs';
import { lintPython } from './python.mjs';
import { say } from './report.mjs';
import { Passed, readTree } from './tree.mjs';

/** @typedef {import('./counts.mjs').Counts} Counts */
/** @typedef {{ name: string, launch?: string[], node?: string, env: NodeJS.ProcessEnv }} Runtime where native code is tested */

/**
 * A program of node_modules/. What it prints comes at its end and at once, since others may run beside it.
 * @param {string} path inside node_modules
 * @param {string[]} args
 * @param {string} name
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<Counts>}
 */
async function tool(path, args, name, env = process.env) {
  const end = await capture(process.execPath, [inRoot('node_modules', path), ...args], { cwd: root, env });
  process.stderr.write(end.stdout + end.stderr);
  return single(name, end.code === 0 ? undefined : `${describeEnd(end)} (see the log above)`);
}

export const checkedFolders = ['main', 'setup', 'fixtures', 'resources', 'training', 'e2e'];

/** TypeScript's own record of the folder lets it look again only at what changed. @param {string} folder */
export const types = (folder) =>
  tool(
    'typescript/bin/tsc',
    ['--noEmit', '--project', folder, '--incremental', '--tsBuildInfoFile', inRoot('build', 'checked', `${folder}.tsbuildinfo`)],
    `types of ${folder}/`,
  );

/** Components and the TypeScript beside them. */
export const windowTypes = () =>
  tool(
    'svelte-check/bin/svelte-check',
    ['--workspace', inRoot('renderer'), '--tsconfig', inRoot('renderer', 'tsconfig.json'), '--fail-on-warnings'],
    'types of renderer/',
  );

/** Who may import whom: .dependency-cruiser.js. */
export const boundaries = () =>
  tool(
    'dependency-cruiser/bin/dependency-cruiser.mjs',
    ['--config', '.dependency-cruiser.js', 'main', 'renderer', 'setup'],
    'import rules',
  );

/** @param {string} path */
export const isLinted = (path) => /\.(ts|mjs|js|svelte)$/.test(path);

/** @param {string[]} files @param {(path: string) => void} clean is called with every file without a fault @returns {Promise<Counts>} */
export async function lint(files, clean) {
  const report = reportFor('lint');
  const options = ['--max-warnings=0', '--no-warn-ignored', '--format', inRoot('setup/lint-report.mjs')];
  const counts = await tool('eslint/bin/eslint.js', [...options, '--', ...files], 'lint', { ...process.env, LOUPE_LINT_REPORT: report });
  for (const path of readReport(report) ?? []) clean(path);
  return counts;
}

/**
 * Lint of what changed, and of all that reads it: what a rule says of a file follows from the types that it imports.
 * @returns {Promise<Counts>}
 */
export async function lintEverything() {
  const tree = await readTree();
  const clean = new Passed('lint-with-imports');
  const files = tree.files.filter((path) => isLinted(path) && !clean.has(tree.everything([path, 'eslint.config.js'])));
  const counts = files.length === 0 ? single('lint') : await lint(files, (path) => clean.add(tree.everything([path, 'eslint.config.js'])));
  clean.save();
  return counts;
}

/** Python of training/ and fixtures/, by ruff's rules. @returns {Promise<Counts>} */
export async function python() {
  const faults = await lintPython();
  for (const fault of faults) say(fault);
  return single('lint of Python', faults.length === 0 ? undefined : `${faults.length} faults, such as ${faults[0]}`);
}

/** Whether every file is formatted. @returns {Promise<Counts>} */
export async function format() {
  const wrong = await formatTree({ write: false });
  for (const path of wrong) say(`not formatted: ${path}`);
  return single(
    'format',
    wrong.length === 0
      ? undefined
      : `${wrong[0]}${wrong.length > 1 ? ` and ${wrong.length - 1} more` : ''}: not formatted; run \`npm run fix\``,
  );
}

/**
 * @param {string} path @param {string} stage @param {import('./exec.mjs').Ended} end
 * @param {(report: any, stage: string) => Counts} count
 * @returns {Counts}
 */
function countReport(path, stage, end, count) {
  const report = readReport(path);
  if (!report) return single(stage, `${describeEnd(end)} before it wrote its report (see the log above)`);
  const counts = count(report, stage);
  if (counts.passed + counts.failed.length + counts.skipped.length === 0) return single(stage, 'no test ran');
  // The exit code decides: there may be a crash after the report, or a report of an incomplete run.
  if (end.code !== 0 && counts.failed.length === 0) counts.failed.push({ name: stage, why: `${describeEnd(end)}, though no test failed` });
  return counts;
}

/** @param {string} path @returns {any} undefined where there is none */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** @param {string} stage */
function reportFor(stage) {
  mkdirSync(reports, { recursive: true });
  const path = join(reports, `${stage.replaceAll(/[^a-z0-9]+/gi, '-')}.json`);
  rmSync(path, { force: true });
  return path;
}

/**
 * Files at a time of the unit tests, which wait for timers and processes more than they compute: one more than CI's machine has
 * cores. Vitest's own choice there would be one.
 */
const atOnce = Math.max(3, availableParallelism() - 1);

/**
 * @param {string | string[]} projects of vitest.config.ts
 * @param {string} stage
 * @param {Runtime} [runtime]
 */
export async function vitest(projects, stage, runtime) {
  const report = reportFor(stage);
  const args = ['run', '--reporter=default', `--reporter=${inRoot('setup/vitest-report.mjs')}`];
  for (const project of [projects].flat()) args.push('--project', project);
  if (projects === 'unit') args.push(`--maxWorkers=${atOnce}`);
  const env = { ...(runtime?.env ?? process.env), LOUPE_TEST_REPORT: report };
  const program = runtime?.node ?? process.execPath;
  const end = await follow(program, [inRoot('node_modules/vitest/vitest.mjs'), ...args], { cwd: root, env, label: stage });
  return countReport(report, stage, end, countVitest);
}

/**
 * The tests of these files.
 * @param {string[]} files
 * @param {(path: string) => void} passed is called with every file whose tests passed
 * @returns {Promise<Counts>}
 */
export async function vitestFiles(files, passed) {
  const report = reportFor('tests of what changed');
  const projects = ['--project', 'unit', '--project', 'window'];
  const args = [
    'run',
    ...projects,
    `--maxWorkers=${atOnce}`,
    '--reporter=default',
    `--reporter=${inRoot('setup/vitest-report.mjs')}`,
    ...files,
  ];
  const env = { ...process.env, LOUPE_TEST_REPORT: report };
  const end = await capture(process.execPath, [inRoot('node_modules/vitest/vitest.mjs'), ...args], { cwd: root, env });
  if (end.code !== 0) process.stderr.write(end.stdout + end.stderr);
  for (const path of readReport(report)?.passedFiles ?? []) passed(path);
  return countReport(report, 'tests', end, countVitest);
}

/** The app in a real browser, with the real engine. @param {Runtime} runtime @param {string} chromium @returns {Promise<Counts>} */
export async function browserSpecs(runtime, chromium) {
  const stage = 'app in Chromium';
  const report = reportFor(stage);
  const args = ['test', '--config', inRoot('e2e'), `--reporter=list,${inRoot('setup/playwright-report.mjs')}`];
  const env = { ...runtime.env, LOUPE_TEST_REPORT: report, LOUPE_CHROMIUM: chromium };
  const end = await follow(process.execPath, [inRoot('node_modules/playwright/cli.js'), ...args], { cwd: root, env, label: stage });
  return countReport(report, stage, end, countVitest);
}

/** The C++ tests. @param {Runtime} runtime */
export async function googleTest(runtime) {
  const stage = `native tests, ${runtime.name}`;
  const report = reportFor(stage);
  const [program = '', ...args] = [...(runtime.launch ?? []), join(nativeBuild, 'loupe_tests'), `--gtest_output=json:${report}`];
  const end = await followAndKeep(program, args, { cwd: root, env: runtime.env, label: stage });
  return countReport(report, stage, end, (found, name) => countGoogleTest(found, end.output, name));
}

/**
 * 200,000 mutated files through the parsers, under the address sanitizer.
 * @param {'fuzz_checkpoint' | 'fuzz_gguf'} program headers and configurations of safetensors, or GGUF files
 * @param {string} stage
 * @returns {Promise<Counts>}
 */
export async function fuzz(program, stage) {
  const end = await follow(join(nativeBuild, program), ['200000'], { cwd: root, label: stage });
  return single(stage, end.code === 0 ? undefined : `${describeEnd(end)} (see the log above)`);
}
