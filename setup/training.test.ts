import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { capture, which } from './exec.mjs';
import { inRoot } from './paths.mjs';

/** Where training/README.md installs PyTorch. */
const environment = '/opt/loupe-training-venv/bin/python';
/** On a busy machine: a Python with PyTorch takes seconds to start, and one of these tests runs at idle priority. */
const limit = 10 * 60_000;

const run = async (script: string, python: string) => {
  const { code, stderr } = await capture(python, [inRoot('training', script)]);
  const skipped = /^SKIPPED: .*/m.exec(stderr)?.[0];
  if (skipped === undefined) expect(stderr).toMatch(/^OK$/m);
  expect(code).toBe(0);
  return skipped;
};

test.for(['test_tile_grid.py', 'test_places.py', 'test_idle.py'])('training/%s passes', { timeout: limit }, async (script, { skip }) => {
  const python = which('python3');
  if (!python) return skip(`There is no python3 on PATH, so training/${script} was not run.`);
  expect(await run(script, python)).toBeUndefined();
});

test.for(['test_attention.py', 'test_sprint.py'])('training/%s passes, with PyTorch', { timeout: limit }, async (script, { skip }) => {
  const python = existsSync(environment) ? environment : which('python3');
  if (!python) return skip('There is neither python3 on PATH nor the environment of training/README.md.');
  const skipped = await run(script, python);
  if (skipped !== undefined) skip(skipped);
});
