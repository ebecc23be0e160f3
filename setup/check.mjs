// `npm run check`: format, import rules, types, lint and the tests of what changed since each of them last passed.
import { availableParallelism } from 'node:os';
import { boundaries, checkedFolders, format, isLinted, lint, python, types, vitestFiles, windowTypes } from './checks.mjs';
import { account, sideBySide } from './stages.mjs';
import { say } from './report.mjs';
import { Passed, readTree } from './tree.mjs';

/** @typedef {import('./counts.mjs').Counts} Counts */
/** @typedef {import('./tree.mjs').Tree} Tree */

/**
 * Tests that need neither the engine, nor a screen, nor minutes. The others have their kind in their names, as vitest.config.ts lists
 * them.
 */
export const isQuickTest = /^(main|setup|renderer)\/([^/]+\/)*[^./]+\.test\.ts$/;

/** @returns {Promise<number>} exit code */
export async function check() {
  const tree = await readTree();
  const linted = new Passed('lint');
  const tested = new Passed('tests');
  const others = new Passed('others');
  const code = tree.files.filter((path) => /\.(ts|mjs|cjs|svelte)$/.test(path));
  const below = (/** @type {string} */ folder) => code.filter((path) => path.startsWith(`${folder}/`));

  /**
   * A stage, unless it passed when everything that it reads was as it is now.
   * @param {string} name
   * @param {string[]} files
   * @param {() => Promise<Counts>} run
   */
  const ifChanged = (name, files, run) => {
    const key = `${name} ${tree.everything(files)}`;
    if (others.has(key)) return [];
    const remembering = async () => {
      const counts = await run();
      if (counts.failed.length === 0) others.add(key);
      return counts;
    };
    return [{ name, run: remembering }];
  };

  const lintKey = (/** @type {string} */ path) => tree.content([path, 'eslint.config.js']);
  const toLint = tree.files.filter((path) => isLinted(path) && !linted.has(lintKey(path)));
  const toTest = tree.files.filter((path) => isQuickTest.test(path) && !tested.has(tree.everything([path])));
  const lintChanged = { name: `lint of ${count(toLint)}`, run: () => lint(toLint, (path) => linted.add(lintKey(path))) };
  const testChanged = {
    name: `tests in ${count(toTest)}`,
    run: () => vitestFiles(toTest, (path) => tested.add(tree.everything([path]))),
  };
  const stages = [
    ...(toLint.length > 0 ? [lintChanged] : []),
    ...(toTest.length > 0 ? [testChanged] : []),
    ...ifChanged('types of renderer/', below('renderer'), windowTypes),
    ...checkedFolders.flatMap((folder) => ifChanged(`types of ${folder}/`, below(folder), () => types(folder))),
    ...ifChanged('import rules', [...code, '.dependency-cruiser.js'], boundaries),
    { name: 'format', run: format },
    { name: 'lint of Python', run: python },
  ];
  const start = performance.now();
  const results = await sideBySide(stages, availableParallelism());
  for (const passed of [linted, tested, others]) passed.save();
  say(
    `checked in ${((performance.now() - start) / 1000).toFixed(1)} s. \`npm test\` also runs the engine, the packaged app and the browser.`,
  );
  return account(results);
}

/** @param {string[]} files */
const count = (files) => (files.length === 1 ? '1 file' : `${files.length} files`);
