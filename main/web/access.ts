/**
 * Who has access: the window that opens a link, which works once, has a session from then on. Its secrets are sent by our page alone,
 * because browsers send cookies to every port of a host (decision 22).
 */
import type { IncomingMessage } from 'node:http';
import { isSecret, newSecret } from '../host/secret.ts';

/** What our page keeps of it. */
export interface Session {
  /** Opens the connection. */
  key: string;
  /** In the addresses of pictures and pages; good for nothing else. */
  pictures: string;
}

export interface Access {
  /** False for a page that reached us by another name, as by a DNS entry that points here. */
  isOurHost(request: IncomingMessage): boolean;
  /** True for plain navigation, scripts and images, which have no Origin. */
  isOurOrigin(request: IncomingMessage): boolean;
  /** For a link. */
  newToken(): string;
  /** For the token of a link, once, or the key of a session. `used`: a link that somebody had opened before. */
  enter(request: IncomingMessage): Session | 'used' | 'unknown';
  /** Of our page, with the key of a session, which lasts at least until the function that this returns is called. Null for others. */
  connect(request: IncomingMessage): (() => void) | null;
  mayShowPictures(key: string | null): boolean;
}

interface Kept extends Session {
  connections: number;
  /** When its last connection ended, or when it began. */
  since: number;
}

/** Links that were made and never used are forgotten at last, and so are those that were used. */
const mostTokens = 16;
const mostSessions = 32;
/** A session without a window, ms: a computer sleeps for a night. */
const longestRest = 12 * 60 * 60 * 1000;
/** How a connection names its session: the one thing that a page can send with it. */
export const protocol = 'loupe';
const sessionProtocol = /^session\.([\w-]{43})$/;

export function createAccess(port: number, now: () => number = Date.now): Access {
  const tokens: string[] = [];
  const used: string[] = [];
  let sessions: Kept[] = [];
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];

  const isOurHost: Access['isOurHost'] = ({ headers }) => hosts.includes(headers.host ?? '');
  const isOurOrigin: Access['isOurOrigin'] = ({ headers }) => headers.origin === undefined || headers.origin === `http://${headers.host}`;
  /** Every browser says where a connection or a POST comes from. */
  const isOurPage = (request: IncomingMessage): boolean =>
    isOurHost(request) && request.headers.origin !== undefined && isOurOrigin(request);

  function living(): Kept[] {
    sessions = sessions.filter(({ connections, since }) => connections > 0 || now() - since < longestRest);
    return sessions;
  }

  function begin(): Session {
    const resting = living().filter(({ connections }) => connections === 0);
    if (sessions.length >= mostSessions) sessions = sessions.filter((session) => session !== (resting[0] ?? sessions[0]));
    const session = { key: newSecret(), pictures: newSecret(), connections: 0, since: now() };
    sessions.push(session);
    return session;
  }

  return {
    isOurHost,
    isOurOrigin,
    newToken() {
      const token = newSecret();
      tokens.push(token);
      if (tokens.length > mostTokens) tokens.shift();
      return token;
    },
    enter(request) {
      const given = /^Loupe ([\w-]{43})$/.exec(request.headers.authorization ?? '')?.[1];
      if (given === undefined || !isOurPage(request)) return 'unknown';
      const index = tokens.findIndex((token) => isSecret(token, given));
      if (index < 0) {
        if (used.some((token) => isSecret(token, given))) return 'used';
        return living().find(({ key }) => isSecret(key, given)) ?? 'unknown';
      }
      used.push(...tokens.splice(index, 1));
      if (used.length > mostTokens) used.shift();
      return begin();
    },
    connect(request) {
      if (!isOurPage(request) || request.url !== '/socket') return null;
      const [first, ...others] = (request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
      const given = first === protocol && others.length === 1 ? sessionProtocol.exec(others[0]!)?.[1] : undefined;
      const session = given === undefined ? undefined : living().find(({ key }) => isSecret(key, given));
      if (!session) return null;
      session.connections++;
      return () => {
        session.connections--;
        session.since = now();
      };
    },
    mayShowPictures: (given) => given !== null && living().some(({ pictures }) => isSecret(pictures, given)),
  };
}
