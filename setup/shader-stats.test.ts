import { expect, test } from 'vitest';
import { overBudget, overLimit, readReport } from './shader-stats.mjs';

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
  [{ copies: 2 }, 'it copies 2 registers, and the budget allows 0'],
  [{ arithmetic: 4.4 }, '4.4 instructions stand beside one of the matrix unit, and the budget allows 0'],
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

test.each([
  ['navi31', 'matvec_q4_k 64 1 0', { spills: 1, loads: [11] }, 'it spills 1 registers, where 0 are allowed'],
  ['navi31', 'matvec_q4_k 64 1 0', { spills: 0, loads: [7, 1] }, 'no loop keeps more than 7 loads on their way, where 8 are asked for'],
  ['navi31', 'coopmat_attention_16x16x16 256', { spills: 0, waves: 3 }, 'a SIMD unit holds 3 of its subgroups, where 4 are asked for'],
  [
    'gfx1200',
    'coopmat_16x16x16_q4_k 256',
    { spills: 0, arithmetic: 8.1 },
    '8.1 instructions stand beside one of the matrix unit, where 8 are allowed',
  ],
  ['bmg', 'matvec_q6_k 64 4 2', { spills: 37 }, 'it spills 37 registers, where 36 are allowed'],
  ['ad102', 'matvec_q6_k 64 4 2', { spills: 1 }, 'it spills 1 registers, where 0 are allowed'],
])('a limit that %s does not keep with %s', (chip, name, kernel, why) => {
  expect(overLimit(chip, name, kernel)).toBe(why);
});

test('limits that are kept, and exceptions that have a reason', () => {
  expect(overLimit('navi31', 'matvec_q4_k 64 1 0', { spills: 0, loads: [11, 1] })).toBeUndefined();
  expect(overLimit('bmg', 'matvec_q6_k 64 4 2', { spills: 36 })).toBeUndefined();
  expect(overLimit('navi31', 'matvec_bf16 64 1 0', { spills: 0, loads: [5, 1] })).toBeUndefined();
  expect(overLimit('dg2', 'coopmat_8x8x16_q4_k 128', { spills: 0 })).toBeUndefined();
});

test('what the compilers of NVIDIA and Intel tell', () => {
  const kernel = (statistics: Record<string, number>) =>
    readReport({ driver: 'a', kernels: [{ name: 'argmax', constants: [], statistics, assembly: '' }] }, 'a').kernels['argmax'];
  expect(kernel({ 'Number of GPRs': 96, 'Max warps/SM': 20, 'Spills to memory': 0, 'Spills to reg': 3, 'Instruction count': 7 })).toEqual({
    registers: 96,
    spills: 0,
    copies: 3,
    waves: 5,
    instructions: 7,
  });
  expect(kernel({ 'Max live registers': 97, Spills: 2, 'Workgroup Memory Size': 512, Instructions: 9 })).toEqual({
    registers: 97,
    spills: 2,
    sharedBytes: 512,
    instructions: 9,
  });
});
