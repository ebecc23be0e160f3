/**
 * What windows may do, as pure rules: the page is ours, it is alone, and it reaches nothing but
 * the app. Everything that is not listed is refused.
 */
import type { WebPreferences } from 'electron';

/** The one scheme that is served. Also that of links into the app, whose host is never `app`. */
export const scheme = 'loupe';
export const appHost = 'app';
export const appOrigin = `${scheme}://${appHost}`;

/** The scheme must be known before Electron is ready. */
export const schemePrivileges = { standard: true, secure: true, supportFetchAPI: true } as const;

export type View =
  | { view: 'main'; conversationId?: number | null }
  | { view: 'quick' }
  | { view: 'notice' }
  | { view: 'overlay'; display: string }
  | { view: 'pin'; pin: number };

/** Address of the page, which shows one of its views. */
export function pageUrl(view: View): string {
  const url = new URL(`${appOrigin}/`);
  if (view.view === 'main' && view.conversationId) url.searchParams.set('conversation', String(view.conversationId));
  if (view.view !== 'main') url.searchParams.set('view', view.view);
  if (view.view === 'overlay') url.searchParams.set('display', view.display);
  if (view.view === 'pin') url.searchParams.set('pin', String(view.pin));
  return url.href;
}

/** That the page at this address shows: it keeps its address up to date. */
export function shownConversation(address: string): number | null {
  const id = Number(ownUrl(address)?.searchParams.get('conversation'));
  return Number.isSafeInteger(id) && id > 0 ? id : null;
}

/** macOS has a spelling checker of its own; elsewhere Chromium would fetch its dictionaries from a server. */
export function spellsOffline(platform: NodeJS.Platform): boolean {
  return platform === 'darwin';
}

export function webPreferences(preload: string): WebPreferences {
  return {
    preload,
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    nodeIntegrationInSubFrames: false,
    nodeIntegrationInWorker: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    experimentalFeatures: false,
    webviewTag: false,
    navigateOnDragDrop: false,
    safeDialogs: true,
    spellcheck: spellsOffline(process.platform),
  };
}

/** The address parsed, if it is one of ours: no port, no user, no other host. */
export function ownUrl(address: string): URL | null {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || url.protocol !== `${scheme}:` || url.host !== appHost || url.username !== '' || url.password !== '') return null;
  return url;
}

/** A window shows the page and stays there. Only the main frame may (re)load it. */
export function mayNavigate(address: string, isMainFrame: boolean): boolean {
  return isMainFrame && ownUrl(address)?.pathname === '/';
}

/** No request leaves for anywhere but the app. `devtools:` is the inspector's own page, in a checkout. */
export function mayRequest(address: string, packaged: boolean): boolean {
  if (ownUrl(address)) return true;
  if (isOwnBlob(address)) return true;
  return !packaged && address.startsWith('devtools://');
}

/** What the page has made itself may be saved, where a person says: a table, a conversation, the file for a report. */
export function maySave(address: string): boolean {
  return isOwnBlob(address);
}

function isOwnBlob(address: string): boolean {
  return address.startsWith(`blob:${appOrigin}/`);
}

/** Copying text is all that needs to be permitted: captures come from the app, pastes with their event. */
export function allowsPermission(permission: string, requestingUrl: string, isMainFrame: boolean): boolean {
  return permission === 'clipboard-sanitized-write' && isMainFrame && ownUrl(requestingUrl) !== null;
}

export interface Sender {
  /** Null once the frame has navigated away or is gone. */
  senderFrame: { url: string; parent: unknown } | null;
  sender: { id: number };
}

/** Requests come from the main frame of a window of ours, showing our page. */
export function isTrustedSender({ senderFrame, sender }: Sender, isOurWindow: (contentsId: number) => boolean): boolean {
  return senderFrame !== null && senderFrame.parent === null && ownUrl(senderFrame.url) !== null && isOurWindow(sender.id);
}

/** A link that may be offered to the browser: https, without credentials. The host is shown as it is looked up. */
export function externalLink(address: string): { host: string; href: string } | null {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return null;
  return { host: url.host, href: url.href };
}

/** Switches of Chromium that open the app to other programs, or take its walls down. A package does not start with any of them. */
const refusedSwitches = [
  'no-sandbox',
  'disable-gpu-sandbox',
  'single-process',
  'disable-web-security',
  'disable-site-isolation-trials',
  'load-extension',
  'js-flags',
  'utility-cmd-prefix',
  'renderer-cmd-prefix',
  'gpu-launcher',
  'host-resolver-rules',
  'remote-debugging-port',
  'remote-debugging-pipe',
  'remote-debugging-address',
  'remote-allow-origins',
] as const;

export function refusedSwitch(has: (name: string) => boolean): string | null {
  return refusedSwitches.find((name) => has(name)) ?? null;
}

/** Colours of styles/tokens.css: a window has them before its page has. */
export function paper(dark: boolean): string {
  return dark ? '#171614' : '#FBFAF7';
}
