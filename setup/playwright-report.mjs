// A Playwright reporter that writes what counts.mjs reads, in the form of vitest-report.mjs.
import { writeFileSync } from 'node:fs';

/** @typedef {import('playwright/types/testReporter').TestCase} TestCase */

export default class Report {
  /** @type {TestCase[]} */
  #tests = [];
  /** @type {import('./counts.mjs').Named[]} */
  #outside = [];

  /** @param {import('playwright/types/testReporter').FullConfig} _config @param {import('playwright/types/testReporter').Suite} suite */
  onBegin(_config, suite) {
    this.#tests = suite.allTests();
  }

  /** @param {{ message?: string }} error */
  onError(error) {
    this.#outside.push({ name: 'outside the specs', why: error.message ?? 'unknown' });
  }

  onEnd() {
    /** @type {import('./counts.mjs').VitestReport} */
    const report = { tests: this.#tests.map(describe), outside: this.#outside };
    writeFileSync(process.env['LOUPE_TEST_REPORT'] ?? 'playwright-report.json', JSON.stringify(report));
  }
}

/** @param {TestCase} test @returns {import('./counts.mjs').VitestTest} */
function describe(test) {
  const [, project = '', , ...titles] = test.titlePath();
  const name = `${project}: ${titles.join(' > ')}`;
  const result = test.results.at(-1);
  if (test.outcome() === 'skipped' && result?.status === 'skipped') {
    return { name, state: 'skipped', why: test.annotations.find(({ type }) => type === 'skip')?.description ?? '' };
  }
  const passed = result?.status === 'passed';
  return {
    name,
    state: passed ? 'passed' : 'failed',
    why: passed ? '' : (result?.error?.message ?? `ended as ${result?.status ?? 'not run'}`),
  };
}
