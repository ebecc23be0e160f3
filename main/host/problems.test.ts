/** The file for a report: words planted everywhere that a person writes, names or keeps, and searched for. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultSettings, type Settings } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { createLog } from './log.ts';
import { root as ourRoot } from './paths.ts';
import { readProblems, writeBundle } from './problems.ts';

/** In no word of ours. */
const secret = 'Quillfeather';
let root: string;
let logs: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), `loupe-${secret}-`));
  logs = join(root, secret, 'logs');
  mkdirSync(logs, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const bundle = (settings: Settings | null = null): string =>
  writeBundle({
    version: '1.2.3',
    host: 'web',
    logsDirectory: logs,
    settings,
    devices: [{ name: 'A GPU', memoryBytes: 8e9, suitable: true }],
  });

/** Every text and every choice that is typed, each with the word in it. */
const personal: Settings = {
  ...defaultSettings,
  model: `/models/${secret}/model.gguf`,
  device: secret,
  modelsDirectory: `/home/${secret}`,
  systemPrompt: `You are ${secret}.`,
  guard: `/guards/${secret}`,
  hotkey: secret,
  hotkeyDisplay: secret,
  hotkeyLast: secret,
  hotkeyText: secret,
  prompts: [{ label: secret, text: `Who is ${secret}?` }],
};

function logged(): void {
  const log = createLog(logs);
  log(new LoupeError('image_unreadable', `${secret}.png is damaged.`, undefined, { cause: new Error(secret) }));
  const thrown = new TypeError(`cannot read ${secret}\n    at ${secret} (/home/${secret}/main/a.ts:1:2)`);
  thrown.name = secret;
  log(thrown);
  log(Object.assign(new Error('x'), { code: `/home/${secret}` }));
  log(
    Object.assign(new Error('x'), {
      stack: `Error: x\n    at open (file://${ourRoot.replace(/\/$/, '')}/main/storage/store.ts:10:5)\n    at open (/home/main/${secret}/store.ts:10:5)\n    at /tmp/${secret}.js:1:1`,
    }),
  );
  log(`a sentence with ${secret} in it`);
  log(`the process ${secret} ended with code 1`);
  log(Object.assign(new Error('x'), { name: `${secret}Error` }));
  log(`the engine was lost during generate (${secret.toLowerCase()})`);
  log(`the engine was lost during generate (${secret})`);
  log('the process Loupe pictures ended with code 139');
  log('the engine was lost during generate (device_lost)');
  log('the model could not be loaded (device_out_of_memory)');
  log('Loupe 1.2.3 started on linux with Electron 45.4.1');
  writeFileSync(
    join(logs, 'loupe.1.log'),
    `${secret} before any time\n2026-01-01T00:00:00.000Z Error (EACCES)\n    at ${secret} (node:fs:12:3)\n${secret}\n`,
  );
}

test('nothing that a person wrote, named or keeps is in it, and what helps is', () => {
  logged();
  const text = bundle(personal);
  expect(text.toLowerCase()).not.toContain(secret.toLowerCase());
  expect(text).not.toContain(tmpdir());
  const { log, settings, devices, problems } = JSON.parse(text) as {
    log: string[];
    settings: unknown;
    devices: unknown;
    problems: unknown[];
  };
  expect(settings).toMatchObject({
    model: 'another',
    hasDevice: true,
    hasFolderForModels: true,
    hasGuard: true,
    prompts: 1,
    neverConnect: false,
  });
  expect(devices).toEqual([{ name: 'A GPU', memoryBytes: 8e9, suitable: true }]);
  const lines = log.map((line) => line.replace(/^\S+Z /, ''));
  for (const kept of [
    'Error (EACCES)',
    '    at node:fs:12:3',
    'LoupeError (image_unreadable)',
    '    at main/storage/store.ts:10:5',
    'the process Loupe pictures ended with code 139',
    'the engine was lost during generate (device_lost)',
    'Loupe 1.2.3 started on linux with Electron 45.4.1',
    '(left out)',
  ])
    expect(lines).toContain(kept);
  expect(problems.length).toBeGreaterThan(4);
});

test('without a log, settings or devices there is still a bundle', () => {
  const text = writeBundle({ version: '1', host: 'cli', logsDirectory: join(root, 'none'), settings: null, devices: null });
  expect(JSON.parse(text)).toMatchObject({ loupe: { version: '1', host: 'cli' }, settings: null, devices: null, log: [], problems: [] });
});

test('what went wrong is told in words, newest first, with a next step', () => {
  logged();
  const problems = readProblems(logs);
  expect(problems.slice(0, 3).map(({ code, what }) => [code, what])).toEqual([
    ['device_out_of_memory', 'The model could not be loaded.'],
    ['device_lost', 'The engine stopped during “generate” and was started again.'],
    [null, 'The process “pictures” ended, and another took its place.'],
  ]);
  expect(problems.every(({ nextStep }) => nextStep !== '')).toBe(true);
  expect(problems.at(-1)).toMatchObject({ at: Date.parse('2026-01-01T00:00:00Z'), what: 'Something failed in the background (EACCES).' });
  // What starts is no problem.
  expect(JSON.stringify(problems)).not.toContain('started on');
});
