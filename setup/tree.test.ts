import { expect, test } from 'vitest';
import { filesNamedIn, readTree } from './tree.mjs';

const files = ['main/app.ts', 'main/engine/host.ts', 'fixtures/a/one.json', 'fixtures/a/two.json', 'renderer/App.svelte'];
const filesAt = (name: string): string[] =>
  files.includes(name) ? [name] : name === '' ? [] : files.filter((file) => file.startsWith(`${name}/`));

test.each([
  ["import { a } from './engine/host.ts';", ['main/engine/host.ts']],
  ["import type { A } from './engine/host.ts';", ['main/engine/host.ts']],
  ["await import('../renderer/App.svelte')", ['renderer/App.svelte']],
  ["new URL('./engine/host.ts', import.meta.url)", ['main/engine/host.ts']],
  ["inRoot('main/engine/host.ts')", ['main/engine/host.ts']],
  ["new URL('engine/host.ts', import.meta.url)", ['main/engine/host.ts']],
  ['new URL(`../fixtures/a/${name}.json`, import.meta.url)', ['fixtures/a/one.json', 'fixtures/a/two.json']],
  ["inRoot('fixtures/a')", ['fixtures/a/one.json', 'fixtures/a/two.json']],
  ["import { x } from 'valibot'; say('main'); './app.ts'", []],
])('%s', (text, named) => {
  expect(filesNamedIn('main/app.ts', text, filesAt)).toEqual(named);
});

test('a test of this checkout reads what it imports, and what that imports', async () => {
  const tree = await readTree();
  const alone = tree.everything(['setup/paths.mjs']);
  expect(tree.everything(['setup/paths.mjs'])).toBe(alone);
  expect(tree.everything(['setup/tree.test.ts'])).not.toBe(alone);
  expect(tree.files).toContain('setup/tree.test.ts');
});
