// A vitest reporter that writes what counts.mjs reads. Vitest's own json report leaves out why a test was skipped.
import { writeFileSync } from 'node:fs';

/** @typedef {import('vitest/node').TestModule} TestModule */
/** @typedef {import('vitest/node').TestCase} TestCase */

export default class Report {
  /** @param {readonly TestModule[]} modules @param {readonly { message: string }[]} unhandled */
  onTestRunEnd(modules, unhandled) {
    /** @type {import('./counts.mjs').VitestReport} */
    const report = {
      passedFiles: modules.filter((module) => module.ok()).map((module) => module.relativeModuleId),
      tests: modules.flatMap((module) => [...module.children.allTests()].map(describe)),
      // Outside the tests: files that cannot be loaded, hooks that fail, rejections that nobody handles.
      outside: [
        ...modules.flatMap((module) => module.errors().map((error) => ({ name: module.relativeModuleId, why: error.message }))),
        ...modules.flatMap((module) =>
          [...module.children.allSuites()].flatMap((suite) =>
            suite.errors().map((error) => ({ name: suite.fullName, why: error.message })),
          ),
        ),
        ...unhandled.map((error) => ({ name: 'unhandled error', why: error.message })),
      ],
    };
    writeFileSync(process.env['LOUPE_TEST_REPORT'] ?? 'vitest-report.json', JSON.stringify(report));
  }
}

/** @param {TestCase} test @returns {import('./counts.mjs').VitestTest} */
function describe(test) {
  const result = test.result();
  const name = test.fullName;
  if (result.state === 'passed') return { name, state: 'passed', why: '' };
  if (result.state === 'failed') return { name, state: 'failed', why: result.errors[0]?.message ?? '' };
  // Pending: the run ended before the test did.
  if (result.state === 'pending') return { name, state: 'failed', why: 'did not finish' };
  return { name, state: 'skipped', why: result.note ?? (test.options.mode === 'todo' ? 'to be written' : '') };
}
