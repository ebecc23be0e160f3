import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, matchesGlob } from 'node:path';
import { cruise } from 'dependency-cruiser';
import { afterEach, beforeEach, expect, test } from 'vitest';
import rules from '../.dependency-cruiser.js';
import { single } from './counts.mjs';
import config from '../vitest.config.ts';
import { isQuickTest } from './check.mjs';
import { inRoot } from './paths.mjs';
import { readSettings } from './python.mjs';
import { sideBySide } from './stages.mjs';
import { sourceFiles } from './tree.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-rules-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The rules that a tree of these files breaks. */
async function broken(sources: Record<string, string>): Promise<string[]> {
  for (const [path, text] of Object.entries(sources)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const { tsConfig: _, ...options } = rules.options ?? {};
  const ruleSet = { forbidden: rules.forbidden ?? [] };
  const found = await cruise(
    ['main', 'renderer', 'setup'].filter((top) => Object.keys(sources).some((path) => path.startsWith(top))),
    {
      ...options,
      baseDir: folder,
      validate: true,
      ruleSet,
    },
  );
  if (typeof found.output === 'string') throw new Error('dependency-cruiser reported in words');
  return [...new Set(found.output.summary.violations.map(({ rule }) => rule.name))].sort();
}

test('a circle of files is found, even one of types', async () => {
  const sources = {
    'renderer/state/a.ts': "import type { B } from './b.ts';\nexport type A = B;\n",
    'renderer/state/b.ts': "import type { A } from './a.ts';\nexport interface B { a: A }\n",
  };
  expect(await broken(sources)).toEqual(['no-circle-of-files']);
});

test('a circle of folders is found where no two files make one', async () => {
  const sources = {
    'main/image/a.ts': "import { b } from '../storage/b.ts';\nexport const a = b;\n",
    'main/storage/b.ts': 'export const b = 1;\n',
    'main/storage/c.ts': "import type { D } from '../image/d.ts';\nexport type C = D;\n",
    'main/image/d.ts': 'export type D = 1;\n',
  };
  expect(await broken(sources)).toEqual(['no-circle-of-folders']);
});

test.each([
  ['main/services/a.ts', 'main/storage/b.ts', 'services-know-ports'],
  ['main/services/a.ts', 'main/web/b.ts', 'hosts-stand-at-the-top'],
  ['main/engine/a.ts', 'main/storage/b.ts', 'engine-keeps-nothing'],
  ['main/web/a.ts', 'main/electron/b.ts', 'hosts-do-not-know-one-another'],
  ['main/cli/a.ts', 'main/web/server.ts', 'hosts-do-not-know-one-another'],
  ['main/cli/a.ts', 'main/web/serve.ts', null],
  ['main/cli/a.ts', 'main/api/openai.ts', 'hosts-do-not-know-one-another'],
  ['main/cli/a.ts', 'main/api/serve.ts', null],
  ['main/web/a.ts', 'main/app.ts', null],
  ['main/storage/a.ts', 'main/app.ts', 'composition-serves-hosts-alone'],
  ['main/contract.ts', 'main/host/log.ts', 'contract-stands-alone'],
  ['renderer/state/a.ts', 'main/contract.ts', null],
  ['renderer/state/a.ts', 'main/host/log.ts', 'window-knows-the-contract'],
  ['renderer/state/a.ts', 'renderer/components/b.ts', 'logic-draws-nothing'],
  ['main/host/log.ts', 'main/gone.ts', 'imports-exist'],
])('%s may not import %s: %s', async (from, to, rule) => {
  const specifier = join(
    ...dirname(from)
      .split('/')
      .map(() => '..'),
    to,
  );
  const target = rule === 'imports-exist' ? {} : { [to]: 'export const b = 1;\n' };
  expect(await broken({ [from]: `import { b } from '${specifier}';\nexport const a = b;\n`, ...target })).toEqual(rule ? [rule] : []);
});

test('ruff.toml is read as ruff reads it', () => {
  expect(readSettings('# why\nline-length = 140\n\n[lint]\nselect = ["E", "F"]\n')).toEqual({
    'line-length': 140,
    lint: { select: ['E', 'F'] },
  });
  expect(() => readSettings('select = [\n"E"]')).toThrow('select = [');
});

test('stages side by side: as many at a time as there are lanes, results in the order of the stages', async () => {
  let running = 0;
  let most = 0;
  const stages = ['a', 'b', 'c', 'd'].map((name) => ({
    name,
    run: async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return single(name, `${name} failed`);
    },
  }));
  const results = await sideBySide(stages, 2);
  expect(results.map(({ failed }) => failed[0]?.name)).toEqual(['a', 'b', 'c', 'd']);
  expect(most).toBe(2);
});

test('every environment variable of ours is in docs/README.md, and none that is gone', async () => {
  const isSource = (path: string): boolean =>
    /^(main|renderer|setup|e2e|native)\/.*\.(ts|mjs|cjs|cpp|h)$/.test(path) && !path.endsWith('setup/checks.test.ts');
  /** Names of macros and of CMake's options, which are not variables of the environment. */
  const isBuild = /^LOUPE_(VK_\w+|GLSLC|NODE_\w+|SHADER_OUT|SHADERS_DIR|FIXTURES_DIR|TESTS|VULKAN_INCLUDE)$/;
  const texts = (await sourceFiles()).filter(isSource).map((path) => readFileSync(inRoot(path), 'utf8'));
  const named = (text: string): string[] => text.match(/\bLOUPE_[A-Z_]*[A-Z]\b/g) ?? [];
  const used = new Set(texts.flatMap(named).filter((name) => !isBuild.test(name)));
  const documented = new Set(named(readFileSync(inRoot('docs/README.md'), 'utf8')));
  expect([...documented].sort()).toEqual([...used].sort());
});

test('every README and every page of docs/ is in the list of docs/README.md', async () => {
  const list = readFileSync(inRoot('docs/README.md'), 'utf8');
  const pages = (await sourceFiles()).filter((path) => /(^|\/)README\.md$|^docs\/[^/]+\.md$/.test(path) && path !== 'docs/README.md');
  const linked = (path: string): boolean => list.includes(path.startsWith('docs/') ? `(${path.slice('docs/'.length)})` : `(../${path})`);
  expect(pages.filter((path) => !linked(path))).toEqual([]);
});

test('the quick tests of a check are those of the projects that it runs', async () => {
  const projects = config.test!.projects as { test: { name: string; include: string[]; exclude?: string[] } }[];
  const quick = projects.map(({ test: project }) => project).filter(({ name }) => name === 'unit' || name === 'window');
  const isIn = (path: string): boolean =>
    quick.some(
      ({ include, exclude = [] }) =>
        include.some((pattern) => matchesGlob(path, pattern)) && !exclude.some((pattern) => matchesGlob(path, pattern)),
    );
  const tests = (await sourceFiles()).filter((path) => path.endsWith('.test.ts'));
  expect(tests.length).toBeGreaterThan(100);
  expect(tests.filter((path) => isQuickTest.test(path) !== isIn(path))).toEqual([]);
});
