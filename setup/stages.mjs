// Stages of a run of checks: one after another or side by side, and the account of them at the end.
import { allGood, single, summaryLine, total } from './counts.mjs';
import { say, SetupError } from './report.mjs';

/** @typedef {import('./counts.mjs').Counts} Counts */
/** @typedef {{ name: string, run: () => Promise<Counts> }} Stage */

/** @param {Stage} stage */
async function timed({ name, run }) {
  say(`--- ${name}`);
  const start = performance.now();
  const counts = await run();
  say(`${name}: ${summaryLine(counts)} in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return counts;
}

/**
 * Stages that do not touch one another's files, `width` at a time, begun in their order.
 * @param {Stage[]} stages
 * @param {number} width
 * @returns {Promise<Counts[]>} in their order
 */
export async function sideBySide(stages, width) {
  /** @type {Counts[]} */
  const results = [];
  const waiting = [...stages.entries()];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await timed(next[1]);
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(width, stages.length)) }, lane));
  return results;
}

/** A step that must succeed, as a check. @param {string} name @param {() => Promise<void>} step @returns {Promise<Counts>} */
export async function orFailure(name, step) {
  try {
    await step();
    return single(name);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(`${error.message}\n       ${error.nextStep}`);
    return single(name, `${error.message} ${error.nextStep}`);
  }
}

/** Prints what failed or was skipped, and the line that counts. @param {Counts[]} results @returns {number} exit code */
export function account(results) {
  const counts = total(results);
  const list = [
    ...counts.skipped.map((test) => ({ ...test, how: 'SKIPPED' })),
    ...counts.failed.map((test) => ({ ...test, how: 'FAILED' })),
  ];
  for (const { how, name, why } of list) process.stdout.write(`${how}  ${name}: ${why}\n`);
  process.stdout.write(`${summaryLine(counts)}\n`);
  return allGood(counts) ? 0 : 1;
}
