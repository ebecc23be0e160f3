/** What a person enters as a server's address -> where requests go. */
import { LoupeError } from '../../errors.ts';
import { isHere, isPrivate } from '../network.ts';

export interface ServerAddress {
  /** All requests begin with it; ends without "/". */
  base: string;
  /** With its port; as it is written in a certificate, whatever letters a person typed. */
  host: string;
  /** On this computer. */
  here: boolean;
  encrypted: boolean;
}

/** What programs write behind the address that they mean. */
const endpoints = /\/(?:chat\/completions|completions|models)$/;

/**
 * "localhost:8080", "https://example.org/v1/chat/completions". Without a scheme it is http on this computer and https elsewhere; without
 * a path it is /v1, where all of these servers answer. Throws `server_address`.
 */
export function readAddress(entered: string): ServerAddress {
  const text = entered.trim();
  const hasScheme = /^[a-z][a-z\d+.-]*:\/\//i.test(text);
  const url = parsed(hasScheme ? text : `https://${text}`, text);
  if (!hasScheme && isHere(url)) url.protocol = 'http:';
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new LoupeError('server_address', `${url.protocol}// is not how servers are asked.`);
  if (url.username !== '' || url.password !== '')
    throw new LoupeError('server_address', 'The address holds a name or a password.', 'Leave it out, and enter the key in its own field.');
  if (url.search !== '' || url.hash !== '')
    throw new LoupeError('server_address', 'The address has something behind a “?” or a “#”.', 'Leave that part out.');
  const path = url.pathname.replace(/\/+$/, '').replace(endpoints, '');
  return {
    base: `${url.protocol}//${url.host}${path === '' ? '/v1' : path}`,
    host: url.host,
    here: isHere(url),
    encrypted: url.protocol === 'https:',
  };
}

/** Throws `server_unencrypted` where others could read what is sent, and nobody agreed to that. */
export function requirePrivacy({ base, host }: ServerAddress, unencrypted: boolean): void {
  if (unencrypted || isPrivate(new URL(base))) return;
  throw new LoupeError(
    'server_unencrypted',
    `The connection to ${host} is not encrypted: whoever is on the way can read your questions, your pictures and the key.`,
  );
}

function parsed(text: string, entered: string): URL {
  try {
    return new URL(text);
  } catch {
    throw new LoupeError('server_address', `“${entered.slice(0, 100)}” is not an address.`);
  }
}
