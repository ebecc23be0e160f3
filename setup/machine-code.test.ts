import { expect, test } from 'vitest';
import { arithmeticOfMatrices, loadsOnTheirWay } from './machine-code.mjs';

const eightAtATime = Array.from({ length: 8 }, (_, i) => `\tbuffer_load_b128 v[${i}:${i + 3}], v1, s[0:3], 0 offen ; e05c0000`);

test('a loop that waits for each load has one on its way', () => {
  const code = ['BB0:', '\ts_load_b128 s[0:3], s[2:3], null', 'BB1:', '\ts_cbranch_scc0 BB3', 'BB2:']
    .concat(
      '\tbuffer_load_b32 v0, v1, s[0:3], 0 offen ; e0500000',
      '\ts_waitcnt vmcnt(0) lgkmcnt(0)',
      '\ts_branch BB1',
      'BB3:',
      '\ts_endpgm',
    )
    .join('\n');
  expect(loadsOnTheirWay(code)).toEqual([1]);
});

test('loads before the first wait count together', () => {
  const code = ['BB0:', 'BB1:', ...eightAtATime, '\ts_waitcnt vmcnt(7)', '\ts_waitcnt vmcnt(0)', '\ts_cbranch_scc1 BB1'].join('\n');
  expect(loadsOnTheirWay(code)).toEqual([8]);
});

test('loads of one round that the next one waits for', () => {
  const code = ['BB1:', '\ts_waitcnt vmcnt(0)', ...eightAtATime.slice(0, 3), '\ts_branch BB1'].join('\n');
  expect(loadsOnTheirWay(code)).toEqual([3]);
});

test('each loop that loads, in their order, without the loops inside it', () => {
  const one = '\tglobal_load_b32 v0, v[1:2], off';
  const code = ['BB0:', '\tbuffer_load_b32 v0', 'BB1:', one, 'BB2:', ...eightAtATime.slice(0, 2), '\ts_waitcnt vmcnt(0)', '\ts_branch BB2']
    .concat('BB3:', '\ts_branch BB1', 'BB4:', '\tds_load_b32 v0, v1', '\ts_branch BB4', 'BB5:', one, '\ts_cbranch_vccnz BB5')
    .join('\n');
  // The first and the last wait for nothing, so that their second round adds to the first.
  expect(loadsOnTheirWay(code)).toEqual([2, 2, 2]);
});

test('code without loops', () => {
  expect(loadsOnTheirWay('BB0:\n\tbuffer_load_b32 v0\n\ts_endpgm')).toEqual([]);
});

test.each([
  ['s_wait_loadcnt 0x0', 2],
  ['s_wait_loadcnt 0x1', 3],
  ['s_wait_loadcnt_dscnt 0x100', 3],
  ['s_wait_dscnt 0x0', 4],
])('RDNA4 waits with %s', (wait, most) => {
  const load = '\tbuffer_load_b128 v[0:3], v1, s[0:3], null offen ; c405c07c';
  expect(loadsOnTheirWay(['BB0:', load, load, `\t${wait} ; bfc00000`, '\ts_cbranch_scc1 BB0'].join('\n'))).toEqual([most]);
});

test('what stands beside instructions of the matrix unit, where there are most of them', () => {
  const matrix = '\tv_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7] ; cc400000';
  const code = [
    'BB0:',
    matrix,
    '\tv_mov_b32 v0, 0',
    'BB1:',
    matrix,
    matrix,
    '\tv_fma_mix_f32 v0',
    '\ts_add_i32 s0, s0, 1',
    '\tv_and_b32 v1',
  ]
    .concat('\tv_dual_mov_b32 v2', '\tds_load_b128 v[0:3], v9', '\ts_cbranch_scc1 BB1')
    .join('\n');
  expect(arithmeticOfMatrices(code)).toBe(1.5);
  expect(arithmeticOfMatrices('BB0:\n\tv_mov_b32 v0, 0')).toBeUndefined();
});
