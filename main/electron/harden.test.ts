import type { Session, WebContents } from 'electron';
import { expect, test, vi } from 'vitest';
import { hardenContents, hardenSession } from './harden.ts';
import { pageUrl } from './options.ts';
import { ContentsDouble, createElectronDouble } from './test/electron-double.ts';

function page(): { contents: ContentsDouble; offered: string[]; navigate: (event: string, url: string, isMainFrame?: boolean) => boolean } {
  const contents = new ContentsDouble();
  const offered: string[] = [];
  hardenContents(contents as unknown as WebContents, { offerLink: ({ href }) => offered.push(href) });
  /** True when it was stopped. */
  function navigate(event: string, url: string, isMainFrame = true): boolean {
    const preventDefault = vi.fn();
    contents.emit(event, { url, isMainFrame, preventDefault });
    return preventDefault.mock.calls.length > 0;
  }
  return { contents, offered, navigate };
}

test.each(['will-frame-navigate', 'will-redirect'])('%s is stopped for every address but the page itself', (event) => {
  const { navigate } = page();
  expect(navigate(event, pageUrl({ view: 'main' }))).toBe(false);
  expect(navigate(event, pageUrl({ view: 'main' }), false)).toBe(true);
  for (const url of [
    'https://example.org/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'about:blank',
    'loupe://app/assets/x.html',
    'loupe://other/',
  ])
    expect(navigate(event, url)).toBe(true);
});

test('a link in the page is offered to the browser and not followed', () => {
  const { navigate, offered } = page();
  expect(navigate('will-frame-navigate', 'https://example.org/a')).toBe(true);
  expect(navigate('will-frame-navigate', 'file:///etc/passwd')).toBe(true);
  expect(navigate('will-frame-navigate', 'https://example.org/frame', false)).toBe(true);
  expect(offered).toEqual(['https://example.org/a']);
});

test('no window opens, no embedded page comes', () => {
  const { contents, offered } = page();
  expect(contents.openHandler!({ url: 'https://example.org/' })).toEqual({ action: 'deny' });
  expect(contents.openHandler!({ url: 'loupe://app/' })).toEqual({ action: 'deny' });
  expect(contents.openHandler!({ url: 'smb://share' })).toEqual({ action: 'deny' });
  expect(offered).toEqual(['https://example.org/']);
  const preventDefault = vi.fn();
  contents.emit('will-attach-webview', { preventDefault });
  expect(preventDefault).toHaveBeenCalled();
});

test('the session permits and fetches nothing, and saves only what the page made', () => {
  const { electron, session } = createElectronDouble();
  hardenSession(electron.session.defaultSession as Session, true);
  const ask = (permission: string, requestingUrl: string, isMainFrame = true): unknown[] => {
    const answers: unknown[] = [];
    (session['permissionRequest'] as (...given: unknown[]) => void)(null, permission, (yes: unknown) => answers.push(yes), {
      requestingUrl,
      isMainFrame,
    });
    answers.push(
      (session['permissionCheck'] as (...given: unknown[]) => unknown)(null, permission, requestingUrl, { requestingUrl, isMainFrame }),
    );
    return answers;
  };
  const own = pageUrl({ view: 'main' });
  expect(ask('clipboard-sanitized-write', own)).toEqual([true, true]);
  expect(ask('clipboard-sanitized-write', 'https://example.org/')).toEqual([false, false]);
  for (const permission of [
    'media',
    'display-capture',
    'geolocation',
    'notifications',
    'clipboard-read',
    'openExternal',
    'usb',
    'local-fonts',
    'a-new-one',
  ])
    expect(ask(permission, own)).toEqual([false, false]);

  expect((session['device'] as () => boolean)()).toBe(false);
  const display = vi.fn();
  (session['displayMedia'] as (...given: unknown[]) => void)({}, display);
  expect(display).toHaveBeenCalledWith({});

  const fetched = (url: string): unknown => {
    let verdict: unknown;
    (session['beforeRequest'] as (...given: unknown[]) => void)(
      { url },
      (answer: { cancel: boolean }) => (verdict = answer.cancel ? 'stopped' : 'let through'),
    );
    return verdict;
  };
  expect(fetched('loupe://app/assets/x.js')).toBe('let through');
  for (const url of [
    'https://example.org/',
    'http://127.0.0.1/',
    'ws://127.0.0.1/',
    'file:///etc/passwd',
    'data:text/html,x',
    'devtools://devtools/x',
  ])
    expect(fetched(url)).toBe('stopped');

  const titles = vi.fn();
  const saved = (url: string): boolean => {
    const preventDefault = vi.fn();
    for (const handler of session.downloads)
      (handler as (event: unknown, item: unknown) => void)(
        { preventDefault },
        { getURL: () => url, getFilename: () => 'Total.csv', setSaveDialogOptions: titles },
      );
    return preventDefault.mock.calls.length === 0;
  };
  // What the page made itself, as a table is: it could not be saved otherwise.
  expect(saved('blob:loupe://app/9e6f')).toBe(true);
  // It would have the address for a title.
  expect(titles.mock.calls).toEqual([[{ title: 'Save Total.csv' }]]);
  for (const url of [
    'https://example.org/a.zip',
    'loupe://app/pictures/a',
    'blob:https://example.org/9e6f',
    'data:text/html,x',
    'file:///etc/passwd',
  ])
    expect(saved(url)).toBe(false);
});

test('WebRTC reaches nothing', () => {
  expect(page().contents.webRtc).toBe('disable_non_proxied_udp');
});
