/** Which programs may ask: those on this computer that know the key, and pages of the origins that were named. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { LoupeError } from '../errors.ts';
import { isSecret } from '../host/secret.ts';

export interface ApiAccess {
  /** The headers that let a page of a named origin read the reply. Throws `request_refused` for another host or origin. */
  headersFor(request: IncomingMessage): OutgoingHttpHeaders;
  /** The path without the key. Throws `key_wrong`. */
  admit(request: IncomingMessage): string;
}

export interface ApiAccessOptions {
  port: number;
  key: string;
  /** As browsers send them: "https://notes.example". */
  origins: readonly string[];
}

export function createApiAccess({ port, key, origins }: ApiAccessOptions): ApiAccess {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  const isKey = (given: string | undefined): boolean => given !== undefined && isSecret(given, key);
  return {
    headersFor({ headers, method }) {
      if (!hosts.includes(headers.host ?? '')) throw new LoupeError('request_refused', 'Loupe does not answer under this name.');
      const { origin } = headers;
      if (origin === undefined) return {};
      if (!origins.includes(origin)) {
        throw new LoupeError(
          'request_refused',
          'Pages in a browser may not use Loupe.',
          'Name the origin of the page with --allow-origin, if the page is yours.',
        );
      }
      const allowed = { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' };
      if (method !== 'OPTIONS') return allowed;
      return {
        ...allowed,
        'Access-Control-Allow-Methods': 'GET, POST',
        'Access-Control-Allow-Headers': headers['access-control-request-headers'] ?? '',
        'Access-Control-Max-Age': '600',
      };
    },
    admit({ url = '/', headers }) {
      const [path = '/'] = url.split('?');
      const [, first = ''] = path.split('/', 2);
      if (isKey(bearer(headers.authorization))) return path;
      if (isKey(first)) return path.slice(first.length + 1) || '/';
      throw new LoupeError('key_wrong', headers.authorization ? 'The key is not the right one.' : 'The key is missing.');
    },
  };
}

/** Also out of an address with a key in it, http://loupe:KEY@127.0.0.1, which clients send as a password. */
function bearer(authorization = ''): string | undefined {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() !== 'basic') return value || undefined;
  const pair = Buffer.from(value, 'base64').toString();
  return pair.slice(pair.indexOf(':') + 1);
}
