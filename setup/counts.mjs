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
 * @typedef {{ failure?: string, message?: string }} GoogleTestMessage
 * @typedef {{ name: string, classname: string, status: string, result: string, failures?: GoogleTestMessage[], skipped?: GoogleTestMessage[] }} GoogleTestCase
 * @typedef {{ testsuites: { testsuite: GoogleTestCase[] }[] }} GoogleTestReport
 */

/** Of `--gtest_output=json`. @param {GoogleTestReport} report @param {string} stage @returns {Counts} */
export function countGoogleTest(report, stage) {
  return total(
    report.testsuites.flatMap((suite) => suite.testsuite).map((test) => {
      const name = `${stage}: ${test.classname}.${test.name}`;
      // Tests that a filter leaves out are not in the report; those that are disabled are.
      if (test.status === 'NOTRUN') return skipped(name, 'disabled in the source');
      if (test.result === 'SKIPPED') return skipped(name, firstLine(test.skipped?.[0]?.message ?? 'see the log above'));
      const failure = test.failures?.[0];
      return failure ? single(name, lines(failure.failure ?? 'failed', 3)) : single(name);
    }),
  );
}

/**
 * @typedef {{ fullName: string, status: string, failureMessages?: string[] }} VitestCase
 * @typedef {{ name: string, status: string, message?: string, assertionResults: VitestCase[] }} VitestFile
 * @typedef {{ success: boolean, testResults: VitestFile[] }} VitestReport
 */

/** Of vitest's json reporter. @param {VitestReport} report @param {string} stage @returns {Counts} */
export function countVitest(report, stage) {
  const counts = total(
    report.testResults.flatMap((file) => {
      const tests = file.assertionResults.map((test) => countVitestCase(test, stage));
      // A file that fails outside its tests, as while it is loaded, must not pass for one without tests.
      const broken = file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed');
      return broken ? [...tests, single(`${stage}: ${file.name}`, lines(file.message || 'failed outside its tests', 3))] : tests;
    }),
  );
  // Unhandled rejections belong to no test; vitest reports them by failing as a whole.
  if (!report.success && counts.failed.length === 0) return total([counts, single(stage, 'errors outside the tests (see the log above)')]);
  return counts;
}

/** @param {VitestCase} test @param {string} stage */
function countVitestCase(test, stage) {
  const name = `${stage}: ${test.fullName}`;
  if (test.status === 'passed') return single(name);
  if (test.status === 'failed') return single(name, lines(test.failureMessages?.[0] ?? 'failed', 2));
  return skipped(name, test.status === 'todo' ? 'to be written' : 'skipped in the source');
}

/** @param {string} text @param {number} count */
const lines = (text, count) => text.trim().split('\n').slice(0, count).join(' ');
/** @param {string} text */
const firstLine = (text) => lines(text, 1);
