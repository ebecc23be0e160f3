// What tests reported, as counts. Every check ends here, so that one line can say how many passed.

/** @typedef {{ name: string, why: string }} Named */
/** @typedef {{ passed: number, failed: Named[], skipped: Named[] }} Counts */

/** A check that is one thing, as type-checking a folder. @param {string} name @param {string} [failure] why it failed @returns {Counts} */
export function single(name, failure) {
  return failure === undefined ? { passed: 1, failed: [], skipped: [] } : { passed: 0, failed: [{ name, why: failure }], skipped: [] };
}

/** A check that could not be made. @param {string} name @param {string} why @returns {Counts} */
export function skipped(name, why) {
  return { passed: 0, failed: [], skipped: [{ name, why }] };
}

/** @param {Counts[]} all @returns {Counts} */
export function total(all) {
  return {
    passed: all.reduce((sum, counts) => sum + counts.passed, 0),
    failed: all.flatMap((counts) => counts.failed),
    skipped: all.flatMap((counts) => counts.skipped),
  };
}

/** @param {Counts} counts */
export function summaryLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`;
}

/** Nothing failed, and something ran. @param {Counts} counts */
export function allGood({ passed, failed }) {
  return failed.length === 0 && passed > 0;
}

/**
 * @typedef {{ failure?: string }} GoogleTestFailure
 * @typedef {{ name: string, classname: string, status: string, result: string, failures?: GoogleTestFailure[] }} GoogleTestCase
 * @typedef {{ testsuites: { testsuite: GoogleTestCase[] }[] }} GoogleTestReport
 */

/**
 * Of `--gtest_output=json`, and of the log for what the report leaves out: why a test was skipped.
 * @param {GoogleTestReport} report @param {string} log @param {string} stage @returns {Counts}
 */
export function countGoogleTest(report, log, stage) {
  const reasons = skipReasons(log);
  return total(
    report.testsuites
      .flatMap((suite) => suite.testsuite)
      .map((test) => {
        const id = `${test.classname}.${test.name}`;
        const name = `${stage}: ${id}`;
        // Tests that a filter leaves out are not in the report; those that are disabled are.
        if (test.status === 'NOTRUN') return skipped(name, 'disabled in the source');
        if (test.result === 'SKIPPED') return skipped(name, reasons.get(id) ?? 'no reason given');
        const failure = test.failures?.[0];
        return failure ? single(name, firstLines(failure.failure || 'failed', 3)) : single(name);
      }),
  );
}

/** What stands between "file:line: Skipped" and the end of the test. @param {string} log @returns {Map<string, string>} */
export function skipReasons(log) {
  const blocks = log.replaceAll('\r', '').matchAll(/^\[ RUN      \] (\S+)\n([^]*?)^\[  SKIPPED \] \1/gm);
  return new Map(
    Array.from(blocks, ([, test = '', body = '']) => [
      test,
      /: Skipped\n([^]*)/.exec(body)?.[1]?.trim().replaceAll('\n', ' ') || 'no reason given',
    ]),
  );
}

/**
 * @typedef {{ name: string, state: 'passed' | 'failed' | 'skipped', why: string }} VitestTest
 * @typedef {{ passedFiles?: string[], tests: VitestTest[], outside: Named[] }} VitestReport
 */

/** Of vitest-report.mjs and playwright-report.mjs. @param {VitestReport} report @param {string} stage @returns {Counts} */
export function countVitest(report, stage) {
  return total([
    ...report.tests.map(({ name, state, why }) => {
      const full = `${stage}: ${name}`;
      if (state === 'skipped') return skipped(full, why || 'skipped in the source');
      return single(full, state === 'failed' ? firstLines(why || 'failed', 2) : undefined);
    }),
    ...report.outside.map(({ name, why }) => single(`${stage}: ${name}`, firstLines(why || 'failed outside its tests', 3))),
  ]);
}

/** @param {string} text @param {number} count */
const firstLines = (text, count) => text.trim().split('\n').slice(0, count).join(' ');
