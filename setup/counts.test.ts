import { describe, expect, test } from 'vitest';
import { allGood, countGoogleTest, countVitest, single, skipped, summaryLine, total } from './counts.mjs';

describe('GoogleTest reports', () => {
  const passing = { name: 'adds', classname: 'Ops', status: 'RUN', result: 'COMPLETED' };
  const report = (...testsuite: Parameters<typeof countGoogleTest>[0]['testsuites'][0]['testsuite']) => ({ testsuites: [{ testsuite }] });

  test('passed, failed, skipped and disabled tests', () => {
    const counts = countGoogleTest(
      report(
        passing,
        { ...passing, name: 'breaks', failures: [{ failure: 'ops.cpp:7\nexpected 1\nfound 2\nand more' }] },
        { ...passing, name: 'coopmat', result: 'SKIPPED', skipped: [{ message: 'test.cpp:9\nno cooperative matrices' }] },
        { ...passing, name: 'DISABLED_later', status: 'NOTRUN', result: 'SUPPRESSED' },
      ),
      'native',
    );
    expect(counts).toEqual({
      passed: 1,
      failed: [{ name: 'native: Ops.breaks', why: 'ops.cpp:7 expected 1 found 2' }],
      skipped: [
        { name: 'native: Ops.coopmat', why: 'no cooperative matrices' },
        { name: 'native: Ops.DISABLED_later', why: 'disabled in the source' },
      ],
    });
  });

  test('a skip without a message, as older versions report it, points to the log', () => {
    const counts = countGoogleTest(report({ ...passing, result: 'SKIPPED' }), 'native');
    expect(counts.skipped[0]?.why).toBe('see the log above');
  });
});

describe('vitest reports', () => {
  const file = { name: 'a.test.ts', status: 'passed', assertionResults: [] };
  const passing = { fullName: 'reads', status: 'passed' };

  test('passed, failed, skipped and planned tests', () => {
    const counts = countVitest(
      {
        success: false,
        testResults: [
          {
            ...file,
            status: 'failed',
            assertionResults: [
              passing,
              { fullName: 'breaks', status: 'failed', failureMessages: ['expected 1\nto be 2\n  at x'] },
              { fullName: 'waits', status: 'skipped' },
              { fullName: 'later', status: 'todo' },
            ],
          },
        ],
      },
      'unit',
    );
    expect(counts).toEqual({
      passed: 1,
      failed: [{ name: 'unit: breaks', why: 'expected 1 to be 2' }],
      skipped: [
        { name: 'unit: waits', why: 'skipped in the source' },
        { name: 'unit: later', why: 'to be written' },
      ],
    });
  });

  test('a file that cannot be loaded is a failure, though it has no tests', () => {
    const counts = countVitest({ success: false, testResults: [{ ...file, status: 'failed', message: 'Cannot find module x' }] }, 'unit');
    expect(counts.failed).toEqual([{ name: 'unit: a.test.ts', why: 'Cannot find module x' }]);
  });

  test('an error outside every test is a failure', () => {
    const counts = countVitest({ success: false, testResults: [{ ...file, assertionResults: [passing] }] }, 'unit');
    expect(counts.passed).toBe(1);
    expect(counts.failed).toHaveLength(1);
  });
});

describe('the account', () => {
  test('sums', () => {
    const counts = total([single('a'), single('b', 'broken'), skipped('c', 'no driver'), single('d')]);
    expect(summaryLine(counts)).toBe('2 passed, 1 failed, 1 skipped');
  });

  test('is good only if something ran and nothing failed', () => {
    expect(allGood(total([single('a'), skipped('b', 'no driver')]))).toBe(true);
    expect(allGood(total([single('a'), single('b', 'broken')]))).toBe(false);
    expect(allGood(total([skipped('b', 'no driver')]))).toBe(false);
    expect(allGood(total([]))).toBe(false);
  });
});
