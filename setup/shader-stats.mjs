// `npm run shader-stats`: what AMD's compiler makes of every kernel, on a machine without any GPU. Debian's Mesa holds it, and
// pretends to be a card where RADV_FORCE_FAMILY names one. `npm test` holds the kernels to the budgets in shader-budgets.json.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { single, skipped, total } from './counts.mjs';
import { capture, describeEnd } from './exec.mjs';
import { loadsOnTheirWay } from './machine-code.mjs';
import { ensureNative, ensureNativeTool } from './native.mjs';
import { inRoot } from './paths.mjs';
import { say, SetupError } from './report.mjs';
import { softwareVulkan } from './software-vulkan.mjs';
import { driverManifests } from './system-packages.mjs';

/** RX 7900 XTX and RX 6900 XT. */
const chips = ['gfx1100', 'navi21'];
const budgetFile = inRoot('setup', 'shader-budgets.json');

/**
 * `waves`: subgroups that a SIMD unit can hold at once; `loads`: on their way at a time, of every loop that loads.
 * @typedef {{ registers: number, spills: number, sharedBytes: number, waves: number, instructions: number, loads: number[] }} Kernel
 * @typedef {{ chip: string, driver: string, kernels: Record<string, Kernel> }} Account
 * @typedef {{ spills: number, waves: number, loads: number[] }} Budget
 * @typedef {{ driver: string, chips: Record<string, Record<string, Budget>> }} Budgets
 */

/** @param {any} report of the native tool @param {string} chip @returns {Account} */
export function readReport(report, chip) {
  /** @type {Record<string, Kernel>} */
  const kernels = {};
  for (const { name, constants, statistics, assembly } of report.kernels) {
    kernels[[name, ...constants].join(' ')] = {
      registers: statistics['VGPRs'],
      spills: statistics['Spilled VGPRs'] + statistics['Spilled SGPRs'],
      sharedBytes: statistics['LDS size'],
      waves: statistics['Subgroups per SIMD'],
      instructions: statistics['Instructions'],
      loads: loadsOnTheirWay(assembly),
    };
  }
  return { chip, driver: report.driver, kernels };
}

/**
 * What is worse than the budget, in words; undefined when nothing is.
 * @param {Kernel} kernel @param {Budget | undefined} budget
 */
export function overBudget(kernel, budget) {
  if (!budget) return 'it has no budget';
  if (kernel.spills > budget.spills) return `it spills ${kernel.spills} registers, and the budget allows ${budget.spills}`;
  if (kernel.waves < budget.waves) return `a SIMD unit holds ${kernel.waves} of its subgroups, and the budget wants ${budget.waves}`;
  if (kernel.loads.length !== budget.loads.length) return `it has ${kernel.loads.length} loops that load, not ${budget.loads.length}`;
  const at = kernel.loads.findIndex((loads, i) => loads < /** @type {number} */ (budget.loads[i]));
  if (at >= 0) return `loop ${at + 1} keeps ${kernel.loads[at]} loads on their way, and the budget wants ${budget.loads[at]}`;
  return undefined;
}

/** @returns {Promise<Account[] | { reason: string }>} `reason`: why the compiler cannot be asked here */
async function askCompiler() {
  const [manifest] = driverManifests('radeon_icd');
  if (!manifest) return { reason: "this system has no Vulkan driver for AMD's cards (on Debian: mesa-vulkan-drivers)" };
  const tool = await ensureNativeTool('shader_stats');
  const accounts = [];
  for (const chip of chips) {
    const env = { ...softwareVulkan(manifest), RADV_FORCE_FAMILY: chip, MESA_SHADER_CACHE_DISABLE: 'true' };
    const end = await capture(tool, [], { env });
    if (end.stderr.includes('no device')) return { reason: 'its Vulkan driver does not imitate cards (Mesa does up to version 26.0)' };
    if (end.code !== 0) throw new SetupError(`shader_stats ${describeEnd(end)}: ${end.stderr.trim()}`, 'Look at what it says above.');
    accounts.push(readReport(JSON.parse(end.stdout), chip));
  }
  return accounts;
}

/** @param {Account} account */
function table({ chip, driver, kernels }) {
  const rows = Object.entries(kernels).map(([name, k]) => [
    name,
    ...[k.registers, k.spills, k.sharedBytes, k.waves, k.instructions].map(String),
    k.loads.join(', '),
  ]);
  const all = [['kernel and its constants', 'registers', 'spills', 'shared bytes', 'waves', 'instructions', 'loads on their way'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = all.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  '));
  return `${chip}, ${driver}\n${lines.join('\n')}\n`;
}

/** @param {Account[]} accounts @returns {Budgets} */
function budgetsOf(accounts) {
  const list = accounts.map(({ chip, kernels }) => [
    chip,
    Object.fromEntries(Object.entries(kernels).map(([name, { spills, waves, loads }]) => [name, { spills, waves, loads }])),
  ]);
  return { driver: accounts[0]?.driver ?? '', chips: Object.fromEntries(list) };
}

/** @param {string[]} args `--json`, or `--update` to make budgets of what was found @returns {Promise<number>} exit code */
export async function shaderStats(args) {
  const { values } = parseArgs({ args, options: { json: { type: 'boolean' }, update: { type: 'boolean' } } });
  await ensureNative({ forTests: true });
  const accounts = await askCompiler();
  if ('reason' in accounts) throw new SetupError(`no statistics of shaders: ${accounts.reason}.`, 'Run it on Debian 12.');
  if (values.update) {
    writeFileSync(budgetFile, `${JSON.stringify(budgetsOf(accounts))}\n`);
    say('the budgets are those of this run; `npm run fix` formats them');
  }
  process.stdout.write(values.json ? `${JSON.stringify(accounts)}\n` : accounts.map(table).join('\n'));
  return 0;
}

/** Whether each kernel is within its budget. @returns {Promise<import('./counts.mjs').Counts>} */
export async function shaderBudgets() {
  const stage = 'shader budgets';
  /** @param {string} reason */
  const skip = (reason) => {
    say(`SKIPPED: ${stage}, because ${reason}`);
    return skipped(stage, reason);
  };
  /** @type {Budgets} */
  const budgets = JSON.parse(readFileSync(budgetFile, 'utf8'));
  const accounts = await askCompiler();
  if ('reason' in accounts) return skip(accounts.reason);
  const driver = accounts[0]?.driver ?? '';
  if (driver !== budgets.driver) return skip(`the budgets are those of ${budgets.driver}, and this system has ${driver}`);
  return total(
    accounts.flatMap(({ chip, kernels }) =>
      Object.entries(kernels).map(([name, kernel]) => {
        const why = overBudget(kernel, budgets.chips[chip]?.[name]);
        return single(`${stage}: ${name} on ${chip}`, why && `${why}; if that is meant, run \`npm run shader-stats -- --update\``);
      }),
    ),
  );
}
