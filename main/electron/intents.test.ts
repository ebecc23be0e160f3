import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { firstIntent, intentOfArguments, intentOfFile, intentOfLink, mostPaths, parseIntent, type Intent } from './intents.ts';

const show: Intent = { kind: 'show', conversationId: null };
const home = resolve('/home/ada');
const open = (...paths: string[]): Intent => ({ kind: 'open', paths: paths.map((path) => resolve(home, path)), leftOut: 0 });

test.each<[string[], Intent]>([
  [[], show],
  [['--hidden'], { kind: 'hidden' }],
  [['--no-sandbox', '--capture'], { kind: 'capture', mode: 'region' }],
  [['--capture=last'], { kind: 'capture', mode: 'last' }],
  [['--capture=display'], { kind: 'capture', mode: 'display' }],
  [['--capture=everything'], show],
  [['--captured'], show],
  [['loupe://capture'], { kind: 'capture', mode: 'region' }],
  [['--', 'loupe://conversation/12'], { kind: 'show', conversationId: 12 }],
  [['/scans/a.png'], open('/scans/a.png')],
  [['a.png', '../b.pdf', './a.png'], open('a.png', '../b.pdf')],
  [['--no-sandbox', 'a b.png', '-x.png'], open('a b.png')],
  [['--', '-x.png', '--hidden', '--capture'], open('-x.png', '--hidden', '--capture')],
  [['a.png', '--', 'b.png'], open('a.png', 'b.png')],
  [['--', '--'], open('--')],
  [['--'], show],
  [['a.png', '--hidden'], { kind: 'hidden' }],
  [['a.png', '--capture'], { kind: 'capture', mode: 'region' }],
  [[pathToFileURL(resolve(home, 'a ü%.png')).href], open('a ü%.png')],
  [['FILE:///scans/a.png'], open('/scans/a.png')],
  [['a.png', ''], open('a.png')],
])('%j', (args, intent) => {
  expect(intentOfArguments(args, home)).toEqual(intent);
});

test.each<[string, string[]]>([
  ['addresses of other machines', ['file://server/share/a.png', 'https://example.org/a.png', 'ftp://example.org/a.png']],
  ['an address that is none', ['file://[/a.png', 'file:///a%2Fb.png', 'file:///a%00b.png']],
  ['a path with a zero in it', ['/a\0b.png']],
  ['a path without end', [`/${'a'.repeat(5000)}`]],
  ['a link into Loupe, and what it was cut into', ['loupe://open?', '/etc/passwd', 'a.png']],
  ['a link that is not understood', ['loupe://nothing', 'a.png']],
  ['the same before it, in capitals, with a space, and without its slashes', ['a.png', ' LOUPE:/etc/passwd']],
  ['the same behind the options', ['--', 'a.png', 'loupe:a.png']],
])('%s opens no file', (_, args) => {
  expect(intentOfArguments(args, home)).toEqual(show);
});

test.each(['loupe://open/etc/passwd', 'loupe://open?path=/etc/passwd', 'loupe://open#/a.png', 'file:///etc/passwd'])(
  'the link %s opens no file',
  (link) => {
    expect(intentOfLink(link)?.kind ?? null).not.toBe('open');
  },
);

test('more files than one start may name are counted', () => {
  const names = Array.from({ length: mostPaths + 3 }, (_, at) => `${at}.png`);
  expect(intentOfArguments(names, home)).toEqual({ ...open(...names.slice(0, mostPaths)), leftOut: 3 });
});

test('a file that the system hands over is opened by its path alone', () => {
  const path = resolve(home, 'loupe://open.png');
  expect(intentOfFile(path)).toEqual(open(path));
  expect(intentOfFile('relative.png')).toEqual(show);
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
  { kind: 'open' },
  { kind: 'open', paths: [], leftOut: 0 },
  { kind: 'open', paths: ['relative.png'], leftOut: 0 },
  { kind: 'open', paths: [1], leftOut: 0 },
  { kind: 'open', paths: ['/a\0b'], leftOut: 0 },
  { kind: 'open', paths: [`/${'a'.repeat(5000)}`], leftOut: 0 },
  { kind: 'open', paths: Array.from({ length: mostPaths + 1 }, (_, at) => `/${at}`), leftOut: 0 },
  { kind: 'open', paths: ['/a.png'], leftOut: -1 },
  { kind: 'open', paths: ['/a.png'] },
])('%j is not understood', (value) => {
  expect(parseIntent(value)).toBeNull();
});

test('an intent survives the way to the first instance', () => {
  for (const intent of [show, { kind: 'capture', mode: 'last' }, { kind: 'hidden' }, open('a.png')])
    expect(parseIntent(structuredClone(intent))).toEqual(intent);
});

test.each<[Intent, boolean, boolean, Intent]>([
  [show, false, false, show],
  [show, true, false, { kind: 'hidden' }],
  [show, false, true, { kind: 'hidden' }],
  [{ kind: 'show', conversationId: 3 }, true, true, { kind: 'show', conversationId: 3 }],
  [{ kind: 'capture', mode: 'region' }, true, true, { kind: 'capture', mode: 'region' }],
  [open('a.png'), true, true, open('a.png')],
])('first start with %j, at login %s, minimised %s', (intent, atLogin, minimised, expected) => {
  expect(firstIntent(intent, { atLogin, minimised })).toEqual(expected);
});
