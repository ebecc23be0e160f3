/**
 * The one place that opens connections to other machines (.dependency-cruiser.js and eslint.config.js hold it). HTTP as downloads and
 * servers that answer need it: redirects followed by hand or not at all, so that token and question reach only the server they are meant
 * for; proxies of the environment; every byte counted for the ledger.
 */
import { Agent, ProxyAgent, request, type Dispatcher } from 'undici';
import { LoupeError } from '../errors.ts';
import type { Clock, Ledger } from './ports.ts';
import { networkError } from './models/hub/network-error.ts';

export interface HttpResponse {
  status: number;
  /** Lower-case names; of several of one name the last. */
  headers: Readonly<Record<string, string | undefined>>;
  /** Where the redirects led. */
  url: string;
  /** As it came over the wire. Has to be read or thrown away. */
  body: AsyncIterable<Uint8Array>;
  /** The rest of the body is not wanted. */
  discard(): void;
}

export interface Http {
  /**
   * Rejects with `offline`, `network_failed` (worth another try), `network_refused` (not worth one),
   * `hub_invalid` (a redirect that must not be followed), or what aborted `signal`.
   */
  get(url: string, options: { headers?: Record<string, string>; token?: string | null; signal: AbortSignal }): Promise<HttpResponse>;
  /**
   * One request, a POST where it has a body. Redirects are answers like others: nothing is sent to where they lead. Rejects as `get`,
   * with connections' failures as `inWords` tells them.
   */
  ask(url: string, options: { headers: Record<string, string>; body?: Uint8Array; signal: AbortSignal }): Promise<HttpResponse>;
  /** Ends its connections. */
  close(): Promise<void>;
}

export interface HttpOptions {
  /** For the ledger: what the connections are for. */
  purpose: string;
  ledger: Ledger;
  clock: Clock;
  /** HTTP_PROXY, HTTPS_PROXY, NO_PROXY; HF_HUB_OFFLINE, LOUPE_OFFLINE. */
  environment: NodeJS.ProcessEnv;
  /** "Never connect" is on: what is not on this machine is refused. Asked anew for every connection. */
  neverConnects: () => boolean;
  /** What went wrong with a connection, for people. Absent: as of a download. */
  inWords?: typeof networkError;
  /** What is on this machine is reached without a proxy, which could be anywhere. */
  directHere?: boolean;
}

const redirects: readonly number[] = [301, 302, 303, 307, 308];
const mostRedirects = 5;
/** The ledger is written after so many bytes at the latest. */
const ledgerStep = 16 * 1024 * 1024;

export function isOffline(environment: NodeJS.ProcessEnv): boolean {
  return ['LOUPE_OFFLINE', 'HF_HUB_OFFLINE'].some((name) => /^(1|true|yes|on)$/i.test(environment[name] ?? ''));
}

/** Why the hub at this address may not be asked; null where it may. */
export function whyNotConnect(
  address: string,
  { environment, neverConnects }: Pick<HttpOptions, 'environment' | 'neverConnects'>,
): LoupeError | null {
  const url = new URL(address);
  if (isOffline(environment)) return new LoupeError('offline', `Nothing was fetched from ${url.host}.`);
  if (!neverConnects()) return null;
  // A proxy on this machine passes on what is meant for another one, and one elsewhere is reached over the network.
  const proxy = proxyFor(url, environment);
  if (isHere(url) && (!proxy || isHere(proxy))) return null;
  return new LoupeError(
    'offline',
    `Loupe did not connect to ${url.host}: “Never connect” is switched on.`,
    'To download, switch off “Never connect” in Settings > Privacy.',
  );
}

