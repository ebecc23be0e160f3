import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readLicences } from '../main/host/licences.ts';
import { root } from './paths.mjs';
import {
  advisoriesOf,
  auditFaults,
  compiledIn,
  faultsOf,
  lockedPackages,
  packagesOf,
  skippedInstallScripts,
  thirdPartiesOf,
  untriaged,
} from './supply.mjs';

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

test('so are those of what is compiled into the engine', async () => {
  const folder = join(root, 'native', 'src');
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(cpp|h)$/.test(path));
  const found = new Set(sources.flatMap((path) => thirdPartiesOf(readFileSync(join(folder, path), 'utf8'))));
  expect([...found].sort()).toEqual(Object.keys(compiledIn).sort());
  const shown = await readLicences(root);
  for (const name of Object.values(compiledIn))
    expect(shown.find((licence) => licence.name === name)?.text, name).toMatch(/Permission is hereby granted|MIT/);
  expect(thirdPartiesOf('#include <boost/asio.hpp>\n#include <vector>\n#include <sys/stat.h>\n#include "base/error.h"\n')).toEqual([
    'boost',
  ]);
});

describe('known faults', () => {
  const answer = JSON.stringify({
    vulnerabilities: {
      ws: { via: [{ url: 'https://github.com/advisories/GHSA-aaaa', name: 'ws', severity: 'high', title: 'Frames without end' }] },
      openai: { via: ['ws'] },
    },
  });
  const [ws] = advisoriesOf(answer)!;

  test('are read from what npm says; an error of the registry is none', () => {
    expect(advisoriesOf(answer)).toEqual([{ id: 'GHSA-aaaa', name: 'ws', severity: 'high', title: 'Frames without end' }]);
    expect(advisoriesOf('{"message":"405 Method Not Allowed","statusCode":405}')).toBeNull();
  });

  test('have to be judged, anew after a while, and taken out when they are gone', () => {
    const judged = { 'GHSA-aaaa': { name: 'ws', why: 'only our own server is asked', until: '2026-12-31' } };
    expect(untriaged([ws!], {}, '2026-11-28')).toEqual([expect.stringContaining('GHSA-aaaa (high) in ws: Frames without end')]);
    expect(untriaged([ws!], judged, '2026-11-28')).toEqual([]);
    expect(untriaged([ws!], judged, '2027-01-01')).toEqual([expect.stringContaining('was judged until 2026-12-31')]);
    expect(untriaged([], judged, '2026-11-28')).toEqual([expect.stringContaining('no longer there')]);
    expect(untriaged([{ ...ws!, name: 'undici' }], judged, '2026-11-28')).toEqual([expect.stringContaining('in undici')]);
  });

  test('of what Loupe is made of are all judged', async ({ annotate, skip }) => {
    const faults = await auditFaults();
    if (!Array.isArray(faults)) {
      await annotate(`the registry does not say which faults are known: ${faults.notAnswered}`);
      skip(`the registry gave no answer: ${faults.notAnswered}`);
      return;
    }
    expect(faults).toEqual([]);
  });
});
