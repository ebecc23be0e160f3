import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readLicences } from '../main/host/licences.ts';
import { root } from './paths.mjs';
import { skippedInstallScripts, faultsOf, lockedPackages, packagesOf } from './supply.mjs';

const packages = lockedPackages();

test('what ships has a licence on the list, and no package runs a program when it is installed', () => {
  expect(readFileSync(join(root, '.npmrc'), 'utf8')).toContain('\nignore-scripts=true\n');
  expect(packages.filter(({ ships }) => ships).length).toBeGreaterThan(30);
  expect(faultsOf(packages)).toEqual([]);
});

test('the lists name nothing that is gone', () => {
  const running = packages.filter(({ runsOnInstall }) => runsOnInstall).map(({ name }) => name);
  expect(Object.keys(skippedInstallScripts).sort()).toEqual(running.sort());
});

test('a licence that is not on the list, none at all, and a script are faults; development packages may have any licence', () => {
  const lock = {
    packages: {
      '': { version: '1' },
      'node_modules/a': { version: '1', license: 'AGPL-3.0-only' },
      'node_modules/b/node_modules/@c/d': { version: '2' },
      'node_modules/e': { version: '3', license: 'MIT', dev: true, hasInstallScript: true },
      'node_modules/f': { version: '4', license: 'GPL-3.0-only', dev: true },
    },
  };
  expect(faultsOf(packagesOf(JSON.stringify(lock)))).toEqual([
    'a 1 ships and its licence is "AGPL-3.0-only", which is not on the list.',
    '@c/d 2 ships and its licence is "", which is not on the list.',
    'e 3 has a program to run when it is installed, and is not on the list of those that work without.',
  ]);
});

test('the licences that the app shows are those of everything that ships and is installed', async () => {
  const shown = await readLicences(root);
  const missing = packages.filter(({ name, ships }) => ships && !shown.some((licence) => licence.name === name)).map(({ name }) => name);
  // What is for other systems is not here to be read; each package of an installer is built on the system that it is for.
  const others = /^(@img\/sharp-|@napi-rs\/canvas|@emnapi\/)/;
  expect(missing.filter((name) => !others.test(name))).toEqual([]);
  for (const { name, text } of shown) expect(text.length, name).toBeGreaterThan(20);
});
