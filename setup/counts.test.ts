import { describe, expect, test } from 'vitest';
import { allGood, countGoogleTest, countVitest, single, skipped, skipReasons, summaryLine, total } from './counts.mjs';

describe('GoogleTest', () => {
  const passing = { name: 'adds', classname: 'Ops', status: 'RUN', result: 'COMPLETED' };
  const log = `[ RUN      ] Ops.adds
[       OK ] Ops.adds (0 ms)
[ RUN      ] Ops.coopmat/0
test.cpp:9: Skipped
no cooperative matrices
on this device

[  SKIPPED ] Ops.coopmat/0 (0 ms)
[ RUN      ] Ops.silent
[  SKIPPED ] Ops.silent (0 ms)
`;

  test('passed, failed, skipped and disabled tests', () => {
    const testsuite = [
      passing,
      { ...passing, name: 'breaks', failures: [{ failure: 'ops.cpp:7\nexpected 1\nfound 2\nand more' }] },
      { ...passing, name: 'coopmat/0', result: 'SKIPPED' },
      { ...passing, name: 'DISABLED_later', status: 'NOTRUN', result: 'SUPPRESSED' },
    ];
    expect(countGoogleTest({ testsuites: [{ testsuite }] }, log, 'native')).toEqual({
      passed: 1,
      failed: [{ name: 'native: Ops.breaks', why: 'ops.cpp:7 expected 1 found 2' }],
      skipped: [
        { name: 'native: Ops.coopmat/0', why: 'no cooperative matrices on this device' },
        { name: 'native: Ops.DISABLED_later', why: 'disabled in the source' },
      ],
    });
  });

  test('the reason of a skip is the one of that test', () => {
    expect(skipReasons(log)).toEqual(
      new Map([
        ['Ops.coopmat/0', 'no cooperative matrices on this device'],
        ['Ops.silent', 'no reason given'],
      ]),
    );
  });
});

describe('vitest', () => {
  test('passed, failed and skipped tests, and failures outside every test', () => {
    const counts = countVitest(
      {
        tests: [
          { name: 'reads', state: 'passed', why: '' },
          { name: 'breaks', state: 'failed', why: 'expected 1\nto be 2\n  at x' },
          { name: 'waits', state: 'skipped', why: 'no device' },
          { name: 'sleeps', state: 'skipped', why: '' },
        ],
        outside: [{ name: 'a.test.ts', why: 'Cannot find module x' }],
      },
      'unit',
    );
    expect(counts).toEqual({
      passed: 1,
      failed: [
        { name: 'unit: breaks', why: 'expected 1 to be 2' },
        { name: 'unit: a.test.ts', why: 'Cannot find module x' },
      ],
      skipped: [
        { name: 'unit: waits', why: 'no device' },
        { name: 'unit: sleeps', why: 'skipped in the source' },
      ],
    });
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
