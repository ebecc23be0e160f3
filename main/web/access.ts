/** Who has access: the browser that opens a link, which works once, has a session from then on. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export interface Access {
  /** False for a page that reached us by another name, as by a DNS entry that points here. */
  isOurHost(request: IncomingMessage): boolean;
  /** True for plain navigation and images, which have no Origin; a page elsewhere cannot leave it out of a WebSocket. */
  isOurOrigin(request: IncomingMessage): boolean;
  hasSession(request: IncomingMessage): boolean;
  /** Of our page, in a browser that has a session. */
  mayConnect(request: IncomingMessage): boolean;
  /** For a link. */
  newToken(): string;
  /** True once for each token. */
  takeToken(token: string): boolean;
  /** The header that gives a browser its session. */
  readonly cookie: string;
}

const cookieName = 'loupe-session';
/** Links that were made and never used are forgotten at last. */
const openLinks = 16;

export function createAccess(port: number): Access {
  const tokens: string[] = [];
  const session = secret();
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];

  const isOurHost: Access['isOurHost'] = ({ headers }) => hosts.includes(headers.host ?? '');
  const isOurOrigin: Access['isOurOrigin'] = ({ headers }) => headers.origin === undefined || headers.origin === `http://${headers.host}`;

  function hasSession({ headers }: IncomingMessage): boolean {
    const found = (headers.cookie ?? '').split(/;\s*/).find((pair) => pair.startsWith(`${cookieName}-${port}=`));
    return found !== undefined && equal(found.slice(found.indexOf('=') + 1), session);
  }

  return {
    isOurHost,
    isOurOrigin,
    hasSession,
    // Every browser sends an Origin here.
    mayConnect: (request) =>
      isOurHost(request) &&
      request.headers.origin !== undefined &&
      isOurOrigin(request) &&
      hasSession(request) &&
      request.url === '/socket',
    newToken() {
      const token = secret();
      tokens.push(token);
      if (tokens.length > openLinks) tokens.shift();
      return token;
    },
    takeToken(given) {
      const index = tokens.findIndex((token) => equal(token, given));
      if (index < 0) return false;
      tokens.splice(index, 1);
      return true;
    },
    cookie: `${cookieName}-${port}=${session}; HttpOnly; SameSite=Strict; Path=/`,
  };
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

function equal(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
