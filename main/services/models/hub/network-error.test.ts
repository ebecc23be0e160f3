import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LoupeError } from '../../../errors.ts';
import { httpOf, memoryStore } from '../test/hub-setup.ts';
import { networkError, unwilling } from './network-error.ts';

const thrown = (code: string): Error => Object.assign(new Error('private words'), { code });
const direct = { host: 'huggingface.co', proxy: null };

test.each([
  ['EAI_AGAIN', 'network_failed', 'No internet connection: huggingface.co cannot be found (EAI_AGAIN).'],
  ['ENOTFOUND', 'network_failed', 'No internet connection: huggingface.co cannot be found (ENOTFOUND).'],
  ['ENETUNREACH', 'network_failed', 'No internet connection: huggingface.co cannot be reached (ENETUNREACH).'],
  ['EHOSTUNREACH', 'network_failed', 'No internet connection: huggingface.co cannot be reached (EHOSTUNREACH).'],
  ['ECONNREFUSED', 'network_failed', 'huggingface.co refuses the connection (ECONNREFUSED).'],
  ['UND_ERR_CONNECT_TIMEOUT', 'network_failed', 'huggingface.co does not answer (UND_ERR_CONNECT_TIMEOUT).'],
  ['ECONNRESET', 'network_failed', 'The connection to huggingface.co broke (ECONNRESET).'],
  ['CERT_HAS_EXPIRED', 'network_refused', 'The certificate of huggingface.co is not valid on this computer’s date (CERT_HAS_EXPIRED).'],
  [
    'SELF_SIGNED_CERT_IN_CHAIN',
    'network_refused',
    'The connection to huggingface.co is decrypted on its way, or its certificate is not trusted here (SELF_SIGNED_CERT_IN_CHAIN).',
  ],
  [
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'network_refused',
    'The connection to huggingface.co is decrypted on its way, or its certificate is not trusted here (UNABLE_TO_GET_ISSUER_CERT_LOCALLY).',
  ],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'network_refused', 'Something else answers in place of huggingface.co (ERR_TLS_CERT_ALTNAME_INVALID).'],
])('%s in words', (code, kind, message) => {
  const error = networkError(new Error('fetch failed', { cause: thrown(code) }), direct);
  expect(error).toMatchObject({ code: kind, message });
  expect(error.nextStep).not.toBe('');
});

test('of several addresses that were tried, the first tells', () => {
  const several = new AggregateError([thrown('ENETUNREACH'), thrown('ECONNREFUSED')]);
  expect(networkError(several, direct).message).toContain('No internet connection');
});

test.each([
  [429, {}, 'host.example asks for a pause: it counts too many requests from this network (HTTP 429).', 0],
  [503, { 'retry-after': '7' }, 'host.example answered HTTP 503, a fault of its own.', 7000],
  [408, {}, 'host.example answered HTTP 408.', 0],
])('HTTP %i in words', (status, headers, message, retryAfterMs) => {
  expect(unwilling({ status, url: 'https://host.example/file', headers })).toMatchObject({ code: 'network_failed', message, retryAfterMs });
});

describe('what a real connection meets', () => {
  let server: Server;
  let proxyStatus: number;
  beforeEach(async () => {
    server = createServer((_, response) => response.end('plain'));
    server.on('connect', (_, client) => client.end(`HTTP/1.1 ${proxyStatus} No\r\n\r\n`));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const here = (): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function failureOf(url: string, environment: NodeJS.ProcessEnv = {}): Promise<LoupeError> {
    const http = httpOf(memoryStore(), environment);
    try {
      const { status } = await http.get(url, { signal: new AbortController().signal });
      throw new Error(`It answered ${status}.`);
    } catch (error) {
      if (error instanceof LoupeError) return error;
      throw error;
    } finally {
      await http.close();
    }
  }

  test('no proxy where one is named', async () => {
    expect(await failureOf('https://huggingface.co/x', { HTTPS_PROXY: 'http://127.0.0.1:1' })).toMatchObject({
      code: 'network_failed',
      message: 'The proxy 127.0.0.1:1 cannot be reached (ECONNREFUSED).',
      nextStep: expect.stringContaining('HTTPS_PROXY') as string,
    });
  });

  test.each([
    [407, 'network_refused', (proxy: string) => `The proxy ${proxy} wants a name and a password (HTTP 407).`],
    [403, 'network_refused', (proxy: string) => `The proxy ${proxy} does not let Loupe connect to huggingface.co (HTTP 403).`],
    [502, 'network_failed', (proxy: string) => `The proxy ${proxy} could not reach huggingface.co (HTTP 502).`],
  ])('a proxy that answers %i', async (status, code, message) => {
    proxyStatus = status;
    const error = await failureOf('https://huggingface.co/x', { HTTPS_PROXY: `http://name:secret@${here()}` });
    expect(error).toMatchObject({ code, message: message(here()) });
    expect(error.message + error.nextStep).not.toContain('secret');
  });

  test('a network that answers without encryption in place of the server', async () => {
    expect(await failureOf(`https://${here()}/x`)).toMatchObject({
      code: 'network_refused',
      message: `Something else answers in place of ${here()} (ERR_SSL_WRONG_VERSION_NUMBER).`,
      nextStep: expect.stringContaining('log in') as string,
    });
  });

  test('nobody there', async () => {
    expect(await failureOf('http://127.0.0.1:1/x')).toMatchObject({ message: '127.0.0.1:1 refuses the connection (ECONNREFUSED).' });
  });
});
