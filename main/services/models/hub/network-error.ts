/** What goes wrong on the way to a server, said so that a person knows where it is and what to do about it. */
import { LoupeError } from '../../../errors.ts';
import { Busy } from './timing.ts';

interface Answer {
  status: number;
  url: string;
  headers: Readonly<Record<string, string | undefined>>;
}

interface Way {
  /** Of the server that was asked, with its port. */
  host: string;
  /** Of the proxy of the environment, where there is one. */
  proxy: string | null;
}

const unreachable = ['ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL'];
const unnamed = ['EAI_AGAIN', 'ENOTFOUND'];
const silent = ['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'];
const wrongDay = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];
/** What a connection meets before anybody has answered. */
const beginnings = [...unreachable, ...unnamed, ...silent, 'ECONNREFUSED'];

/**
 * What the network threw, as `network_failed` (worth another try) or `network_refused` (not before something
 * has changed). Never carries what was sent.
 */
export function networkError(error: unknown, { host, proxy }: Way): LoupeError {
  const { code, message } = innermost(error);
  const why = code || message;
  if (proxy !== null) {
    const status = /^Proxy response \((\d+)\)/.exec(message)?.[1];
    if (status !== undefined) return proxyAnswered(Number(status), host, proxy);
    if (beginnings.includes(code))
      return new LoupeError(
        'network_failed',
        `The proxy ${proxy} cannot be reached (${why}).`,
        'Loupe takes the proxy from HTTPS_PROXY and HTTP_PROXY: correct its address there, or unset them to connect directly.',
      );
  }
  if (unnamed.includes(code) || unreachable.includes(code))
    return new LoupeError(
      'network_failed',
      `No internet connection: ${host} cannot be ${unnamed.includes(code) ? 'found' : 'reached'} (${why}).`,
      'Check the Wi-Fi or the network cable. If web pages open in your browser, this network may need a proxy: set HTTPS_PROXY.',
    );
  if (code === 'ECONNREFUSED')
    return new LoupeError(
      'network_failed',
      `${host} refuses the connection (${why}).`,
      'The server may be down, or a firewall blocks Loupe. What has arrived is kept.',
    );
  if (silent.includes(code))
    return new LoupeError(
      'network_failed',
      `${host} does not answer (${why}).`,
      'The network is slow, or a firewall blocks Loupe. What has arrived is kept.',
    );
  return encryptionError(code, host) ?? new LoupeError('network_failed', `The connection to ${host} broke (${why}).`);
}

/** Null for what has nothing to do with encryption. */
function encryptionError(code: string, host: string): LoupeError | null {
  if (wrongDay.includes(code))
    return new LoupeError(
      'network_refused',
      `The certificate of ${host} is not valid on this computer’s date (${code}).`,
      'Set the date and time of this computer, then try again.',
    );
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'EPROTO' || code.startsWith('ERR_SSL'))
    return new LoupeError(
      'network_refused',
      `Something else answers in place of ${host} (${code}).`,
      'Open any web page in a browser: the network may want you to log in. Then try again.',
    );
  if (/CERT|SELF_SIGNED|UNABLE_TO_|TLS/.test(code))
    return new LoupeError(
      'network_refused',
      `The connection to ${host} is decrypted on its way, or its certificate is not trusted here (${code}).`,
      'In a network that decrypts traffic, as of a company, set NODE_EXTRA_CA_CERTS to the file of its certificate, then try again.',
    );
  return null;
}

function proxyAnswered(status: number, host: string, proxy: string): LoupeError {
  if (status === 407)
    return new LoupeError(
      'network_refused',
      `The proxy ${proxy} wants a name and a password (HTTP 407).`,
      `Write them into its address: HTTPS_PROXY=http://NAME:PASSWORD@${proxy}.`,
    );
  if (status >= 400 && status < 500)
    return new LoupeError(
      'network_refused',
      `The proxy ${proxy} does not let Loupe connect to ${host} (HTTP ${status}).`,
      `Ask whoever runs the proxy to allow ${host}, or get the model in another way and add it here.`,
    );
  return new LoupeError('network_failed', `The proxy ${proxy} could not reach ${host} (HTTP ${status}).`);
}

/** A status that another try may change: 408, 429, 5xx and what no server should answer. */
export function unwilling({ status, url, headers }: Answer): Busy {
  const { host } = new URL(url);
  const retryAfter = headers['retry-after'];
  if (status === 429)
    return new Busy(
      `${host} asks for a pause: it counts too many requests from this network (HTTP 429).`,
      'Loupe waits as long as it is asked to. If it goes on, try again in an hour: what has arrived is kept.',
      retryAfter,
    );
  return new Busy(
    `${host} answered HTTP ${status}${status >= 500 ? ', a fault of its own' : ''}.`,
    'Try again later: what has arrived is kept.',
    retryAfter,
  );
}

function innermost(error: unknown): { code: string; message: string } {
  let at = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  if (at instanceof AggregateError && at.errors.length > 0) return innermost(at.errors[0]);
  const { code, message } = at as { code?: unknown; message?: unknown };
  return { code: typeof code === 'string' ? code : '', message: typeof message === 'string' ? message : 'unknown' };
}
