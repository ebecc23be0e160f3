import { expect, test } from 'vitest';
import { overBudget, readReport } from './shader-stats.mjs';

const kernel = { registers: 60, spills: 0, sharedBytes: 1024, waves: 24, instructions: 656, loads: [11, 1] };
const budget = { spills: 0, waves: 24, loads: [11, 1] };

test('a kernel within its budget, and one that is better', () => {
  expect(overBudget(kernel, budget)).toBeUndefined();
  expect(overBudget({ ...kernel, waves: 32, loads: [16, 2] }, budget)).toBeUndefined();
});

test.each([
  [{ spills: 1 }, 'it spills 1 registers, and the budget allows 0'],
  [{ waves: 12 }, 'a SIMD unit holds 12 of its subgroups, and the budget wants 24'],
  [{ loads: [1, 1] }, 'loop 1 keeps 1 loads on their way, and the budget wants 11'],
  [{ loads: [11, 1, 1] }, 'it has 3 loops that load, not 2'],
])('what is worse is named: %o', (worse, why) => {
  expect(overBudget({ ...kernel, ...worse }, budget)).toBe(why);
});

test('a kernel that nobody gave a budget', () => {
  expect(overBudget(kernel, undefined)).toBe('it has no budget');
});

test('the report of the native tool', () => {
  const statistics = { VGPRs: 60, 'Spilled VGPRs': 2, 'Spilled SGPRs': 1, 'LDS size': 512, 'Subgroups per SIMD': 8, Instructions: 9 };
  const assembly = 'BB0:\n\tbuffer_load_b32 v0\n\ts_waitcnt vmcnt(0)\n\ts_branch BB0\n';
  const report = {
    device: 'Null',
    driver: 'radv Mesa 22.3.6',
    kernels: [{ name: 'matvec_q4_k', constants: [64, 1, 0], statistics, assembly }],
  };
  expect(readReport(report, 'gfx1100')).toEqual({
    chip: 'gfx1100',
    driver: 'radv Mesa 22.3.6',
    kernels: { 'matvec_q4_k 64 1 0': { registers: 60, spills: 3, sharedBytes: 512, waves: 8, instructions: 9, loads: [1] } },
  });
});
