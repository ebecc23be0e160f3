// `npm run shader-stats`: what compilers for real cards make of every kernel, on a machine without any GPU. Debian's own AMD driver
// pretends to be a card where RADV_FORCE_FAMILY names one; newer ones of three vendors do where a library imitates the card
// (imitated-cards.mjs). `npm test` holds the kernels to the limits below, and to what they have reached (shader-budgets.json).
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { single, skipped, total } from './counts.mjs';
import { capture, describeEnd } from './exec.mjs';
import { ensureImitatedCards, imitatedCards } from './imitated-cards.mjs';
import { arithmeticOfMatrices, loadsOnTheirWay } from './machine-code.mjs';
import { ensureNative, ensureNativeTool } from './native.mjs';
import { inRoot } from './paths.mjs';
import { say, SetupError } from './report.mjs';
import { softwareVulkan } from './software-vulkan.mjs';
import { driverManifests } from './system-packages.mjs';

/** By the system's driver: RX 7900 XTX and RX 6900 XT. */
const bySystem = ['system gfx1100', 'system navi21'];
const chips = [...bySystem, ...Object.keys(imitatedCards)];
const budgetFile = inRoot('setup', 'shader-budgets.json');

/**
 * `spills`: registers that go to memory; `copies`: to other registers, where a compiler counts that; `waves`: subgroups that a SIMD unit can
 * hold at once; `loads`: on their way at a time, of every loop that loads; `arithmetic`: instructions for one of the matrix unit.
 * Drivers tell different things; what one does not tell is absent.
 * @typedef {{ spills: number, copies?: number, waves?: number, loads?: number[], arithmetic?: number }} Budget
 * @typedef {Budget & { registers: number, sharedBytes?: number, instructions: number }} Kernel
 * @typedef {{ chip: string, driver: string, kernels: Record<string, Kernel> }} Account
 * @typedef {{ driver: string, measured: string, kernels: Record<string, Budget> }} ChipBudgets
 */

/** No register goes to memory, loops over weights and caches keep eight loads on their way, attention has four subgroups a SIMD unit. */
const limits = { spills: 0, loads: 8, waves: 4 };
/** Instructions beside one of the matrix unit, in the products of 16 x 16 x 16. */
const mostArithmetic = 8;

/**
 * Kernels that keep another limit, and why.
 * @type {{ limit: keyof typeof limits, is: number, chips: string[], kernels: RegExp, why: string }[]}
 */
const exceptions = [
  {
    limit: 'spills',
    is: 36,
    chips: ['dg2', 'bmg'],
    kernels: /^matvec_q\d_\w 64 4 /,
    why: 'four rows at once need more than the 128 registers of a thread; they check guesses, which happens where it is measured to win',
  },
  {
    limit: 'spills',
    is: 32,
    chips: ['dg2', 'bmg'],
    kernels: /^attention_decode_f16 /,
    why: 'eight keys and the queries of a whole group of heads are in registers, so that loads are on their way; no card has said what costs more',
  },
  {
    limit: 'spills',
    is: 10,
    chips: ['dg2'],
    kernels: /^coopmat_attention_8x8x16 128 128 /,
    why: 'heads of 128 in subgroups of 8 (docs/decisions/0037-attention-on-matrix-units.md)',
  },
  {
    limit: 'loads',
    is: 5,
    chips,
    kernels: /^matvec_b?f16 64 1 /,
    why: 'a step has five loads; two steps at a time cost half of the waves (docs/decisions/0020-kernels-by-device.md)',
  },
  {
    limit: 'loads',
    is: 7,
    chips: ['navi21'],
    kernels: /^matvec_bf16 64 4 2$/,
    why: 'the compiler begins to multiply four rows before the eighth load; with the norm behind it, it does not',
  },
  {
    limit: 'waves',
    is: 3,
    chips: ['ad102', 'ga106'],
    kernels: /^attention_decode_f16 /,
    why: 'the queries of a whole group of heads and eight keys are in registers; each subgroup has as many loads on its way for it',
  },
];

/**
 * What every kernel has to keep, whatever it has reached. Returns what it does not, in words.
 * @param {string} chip @param {string} name @param {Budget} kernel
 */
export function overLimit(chip, name, { spills, loads, waves, arithmetic }) {
  const limit = (/** @type {keyof typeof limits} */ of) =>
    exceptions.find((one) => one.limit === of && one.chips.includes(chip) && one.kernels.test(name))?.is ?? limits[of];
  if (spills > limit('spills')) return `it spills ${spills} registers, where ${limit('spills')} are allowed`;
  const most = Math.max(0, ...(loads ?? []));
  if (/^(matvec|attention_decode)_/.test(name) && loads && most < limit('loads'))
    return `no loop keeps more than ${most} loads on their way, where ${limit('loads')} are asked for`;
  if (/attention/.test(name) && waves !== undefined && waves < limit('waves'))
    return `a SIMD unit holds ${waves} of its subgroups, where ${limit('waves')} are asked for`;
  if (arithmetic !== undefined && arithmetic > mostArithmetic)
    return `${arithmetic} instructions stand beside one of the matrix unit, where ${mostArithmetic} are allowed`;
  return undefined;
}

