/**
 * The session of this window at the web host. Its secrets come with the link, in the fragment, which no request carries; they are kept
 * for this tab and handed to other tabs of this page. Cookies would go to every program that listens on this machine.
 */

export interface Session {
  key: string;
  pictures: string;
}

/** Why there is none. `used`: somebody opened the link before. */
export type Refusal = 'used' | 'unknown' | 'unreachable';

const stored = 'loupe-session';
/** How long other tabs have to answer, ms. */
const patience = 300;

/** To be called once, before anything else looks at the address. */
export async function enterSession(): Promise<Session | Refusal> {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  // Neither the history nor who looks at the address bar shall have it.
  if (token !== undefined) history.replaceState(history.state, '', location.pathname + location.search);
  const given = token === undefined ? null : await exchange(token);
  // Who is in already is not turned away by an old link. Without anything the host says why.
  const entered = given && typeof given !== 'string' ? given : await again(given);
  if (typeof entered !== 'string') {
    sessionStorage.setItem(stored, entered.key);
    answerOtherTabs(entered.key);
  }
  return entered;
}

async function again(refusal: Refusal | null): Promise<Session | Refusal> {
  const key = sessionStorage.getItem(stored) ?? (await keyOfOtherTab());
  if (key === null && refusal) return refusal;
  const entered = await exchange(key ?? '');
  if (typeof entered === 'string') sessionStorage.removeItem(stored);
  return typeof entered === 'string' ? (refusal ?? entered) : entered;
}

async function exchange(secret: string): Promise<Session | Refusal> {
  try {
    const response = await fetch('/session', { method: 'POST', headers: { Authorization: `Loupe ${secret}` }, cache: 'no-store' });
    if (!response.ok) return response.status === 409 ? 'used' : 'unknown';
    return sessionOf(await response.json()) ?? 'unknown';
  } catch {
    return 'unreachable';
  }
}

function sessionOf(answer: unknown): Session | null {
  const { key, pictures } = (answer ?? {}) as Partial<Record<keyof Session, unknown>>;
  return typeof key === 'string' && typeof pictures === 'string' ? { key, pictures } : null;
}

function answerOtherTabs(key: string): void {
  const channel = new BroadcastChannel(stored);
  channel.addEventListener('message', ({ data }) => {
    if (data === 'who is in?') channel.postMessage({ key });
  });
}

function keyOfOtherTab(): Promise<string | null> {
  return new Promise((resolve) => {
    const channel = new BroadcastChannel(stored);
    const settle = (key: string | null): void => {
      channel.close();
      resolve(key);
    };
    channel.addEventListener('message', ({ data }) => {
      const key = (data as { key?: unknown } | null)?.key;
      if (typeof key === 'string') settle(key);
    });
    channel.postMessage('who is in?');
    setTimeout(() => settle(null), patience);
  });
}
