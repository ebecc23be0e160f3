// The checks behind `npm test`. Each returns counts and never throws for what it checks.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { countGoogleTest, countVitest, single, total } from './counts.mjs';
import { describeEnd, follow, followAndKeep } from './exec.mjs';
import { formatTree } from './format.mjs';
import { inRoot, nativeBuild, reports, root } from './paths.mjs';
import { say } from './report.mjs';

/** @typedef {import('./counts.mjs').Counts} Counts */
/** @typedef {{ name: string, launch?: string[], node?: string, env: NodeJS.ProcessEnv }} Runtime where native code is tested */

/** @param {string} path inside node_modules @param {string[]} args @param {string} name @returns {Promise<Counts>} */
async function tool(path, args, name) {
  const end = await follow(process.execPath, [inRoot('node_modules', path), ...args], { cwd: root });
  return single(name, end.code === 0 ? undefined : `${describeEnd(end)} (see the log above)`);
}

export const checkedFolders = ['main', 'setup', 'fixtures', 'resources', 'e2e'];

/** @param {string} folder */
export const types = (folder) => tool('typescript/bin/tsc', ['--noEmit', '--project', folder], `types of ${folder}/`);

/** Components and the TypeScript beside them. */
export const windowTypes = () =>
  tool(
    'svelte-check/bin/svelte-check',
    ['--workspace', inRoot('renderer'), '--tsconfig', inRoot('renderer', 'tsconfig.json'), '--fail-on-warnings'],
    'types of renderer/',
  );

export const lint = () => tool('eslint/bin/eslint.js', ['--max-warnings=0', '.'], 'lint');

/** Whether every file is as the formatters write it. @returns {Promise<Counts>} */
export async function format() {
  const wrong = await formatTree({ write: false });
  for (const path of wrong) say(`not as the formatter writes it: ${path}`);
  return single('format', wrong.length === 0 ? undefined : `${wrong.length} files are not formatted, such as ${wrong[0]}: run npm run fix`);
}

/**
 * @param {string} path @param {string} stage @param {import('./exec.mjs').Ended} end
 * @param {(report: any, stage: string) => Counts} count
 * @returns {Counts}
 */
function countReport(path, stage, end, count) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return single(stage, `${describeEnd(end)} before it wrote its report (see the log above)`);
  }
  const counts = count(report, stage);
  if (counts.passed + counts.failed.length + counts.skipped.length === 0) return single(stage, 'no test ran');
  // The exit code has the last word: a crash after the report, or a report of an incomplete run.
  if (end.code !== 0 && counts.failed.length === 0) counts.failed.push({ name: stage, why: `${describeEnd(end)}, though no test failed` });
  return counts;
}

/** @param {string} stage */
function reportFor(stage) {
  mkdirSync(reports, { recursive: true });
  const path = join(reports, `${stage.replaceAll(/[^a-z0-9]+/gi, '-')}.json`);
  rmSync(path, { force: true });
  return path;
}

/**
 * @param {'unit' | 'window' | 'packaging' | 'desktop' | 'endurance' | 'integration' | 'slice'} project of vitest.config.ts
 * @param {string} stage
 * @param {Runtime} [runtime]
 */
export async function vitest(project, stage, runtime) {
  const report = reportFor(stage);
  const args = ['run', '--project', project, '--reporter=default', `--reporter=${inRoot('setup/vitest-report.mjs')}`];
  const env = { ...(runtime?.env ?? process.env), LOUPE_TEST_REPORT: report };
  const end = await follow(runtime?.node ?? process.execPath, [inRoot('node_modules/vitest/vitest.mjs'), ...args], { cwd: root, env });
  return countReport(report, stage, end, countVitest);
}

/** The app in a real browser, with the real engine. @param {Runtime} runtime @param {string} chromium @returns {Promise<Counts>} */
export async function browserSpecs(runtime, chromium) {
  const stage = 'app in Chromium';
  const report = reportFor(stage);
  const args = ['test', '--config', inRoot('e2e'), `--reporter=list,${inRoot('setup/playwright-report.mjs')}`];
  const env = { ...runtime.env, LOUPE_TEST_REPORT: report, LOUPE_CHROMIUM: chromium };
  const end = await follow(process.execPath, [inRoot('node_modules/playwright/cli.js'), ...args], { cwd: root, env });
  return countReport(report, stage, end, countVitest);
}

/** The C++ tests. @param {Runtime} runtime */
export async function googleTest(runtime) {
  const stage = `native tests, ${runtime.name}`;
  const report = reportFor(stage);
  const [program = '', ...args] = [...(runtime.launch ?? []), join(nativeBuild, 'loupe_tests'), `--gtest_output=json:${report}`];
  const end = await followAndKeep(program, args, { cwd: root, env: runtime.env });
  return countReport(report, stage, end, (found, name) => countGoogleTest(found, end.output, name));
}

/** 200,000 mutated headers and configurations of safetensors, and as many GGUF files, through the parsers, under the address sanitizer. @returns {Promise<Counts>} */
export async function fuzzCheckpoints() {
  const counts = [];
  for (const [program, stage] of /** @type {const} */ ([
    ['fuzz_checkpoint', 'mutated checkpoints'],
    ['fuzz_gguf', 'mutated GGUF files'],
  ])) {
    const end = await follow(join(nativeBuild, program), ['200000'], { cwd: root });
    counts.push(single(stage, end.code === 0 ? undefined : `${describeEnd(end)} (see the log above)`));
  }
  return total(counts);
}