/**
 * @param {string} name @param {Record<string, number>} statistics as a driver names them @param {string} assembly empty where it shows none
 * @returns {Kernel}
 */
function kernelOf(name, statistics, assembly) {
  const get = (/** @type {string} */ key) => statistics[key] ?? 0;
  if ('VGPRs' in statistics) {
    const arithmetic = name.startsWith('coopmat_16x16x16') ? arithmeticOfMatrices(assembly) : undefined;
    return {
      registers: get('VGPRs'),
      spills: get('Spilled VGPRs') + get('Spilled SGPRs'),
      sharedBytes: get('LDS size'),
      waves: get('Subgroups per SIMD'),
      instructions: get('Instructions'),
      loads: loadsOnTheirWay(assembly),
      ...(arithmetic === undefined ? {} : { arithmetic }),
    };
  }
  if ('Number of GPRs' in statistics)
    return {
      registers: get('Number of GPRs'),
      spills: get('Spills to memory'),
      copies: get('Spills to reg'),
      // A multiprocessor has four such units.
      waves: get('Max warps/SM') / 4,
      instructions: get('Instruction count'),
    };
  return {
    registers: get('Max live registers'),
    spills: get('Spills'),
    sharedBytes: get('Workgroup Memory Size'),
    instructions: get('Instructions'),
  };
}

/** @param {any} report of the native tool @param {string} chip @returns {Account} */
export function readReport(report, chip) {
  const kernels = Object.fromEntries(
    report.kernels.map((/** @type {any} */ { name, constants, statistics, assembly }) => [
      [name, ...constants].join(' '),
      kernelOf(name, statistics, assembly),
    ]),
  );
  return { chip, driver: report.driver, kernels };
}

/**
 * What is worse than the budget, in words; undefined when nothing is.
 * @param {Kernel} kernel @param {Budget | undefined} budget
 */
export function overBudget(kernel, budget) {
  if (!budget) return 'it has no budget';
  if (kernel.spills > budget.spills) return `it spills ${kernel.spills} registers, and the budget allows ${budget.spills}`;
  const { copies = 0, waves = Infinity, loads = [], arithmetic = 0 } = kernel;
  if (copies > (budget.copies ?? 0)) return `it copies ${copies} registers, and the budget allows ${budget.copies ?? 0}`;
  if (waves < (budget.waves ?? 0)) return `a SIMD unit holds ${waves} of its subgroups, and the budget wants ${budget.waves}`;
  const wanted = budget.loads ?? [];
  if (loads.length !== wanted.length) return `it has ${loads.length} loops that load, not ${wanted.length}`;
  const at = loads.findIndex((each, i) => each < /** @type {number} */ (wanted[i]));
  if (at >= 0) return `loop ${at + 1} keeps ${loads[at]} loads on their way, and the budget wants ${wanted[at]}`;
  if (arithmetic > (budget.arithmetic ?? 0))
    return `${arithmetic} instructions stand beside one of the matrix unit, and the budget allows ${budget.arithmetic ?? 0}`;
  return undefined;
}

/**
 * How each chip's compiler is asked, or why it cannot be.
 * @typedef {{ chip: string, launch: string[], env: NodeJS.ProcessEnv } | { chip: string, reason: string }} Compiler
 * @returns {Promise<Compiler[]>}
 */
async function compilers() {
  const [manifest] = driverManifests('radeon_icd');
  const imitated = await ensureImitatedCards();
  return chips.map((chip) => {
    if (bySystem.includes(chip)) {
      if (!manifest) return { chip, reason: "this system has no Vulkan driver for AMD's cards (on Debian: mesa-vulkan-drivers)" };
      const family = { RADV_FORCE_FAMILY: chip.replace('system ', ''), MESA_SHADER_CACHE_DISABLE: 'true' };
      return { chip, launch: [], env: { ...softwareVulkan(manifest), ...family } };
    }
    if ('reason' in imitated) return { chip, reason: imitated.reason };
    const card = imitated.on(chip);
    return { chip, launch: card.launch, env: { ...softwareVulkan(card.manifest), ...card.env } };
  });
}

