import { expect, test } from 'vitest';
import { firstIntent, intentOfArguments, intentOfLink, parseIntent, type Intent } from './intents.ts';

const show: Intent = { kind: 'show', conversationId: null };

test.each<[string[], Intent]>([
  [[], show],
  [['/usr/bin/loupe'], show],
  [['--hidden'], { kind: 'hidden' }],
  [['--no-sandbox', '--capture'], { kind: 'capture', mode: 'region' }],
  [['--capture=last'], { kind: 'capture', mode: 'last' }],
  [['--capture=display'], { kind: 'capture', mode: 'display' }],
  [['--capture=everything'], show],
  [['--captured'], show],
  [['loupe://capture'], { kind: 'capture', mode: 'region' }],
  [['--', 'loupe://conversation/12'], { kind: 'show', conversationId: 12 }],
])('%j', (args, intent) => {
  expect(intentOfArguments(args)).toEqual(intent);
});

test.each<[string, Intent | null]>([
  ['loupe://open', show],
  ['loupe://open/', show],
  ['loupe://conversation/1', { kind: 'show', conversationId: 1 }],
  ['loupe://conversation/0', null],
  ['loupe://conversation/-1', null],
  ['loupe://conversation/1/../2', { kind: 'show', conversationId: 2 }],
  ['loupe://conversation/99999999999999999999', null],
  ['loupe://capture?mode=last', { kind: 'capture', mode: 'region' }],
  ['loupe://app/', null],
  ['https://example.org/', null],
  ['--capture', null],
])('%s', (link, intent) => {
  expect(intentOfLink(link)).toEqual(intent);
});

test.each([
  null,
  undefined,
  'show',
  {},
  { kind: 'show' },
  { kind: 'capture', mode: 'all' },
  { kind: 'show', conversationId: 1.5 },
  { kind: 'hidden', extra: 1 },
])('%j is not understood', (value) => {
  expect(parseIntent(value)).toBeNull();
});

test('an intent survives the way to the first instance', () => {
  for (const intent of [show, { kind: 'capture', mode: 'last' }, { kind: 'hidden' }])
    expect(parseIntent(structuredClone(intent))).toEqual(intent);
});

test.each<[Intent, boolean, boolean, Intent]>([
  [show, false, false, show],
  [show, true, false, { kind: 'hidden' }],
  [show, false, true, { kind: 'hidden' }],
  [{ kind: 'show', conversationId: 3 }, true, true, { kind: 'show', conversationId: 3 }],
  [{ kind: 'capture', mode: 'region' }, true, true, { kind: 'capture', mode: 'region' }],
])('first start with %j, at login %s, minimised %s', (intent, atLogin, minimised, expected) => {
  expect(firstIntent(intent, { atLogin, minimised })).toEqual(expected);
});
