import { beforeEach, expect, test } from 'vitest';
import type { ProgramsState } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { sessionSecrets } from './models/hub/secrets.ts';
import type { ProgramBytes } from './ports.ts';
import { countInLedger, createPrograms, type ListenOptions, type Programs } from './programs.ts';

let settings = { programs: false, programsPort: 11_535 };
let secrets = sessionSecrets();
let isBroken = false;
let taken = new Set<number>();
let listening: ListenOptions[] = [];
let states: ProgramsState['status'][] = [];
let counted: ProgramBytes[] = [];
let programs: Programs;

beforeEach(() => {
  settings = { programs: false, programsPort: 11_535 };
  secrets = sessionSecrets();
  isBroken = false;
  taken = new Set();
  listening = [];
  states = [];
  counted = [];
  let made = 0;
  programs = createPrograms({
    settings: () => {
      if (isBroken) throw new LoupeError('store_damaged', 'Damaged.');
      return settings;
    },
    secrets,
    listen: async (options) => {
      if (taken.has(options.port)) throw new LoupeError('port_unavailable', `Port ${options.port} is in use by ollama (42).`);
      listening.push(options);
      taken.add(options.port);
      return {
        port: options.port,
        async close() {
          listening.splice(listening.indexOf(options), 1);
          taken.delete(options.port);
        },
      };
    },
    newKey: () => `key-${++made}`,
    count: (bytes) => void counted.push(bytes),
    onChange: ({ status }) => void states.push(status),
  });
});

test('off unless the settings say otherwise, and without a key nobody is answered', async () => {
  await programs.follow();
  expect(programs.state()).toMatchObject({ status: 'off', port: null, key: null });
  settings.programs = true;
  await programs.follow();
  expect(programs.state()).toMatchObject({ status: 'keyless', port: null });
  expect(listening).toEqual([]);
  expect(await programs.newKey()).toBe('key-1');
  expect(programs.state()).toMatchObject({ status: 'ready', port: 11_535, key: 'session', answered: 0 });
  expect(listening).toMatchObject([{ port: 11_535, key: 'key-1' }]);
  settings.programs = false;
  await programs.follow();
  expect(listening).toEqual([]);
  expect(states.at(-1)).toBe('off');
});

test('a new key takes the place of the old one; a setting of something else changes nothing', async () => {
  settings.programs = true;
  await programs.newKey();
  const [first] = listening;
  await programs.follow();
  expect(listening).toEqual([first]);
  await programs.newKey();
  expect(listening).toMatchObject([{ key: 'key-2' }]);
  expect(await secrets.get('api-key')).toBe('key-2');
});

test('a port that is taken is named, and another one is taken at once', async () => {
  settings.programs = true;
  taken.add(11_535);
  await programs.newKey();
  expect(programs.state()).toMatchObject({
    status: 'failed',
    port: null,
    failure: { message: 'Port 11535 is in use by ollama (42).', nextStep: expect.stringContaining('another port below') as string },
  });
  settings.programsPort = 11_536;
  await programs.follow();
  expect(programs.state()).toMatchObject({ status: 'ready', port: 11_536, failure: null });
});

test('turned on and off faster than ports are taken: what was said last counts', async () => {
  await programs.newKey();
  const all = [true, false, true, false].map((on) => {
    settings.programs = on;
    return programs.follow();
  });
  await Promise.all(all);
  expect(listening).toEqual([]);
  expect(programs.state().status).toBe('off');
});

test('counts what was answered, and ends with the app', async () => {
  settings.programs = true;
  await programs.newKey();
  listening[0]!.onAnswered({ questionBytes: 10, answerBytes: 20 });
  listening[0]!.onAnswered({ questionBytes: 1, answerBytes: 2 });
  expect(programs.state().answered).toBe(2);
  expect(counted).toEqual([
    { questionBytes: 10, answerBytes: 20 },
    { questionBytes: 1, answerBytes: 2 },
  ]);
  const before = states.length;
  await programs.close();
  expect(listening).toEqual([]);
  // Its windows are gone.
  expect(states).toHaveLength(before);
});

test('a store that cannot be opened lets nobody in', async () => {
  settings.programs = true;
  await programs.newKey();
  isBroken = true;
  await programs.follow();
  expect(programs.state().status).toBe('off');
  expect(listening).toEqual([]);
});

test('a ledger that cannot be written to costs the count, and no answer', () => {
  const full = new LoupeError('store_full', 'The disk is full.');
  const faults: unknown[] = [];
  const count = countInLedger(
    {
      addProgram: () => {
        throw full;
      },
    },
    (error) => faults.push(error),
  );
  count({ questionBytes: 1, answerBytes: 1 });
  expect(faults).toEqual([full]);
});