/** @param {string} tool @param {Compiler} compiler @returns {Promise<Account | { chip: string, reason: string }>} */
async function ask(tool, compiler) {
  if ('reason' in compiler) return compiler;
  const { chip, launch, env } = compiler;
  const [command = tool, ...args] = [...launch, tool];
  const end = await capture(command, args, { env });
  if (end.stderr.includes('no device')) return { chip, reason: 'its Vulkan driver does not imitate cards (Mesa does up to version 26.0)' };
  if (end.code !== 0)
    throw new SetupError(`shader_stats on ${chip} ${describeEnd(end)}: ${end.stderr.trim()}`, 'Look at what it says above.');
  return readReport(JSON.parse(end.stdout), chip);
}

/** Two at a time: it runs beside other stages. @param {string[]} only chips, or none for all */
async function askCompilers(only = []) {
  const tool = await ensureNativeTool('shader_stats');
  const waiting = (await compilers()).filter(({ chip }) => only.length === 0 || only.includes(chip));
  /** @type {(Account | { chip: string, reason: string })[]} */
  const accounts = [];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) accounts.push(await ask(tool, next));
  };
  await Promise.all([lane(), lane()]);
  return accounts.toSorted((a, b) => chips.indexOf(a.chip) - chips.indexOf(b.chip));
}

/** @param {Account} account */
function table({ chip, driver, kernels }) {
  const cell = (/** @type {number | undefined} */ value) => (value === undefined ? '' : String(value));
  const rows = Object.entries(kernels).map(([name, k]) => [
    name,
    ...[k.registers, k.spills, k.copies, k.sharedBytes, k.waves, k.instructions].map(cell),
    (k.loads ?? []).join(', '),
    cell(k.arithmetic),
  ]);
  const heads = ['kernel and its constants', 'registers', 'spills', 'copies', 'shared bytes', 'waves', 'instructions'];
  const all = [[...heads, 'loads on their way', 'arithmetic'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = all.map((row) => row.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join('  '));
  return `${chip}${chip in imitatedCards ? ` (${imitatedCards[chip]?.card})` : ''}, ${driver}\n${lines.join('\n')}\n`;
}

/** @param {Account} account @returns {ChipBudgets} */
function budgetsOf({ driver, kernels }) {
  const budgets = Object.entries(kernels).map(([name, { registers: _, sharedBytes: __, instructions: ___, ...budget }]) => [name, budget]);
  return { driver, measured: new Date().toISOString().slice(0, 10), kernels: Object.fromEntries(budgets) };
}

/** @returns {Record<string, ChipBudgets>} */
const readBudgets = () => JSON.parse(readFileSync(budgetFile, 'utf8'));

/**
 * @param {string[]} args `--json`; `--update` to make budgets of what was found; `--chip NAME` for one of them, which may be repeated
 * @returns {Promise<number>} exit code
 */
export async function shaderStats(args) {
  const { values } = parseArgs({
    args,
    options: { json: { type: 'boolean' }, update: { type: 'boolean' }, chip: { type: 'string', multiple: true } },
  });
  await ensureNative({ forTests: true });
  const asked = await askCompilers(values.chip);
  const accounts = asked.filter((one) => 'kernels' in one);
  for (const one of asked) if ('reason' in one) say(`no statistics of ${one.chip}: ${one.reason}`);
  if (accounts.length === 0)
    throw new SetupError('no compiler could be asked (see above).', `Run it on Debian 12. Chips: ${chips.join(', ')}.`);
  if (values.update) {
    const found = Object.fromEntries(accounts.map((account) => [account.chip, budgetsOf(account)]));
    writeFileSync(budgetFile, `${JSON.stringify({ ...readBudgets(), ...found })}\n`);
    say('the budgets are those of this run; `npm run fix` formats them');
  }
  process.stdout.write(values.json ? `${JSON.stringify(accounts)}\n` : accounts.map(table).join('\n'));
  return 0;
}

/** Whether each kernel keeps the limits and is within its budget, on every chip. @returns {Promise<import('./counts.mjs').Counts>} */
export async function shaderBudgets() {
  const stage = 'shader budgets';
  const budgets = readBudgets();
  const counts = (await askCompilers()).map((found) => {
    const { chip } = found;
    const budget = budgets[chip];
    /** @param {string} reason */
    const skip = (reason) => {
      say(`SKIPPED: ${stage} of ${chip}, because ${reason}`);
      return skipped(`${stage} of ${chip}`, `${reason}; last measured ${budget?.measured} with ${budget?.driver}`);
    };
    if ('reason' in found) return skip(found.reason);
    const { driver, kernels } = found;
    if (driver !== budget?.driver) return skip(`the budgets are those of another driver, and this system has ${driver}`);
    return total(
      Object.entries(kernels).map(([name, kernel]) => {
        const over = overBudget(kernel, budget.kernels[name]);
        const why = overLimit(chip, name, kernel) ?? (over && `${over}; if that is meant, run \`npm run shader-stats -- --update\``);
        return single(`${stage}: ${name} on ${chip}`, why);
      }),
    );
  });
  return total(counts);
}