export function createHttp({
  purpose,
  ledger,
  clock,
  environment,
  neverConnects,
  inWords = networkError,
  directHere = false,
}: HttpOptions): Http {
  /** By proxy; "" is the direct way. */
  const dispatchers = new Map<string, Dispatcher>();
  const accounts = new Map<string, Account>();

  function dispatcherFor(proxy: URL | null): Dispatcher {
    const key = proxy?.href ?? '';
    const known = dispatchers.get(key);
    if (known) return known;
    // Readers watch the time: these limits would only count from chunk to chunk.
    const timing = { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 15_000 } };
    const made = proxy ? new ProxyAgent({ ...timing, uri: proxy.href }) : new Agent(timing);
    dispatchers.set(key, made);
    return made;
  }

  /** One entry a host, made before the first connection to it. */
  function accountOf(url: URL, proxy: URL | null): Account {
    const host = proxy ? `${url.host} through ${proxy.host}` : url.host;
    const known = accounts.get(host);
    if (known) return known;
    const account = createAccount(ledger, ledger.add({ at: clock.now(), host, purpose, sentBytes: 0, receivedBytes: 0 }));
    accounts.set(host, account);
    return account;
  }

  async function once(url: URL, headers: Record<string, string>, signal: AbortSignal, sent?: Uint8Array): Promise<HttpResponse> {
    const refused = whyNotConnect(url.href, { environment, neverConnects });
    if (refused) throw refused;
    const proxy = directHere && isHere(url) ? null : proxyFor(url, environment);
    const account = accountOf(url, proxy);
    account.add(requestBytes(url, headers, sent), 0);
    const inOurWords = (error: unknown): unknown => {
      if (signal.aborted) return signal.reason;
      return error instanceof LoupeError ? error : inWords(error, { host: url.host, proxy: proxy?.host ?? null });
    };
    let answer: Dispatcher.ResponseData;
    try {
      const body = sent === undefined ? ({ method: 'GET' } as const) : ({ method: 'POST', body: sent } as const);
      answer = await request(url, { dispatcher: dispatcherFor(proxy), headers, signal, ...body });
    } catch (error) {
      throw inOurWords(error);
    }
    const { headers: received, bytes } = readHeaders(answer.headers);
    account.add(0, bytes);
    const { body } = answer;
    // Discarded while bytes are under way, its error would reach nobody.
    body.on('error', () => {});
    return {
      status: answer.statusCode,
      headers: received,
      url: url.href,
      body: counted(body, account, inOurWords),
      discard: () => void body.destroy(),
    };
  }

  return {
    async get(address, { headers = {}, token = null, signal }) {
      const start = new URL(address);
      let url = start;
      let mayHaveToken = token !== null;
      if (mayHaveToken && !isPrivate(start))
        throw new LoupeError(
          'hub_invalid',
          `The access token would be sent to ${start.host} unencrypted.`,
          'Set HF_ENDPOINT to an https:// address, or continue without a token.',
        );
      for (let followed = 0; followed <= mostRedirects; followed++) {
        // After a redirect to another server the token is never sent again.
        mayHaveToken &&= url.origin === start.origin;
        const sent = {
          ...headers,
          'accept-encoding': 'identity',
          'user-agent': 'loupe',
          ...(mayHaveToken ? { authorization: `Bearer ${token}` } : {}),
        };
        const response = await once(url, sent, signal);
        const { location } = response.headers;
        if (!redirects.includes(response.status) || location === undefined) return response;
        response.discard();
        url = redirected(url, location);
      }
      throw new LoupeError('network_failed', `${start.host} redirects without end.`);
    },
    ask: (address, { headers, body, signal }) => once(new URL(address), { ...headers, 'user-agent': 'loupe' }, signal, body),
    async close() {
      for (const account of accounts.values()) account.write();
      await Promise.all([...dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
      dispatchers.clear();
    },
  };
}

interface Account {
  add(sent: number, received: number): void;
  write(): void;
}

function createAccount(ledger: Ledger, id: number): Account {
  let sent = 0;
  let received = 0;
  let written = 0;
  const write = (): void => {
    written = received;
    ledger.count(id, sent, received);
  };
  return {
    add(moreSent, moreReceived) {
      sent += moreSent;
      received += moreReceived;
      if (moreSent > 0 || received - written >= ledgerStep) write();
    },
    write,
  };
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  account: Account,
  inWords: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      account.add(0, chunk.byteLength);
      yield chunk;
    }
  } catch (error) {
    throw inWords(error);
  }
}

function redirected(from: URL, location: string): URL {
  let to: URL;
  try {
    to = new URL(location, from);
  } catch {
    throw new LoupeError('hub_invalid', `${from.host} redirects to an invalid address.`);
  }
  if (to.protocol !== 'https:' && to.protocol !== 'http:')
    throw new LoupeError('hub_invalid', `${from.host} redirects to an address that is not a web address (${to.protocol}).`);
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw new LoupeError('hub_invalid', `${from.host} redirects to ${to.host} without encryption.`);
  return to;
}

/** Encrypted, or to this machine. */
export function isPrivate(url: URL): boolean {
  return url.protocol === 'https:' || isHere(url);
}

/** This machine. "127.example.org" is a name that anybody can register, so the whole address counts. */
export function isHere({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function requestBytes({ pathname, search, host }: URL, headers: Record<string, string>, body?: Uint8Array): number {
  const lines = [
    `${body ? 'POST' : 'GET'} ${pathname}${search} HTTP/1.1`,
    `host: ${host}`,
    'connection: keep-alive',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body ? [`content-length: ${body.byteLength}`] : []),
  ];
  return lines.reduce((sum, line) => sum + line.length + 2, 2) + (body?.byteLength ?? 0);
}

function readHeaders(raw: Record<string, string | string[] | undefined>): { headers: Record<string, string>; bytes: number } {
  const pairs = Object.entries(raw).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each): [string, string] => [name.toLowerCase(), each]),
  );
  const bytes = pairs.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 'HTTP/1.1 200 OK'.length + 4);
  return { headers: Object.fromEntries(pairs), bytes };
}

/** The proxy that the environment names for this address; null for the direct way. */
export function proxyFor(url: URL, environment: NodeJS.ProcessEnv): URL | null {
  const named = (name: string): string => environment[name.toLowerCase()] ?? environment[name] ?? '';
  const http = named('HTTP_PROXY') || named('ALL_PROXY');
  const proxy = url.protocol === 'https:' ? named('HTTPS_PROXY') || http : http;
  if (proxy === '' || bypasses(url, named('NO_PROXY'))) return null;
  try {
    return new URL(/^\w+:\/\//.test(proxy) ? proxy : `http://${proxy}`);
  } catch {
    throw new LoupeError(
      'network_failed',
      'The address of the proxy cannot be read.',
      'Check HTTP_PROXY and HTTPS_PROXY: write them as http://host:port.',
    );
  }
}

function bypasses({ hostname, port, protocol }: URL, none: string): boolean {
  const actual = port || (protocol === 'https:' ? '443' : '80');
  return none
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = '', wanted] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      if (wanted !== undefined && wanted !== actual) return false;
      const suffix = name.replace(/^\*?\./, '').toLowerCase();
      return hostname === suffix || hostname.endsWith(`.${suffix}`);
    });
}
