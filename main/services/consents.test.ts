import { beforeEach, expect, test } from 'vitest';
import type { ProgramConsent, ProgramQuestion } from '../contract.ts';
import { createConsents, mostQuestions, type AskedConsent, type Consents } from './consents.ts';

let remembered: ProgramConsent[];
let hasWindow: boolean;
let isFull: boolean;
let shown: ProgramQuestion[];
let consents: Consents;

beforeEach(() => {
  remembered = [];
  hasWindow = true;
  isFull = false;
  shown = [];
  consents = createConsents({
    remembered: () => remembered,
    remember(next) {
      if (isFull) throw new Error('the disk is full');
      remembered = next;
    },
    showWindow: () => hasWindow,
    onChange: (questions) => (shown = questions),
    mostRemembered: 3,
  });
});

const about: AskedConsent = { program: 'notes', tool: 'ask_about_file', words: 'What is it?', path: '/a.png', found: null };
const never = new AbortController().signal;
const ask = (change: Partial<AskedConsent> = {}, signal = never): Promise<void> => consents.ask({ ...about, ...change }, signal);
const say = (allowed: boolean, isRemembered = false, at = 0): void =>
  consents.answer({ id: shown[at]!.id, allowed, remembered: isRemembered });

test('allowed once holds for one call; the next is asked about again', async () => {
  const first = ask();
  expect(shown).toEqual([{ id: 1, ...about }]);
  say(true);
  await first;
  expect(shown).toEqual([]);
  expect(remembered).toEqual([]);
  const second = ask();
  say(false);
  await expect(second).rejects.toMatchObject({ code: 'request_refused', message: expect.stringContaining('“notes”') as string });
});

test('a remembered answer holds for this program and this tool, and for nothing else', async () => {
  const allowed = ask();
  say(true, true);
  await allowed;
  await ask({ path: '/another.png', words: 'And this?' });
  expect(shown).toEqual([]);
  const others = [ask({ program: 'Notes' }), ask({ program: 'notes ' }), ask({ tool: 'search_history' }), ask({ tool: 'capture_and_ask' })];
  expect(shown.map(({ program, tool }) => [program, tool])).toEqual([
    ['Notes', 'ask_about_file'],
    ['notes ', 'ask_about_file'],
    ['notes', 'search_history'],
    ['notes', 'capture_and_ask'],
  ]);
  say(false, true);
  await expect(others[0]).rejects.toMatchObject({ code: 'request_refused' });
  // Never again: the window is not even opened.
  await expect(ask({ program: 'Notes' })).rejects.toMatchObject({ nextStep: expect.stringContaining('Settings') as string });
  while (shown.length > 0) say(false);
  await Promise.allSettled(others);
  expect(remembered).toEqual([
    { program: 'notes', tool: 'ask_about_file', allowed: true },
    { program: 'Notes', tool: 'ask_about_file', allowed: false },
  ]);
});

test('what is remembered answers what the same program has asked meanwhile', async () => {
  const asked = [ask(), ask({ path: '/b.png' }), ask({ program: 'other' })];
  say(true, true);
  await Promise.all(asked.slice(0, 2));
  expect(shown.map(({ program }) => program)).toEqual(['other']);
  say(true);
  await asked[2];
});

test('forgotten, it is asked again; the other way, the last answer counts', async () => {
  remembered = [
    { program: 'notes', tool: 'ask_about_file', allowed: true },
    { program: 'notes', tool: 'search_history', allowed: true },
  ];
  consents.forget('notes', 'ask_about_file');
  expect(remembered).toEqual([{ program: 'notes', tool: 'search_history', allowed: true }]);
  const again = ask();
  say(false, true);
  await expect(again).rejects.toMatchObject({ code: 'request_refused' });
  expect(remembered.at(-1)).toEqual({ program: 'notes', tool: 'ask_about_file', allowed: false });
});

test('of what is remembered the oldest gives way', async () => {
  for (const program of ['a', 'b', 'c', 'd']) {
    const asked = ask({ program });
    say(true, true);
    await asked;
  }
  expect(remembered.map(({ program }) => program)).toEqual(['b', 'c', 'd']);
});

test('without a window nothing is allowed but what was before', async () => {
  hasWindow = false;
  await expect(ask()).rejects.toMatchObject({ code: 'request_refused', message: expect.stringContaining('No window') as string });
  expect(shown).toEqual([]);
  remembered = [{ program: 'notes', tool: 'ask_about_file', allowed: true }];
  await ask();
});

test('a program that leaves takes its question along; what is answered too late changes nothing', async () => {
  const leave = new AbortController();
  const asked = ask({}, leave.signal);
  const { id } = shown[0]!;
  leave.abort();
  await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
  expect(shown).toEqual([]);
  consents.answer({ id, allowed: true, remembered: true });
  expect(remembered).toEqual([]);
  await expect(ask({}, leave.signal)).rejects.toMatchObject({ code: 'cancelled' });
  expect(shown).toEqual([]);
});

test('a program that asks without end does not bury the others', async () => {
  const leave = new AbortController();
  const asked = Array.from({ length: mostQuestions }, () => ask({}, leave.signal));
  await expect(ask()).rejects.toMatchObject({ code: 'queue_full' });
  expect(shown).toHaveLength(mostQuestions);
  leave.abort();
  await Promise.allSettled(asked);
  expect(consents.questions()).toEqual([]);
});

test('an answer that cannot be kept holds for this once, and the window hears why', async () => {
  isFull = true;
  const asked = ask();
  expect(() => say(true, true)).toThrow('the disk is full');
  await asked;
  const again = ask();
  expect(shown).toHaveLength(1);
  say(false);
  await expect(again).rejects.toMatchObject({ code: 'request_refused' });
});
