/**
 * Asks the demo model the held-out questions of training/evaluation_set.py through the engine.
 *
 *   node training/ask-engine.ts SET [OUT.json] [--every N] [--model FOLDER]
 *
 * Prints the share of exact answers by cell; OUT.json gets them, and every answer.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { demoModel } from '../main/host/paths.ts';
import { createEngineClient } from '../main/engine/client.ts';
import { askAll, readCases, shares } from '../main/engine/test/held-out.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { every: { type: 'string', default: '1' }, model: { type: 'string', default: demoModel } },
});
const [folder, out] = positionals;
if (folder === undefined) throw new Error('Name the folder that training/evaluation_set.py has written.');

const every = Number(values.every);
const cases = readCases(folder).filter((_, index) => index % every === 0);
const engine = createEngineClient();
try {
  await engine.load({ directory: values.model, engine: { activations: 'f32' } });
  let done = 0;
  const outcomes = await askAll(engine, folder, cases, () => {
    done++;
    if (done % 50 === 0) process.stderr.write(`${done} of ${cases.length}\n`);
  });
  const summary = shares(outcomes);
  for (const [key, { questions, exact }] of Object.entries(summary)) {
    process.stdout.write(`${key.padEnd(45)} ${String(questions).padStart(5)} ${(100 * exact).toFixed(1).padStart(6)} %\n`);
  }
  const answers = outcomes.map(({ case: { cell, turns }, text, right }) => ({
    cell,
    ask: turns.at(-1)!.ask,
    expected: turns.at(-1)!.answer,
    text,
    right,
  }));
  if (out !== undefined) writeFileSync(out, `${JSON.stringify({ summary, answers }, null, 1)}\n`);
} finally {
  await engine.close();
}
