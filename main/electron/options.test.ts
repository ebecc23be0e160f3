import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { contentSecurityPolicy } from '../host/page-policy.ts';
import {
  allowsPermission,
  externalLink,
  isTrustedSender,
  mayNavigate,
  mayRequest,
  ownUrl,
  pageUrl,
  paper,
  shownConversation,
  webPreferences,
} from './options.ts';

test('windows are sandboxed, isolated, and without Node', () => {
  expect(webPreferences('/app/preload.cjs')).toMatchObject({
    preload: '/app/preload.cjs',
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    nodeIntegrationInSubFrames: false,
    nodeIntegrationInWorker: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    webviewTag: false,
  });
});

test('the policy allows nothing but our own files, and no code in the page', () => {
  const directives = new Map(
    contentSecurityPolicy.split('; ').map((directive) => [directive.split(' ')[0]!, directive.split(' ').slice(1)]),
  );
  expect(directives.get('default-src')).toEqual(["'none'"]);
  expect(directives.get('script-src')).toEqual(["'self'"]);
  expect(directives.get('connect-src')).toEqual(["'self'"]);
  expect(directives.get('frame-ancestors')).toEqual(["'none'"]);
  expect([...directives.keys()].filter((name) => directives.get(name)!.includes("'unsafe-inline'"))).toEqual(['style-src-attr']);
  expect(contentSecurityPolicy).not.toMatch(/unsafe-eval|\*|https?:/);
  // What a shared conversation is drawn from (renderer/share), a picture with nothing from elsewhere in it.
  expect([...directives.keys()].filter((name) => directives.get(name)!.includes('data:'))).toEqual(['img-src']);
});

const strangers = [
  'https://example.org/',
  'http://app/',
  'loupe://app.example.org/',
  'loupe://example.org/app',
  'loupe://app:8080/',
  'loupe://user@app/',
  'loupe://capture',
  'loupe-evil://app/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'about:blank',
  'not an address',
  '',
];

test.each(strangers)('%s is not ours, and neither shown nor fetched', (address) => {
  expect(ownUrl(address)).toBeNull();
  expect(mayNavigate(address, true)).toBe(false);
  expect(mayRequest(address, true)).toBe(false);
});

test('a window can reload its page and go nowhere else', () => {
  for (const view of [{ view: 'main' }, { view: 'quick' }, { view: 'overlay', display: '12' }] as const) {
    expect(mayNavigate(pageUrl(view), true)).toBe(true);
    expect(mayNavigate(pageUrl(view), false)).toBe(false);
  }
  expect(mayNavigate(`loupe://app/pictures/${'0'.repeat(64)}`, true)).toBe(false);
});

test('views are named in the address', () => {
  expect(pageUrl({ view: 'main' })).toBe('loupe://app/');
  expect(pageUrl({ view: 'main', conversationId: 12 })).toBe('loupe://app/?conversation=12');
  for (const conversationId of [12, null]) expect(shownConversation(pageUrl({ view: 'main', conversationId }))).toBe(conversationId);
  for (const address of ['', 'https://app/?conversation=12', 'loupe://app/?conversation=-1', 'loupe://app/?conversation=1e99'])
    expect(shownConversation(address), address).toBeNull();
  expect(pageUrl({ view: 'overlay', display: '1&x=2' })).toBe('loupe://app/?view=overlay&display=1%26x%3D2');
});

test('requests: the app, what the page made itself, and the inspector in a checkout', () => {
  expect(mayRequest('loupe://app/assets/index.js', true)).toBe(true);
  expect(mayRequest('blob:loupe://app/9e6f', true)).toBe(true);
  expect(mayRequest('blob:https://example.org/9e6f', true)).toBe(false);
  expect(mayRequest('devtools://devtools/bundled/inspector.html', true)).toBe(false);
  expect(mayRequest('devtools://devtools/bundled/inspector.html', false)).toBe(true);
  expect(mayRequest('wss://example.org/', false)).toBe(false);
});

describe('permissions', () => {
  /** Every name that Electron's own declaration knows, so that a new one is refused as well. */
  const declaration = readFileSync(new URL('../../node_modules/electron/electron.d.ts', import.meta.url), 'utf8');
  const known = [
    ...new Set(
      [...declaration.matchAll(/permission: ((?:'[A-Za-z-]+' \| )+'[A-Za-z-]+')/g)].flatMap(([, names]) =>
        names!.split(' | ').map((name) => name.slice(1, -1)),
      ),
    ),
  ];

  test('only copying is allowed', () => {
    expect(known.length).toBeGreaterThan(30);
    expect(known.filter((name) => allowsPermission(name, pageUrl({ view: 'main' }), true))).toEqual(['clipboard-sanitized-write']);
  });

  test('and only to our own main frames', () => {
    expect(allowsPermission('clipboard-sanitized-write', 'https://example.org/', true)).toBe(false);
    expect(allowsPermission('clipboard-sanitized-write', pageUrl({ view: 'quick' }), false)).toBe(false);
  });
});

describe('who may ask', () => {
  const url = pageUrl({ view: 'main' });
  const isOurs = (id: number): boolean => id === 7;
  test.each<[string, { url: string; parent: unknown } | null, number, boolean]>([
    ['our page in our window', { url, parent: null }, 7, true],
    ['a frame inside the page', { url, parent: {} }, 7, false],
    ['another page', { url: 'https://example.org/', parent: null }, 7, false],
    ['a window that is not ours', { url, parent: null }, 8, false],
    ['a frame that is gone', null, 7, false],
  ])('%s', (_name, senderFrame, id, trusted) => {
    expect(isTrustedSender({ senderFrame, sender: { id } }, isOurs)).toBe(trusted);
  });
});

test.each<[string, { host: string; href: string } | null]>([
  ['https://www.llama.com/llama3_2/license', { host: 'www.llama.com', href: 'https://www.llama.com/llama3_2/license' }],
  ['https://пример.example/', { host: 'xn--e1afmkfd.example', href: 'https://xn--e1afmkfd.example/' }],
  ['https://bank.example@evil.example/', null],
  ['http://example.org/', null],
  ['file:///etc/passwd', null],
  ['javascript:alert(1)', null],
  ['smb://share', null],
  ['nonsense', null],
])('the link %s', (address, expected) => {
  expect(externalLink(address)).toEqual(expected);
});

test('the first paint has the colour of the page', () => {
  const tokens = readFileSync(new URL('../../renderer/styles/tokens.css', import.meta.url), 'utf8').toUpperCase();
  expect(tokens).toContain(paper(false));
  expect(tokens).toContain(paper(true));
});
