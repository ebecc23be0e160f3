import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lockDownload } from '../../../storage/lock.ts';
import { LoupeError } from '../../../errors.ts';
import { sha256, startHubDouble, type Fault, type HubDouble, type HubDoubleOptions } from '../test/hub-double.ts';
import { httpOf, memoryStore, quick, type MemoryStore } from '../test/hub-setup.ts';
import { isOffline, proxyFor } from '../../network.ts';
import { pull, type PullOptions } from './pull.ts';
import { endpointOf, hubSource, isNeeded } from './repository.ts';
import { Pauses } from './timing.ts';

const repository = 'org/name';
const timing = { ...quick, stallMs: 400, leastBytes: 1024 };
let root: string;
let directory: string;
let store: MemoryStore;
const hubs: HubDouble[] = [];
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'loupe-pull-'));
});
afterAll(() => {
  rmSync(root, { recursive: true });
});
beforeEach(() => {
  directory = mkdtempSync(join(root, 'model-'));
  store = memoryStore();
});
afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.close()));
});

const weights = Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * 7 + (index >> 8)) & 255));
const files = (): Map<string, Buffer> =>
  new Map([
    ['config.json', Buffer.from('{"model_type": "mllama"}')],
    ['model.safetensors', weights],
  ]);

async function hubOf(options: Partial<HubDoubleOptions> = {}): Promise<HubDouble> {
  const hub = await startHubDouble({ repository, files: files(), ...options });
  hubs.push(hub);
  return hub;
}

/** Once each, in order, for requests of the weights or the list. */
function script(what: 'model.safetensors' | 'list', ...order: (Fault | null)[]): HubDoubleOptions['next'] {
  return (asked) => (asked === what ? (order.shift() ?? null) : null);
}

function begin(): number {
  return store.downloads.create({ model: 'm', repository, directory }).id;
}

async function sit(
  hub: { endpoint: string },
  id: number,
  change: Partial<PullOptions> & { environment?: NodeJS.ProcessEnv; neverConnects?: () => boolean } = {},
): Promise<void> {
  const http = httpOf(store, change.environment, change.neverConnects);
  try {
    await pull(id, {
      http,
      source: hubSource(hub.endpoint),
      token: null,
      store: store.downloads,
      lock: lockDownload,
      signal: new AbortController().signal,
      timing,
      pauses: new Pauses(() => {}),
      onBytes: () => {},
      freeBytes: async () => Infinity,
      ...change,
    });
  } finally {
    await http.close();
  }
}

const failureOf = (work: Promise<unknown>): Promise<LoupeError> =>
  work.then(
    () => Promise.reject(new Error('It did not fail.')),
    (error: unknown) => (error instanceof LoupeError ? error : Promise.reject(error as Error)),
  );
const here = (name: string): Buffer => readFileSync(join(directory, name));

describe('from the list to the files', () => {
  test('what is needed arrives, and nothing else', async () => {
    const all = files();
    for (const path of ['original/consolidated.pth', 'model.gguf', 'pytorch_model.bin', 'README.md', 'onnx/model.safetensors'])
      all.set(path, Buffer.from('no'));
    const hub = await hubOf({ files: all });
    const id = begin();
    await sit(hub, id);
    expect(here('model.safetensors').equals(weights)).toBe(true);
    expect(readdirSync(directory).sort()).toEqual(['.loupe.lock', 'config.json', 'model.safetensors']);
    expect(store.downloads.get(id).files.map(({ path, complete, checksum }) => [path, complete, checksum.algorithm])).toEqual([
      ['config.json', true, 'git'],
      ['model.safetensors', true, 'sha256'],
    ]);
  });

  test('the ledger says whom it spoke to, what for, and how much came', async () => {
    const hub = await hubOf();
    await sit(hub, begin());
    const entries = store.ledger.list();
    expect(entries.map(({ purpose }) => purpose)).toEqual(['test', 'test']);
    expect(new Set(entries.map(({ host }) => host)).size).toBe(2);
    expect(entries[0]!.host).toBe(new URL(hub.endpoint).host);
    // The weights come from the second host, with little around them.
    expect(entries[1]!.receivedBytes).toBeGreaterThanOrEqual(weights.length);
    expect(entries[1]!.receivedBytes).toBeLessThan(weights.length + 500);
    expect(entries[1]!.sentBytes).toBeGreaterThan(50);
  });

  test('offline: not one socket, not one entry', async () => {
    const hub = await hubOf();
    for (const environment of [{ HF_HUB_OFFLINE: '1' }, { LOUPE_OFFLINE: 'true' }]) {
      expect(
        (await failureOf(sit(hub, begin(), { environment }).finally(() => store.downloads.remove(store.downloads.list()[0]!.id)))).code,
      ).toBe('offline');
    }
    expect(hub.requests).toBe(0);
    expect(store.ledger.list()).toEqual([]);
    expect(isOffline({ HF_HUB_OFFLINE: '0' })).toBe(false);
  });

  test('"Never connect": this machine is reached, another one is not, whatever leads there', async () => {
    const nowhere = async (url: string, environment: NodeJS.ProcessEnv = {}): Promise<LoupeError> => {
      const http = httpOf(store, environment, () => true);
      try {
        return await failureOf(http.get(url, { signal: new AbortController().signal }));
      } finally {
        await http.close();
      }
    };
    const said = { code: 'offline', message: expect.stringContaining('“Never connect” is switched on') as string };
    for (const url of [
      'https://hub.invalid/x',
      'http://10.0.0.1/',
      'http://127.example.org/',
      'http://localhost.example.org/',
      'http://[::2]/',
    ])
      expect(await nowhere(url)).toMatchObject(said);
    expect(store.ledger.list()).toEqual([]);

    const hub = await hubOf();
    expect(await nowhere(hub.endpoint, { http_proxy: 'http://proxy.invalid:3128' })).toMatchObject(said);
    expect(await nowhere('http://hub.invalid', { http_proxy: new URL(hub.endpoint).host })).toMatchObject(said);
    expect(hub.requests).toBe(0);
    await sit(hub, begin(), { neverConnects: () => true });
    expect(here('model.safetensors').equals(weights)).toBe(true);
  });

  test('"Never connect": a redirect from this machine to another one is not followed', async () => {
    const server = createServer((_, response) => response.writeHead(302, { location: 'http://hub.invalid/' }).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const http = httpOf(store, {}, () => true);
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      expect((await failureOf(http.get(url, { signal: new AbortController().signal }))).message).toContain(
        'did not connect to hub.invalid',
      );
      expect(store.ledger.list().map(({ host }) => host)).toEqual([new URL(url).host]);
    } finally {
      await http.close();
      server.close();
    }
  });

  test('names that would leave the folder are not files of a model', () => {
    expect(
      ['model-00001-of-00005.safetensors', 'config.json', 'chat_template.jinja', 'LICENSE.txt', 'USE_POLICY.md'].filter(
        (path) => !isNeeded(path),
      ),
    ).toEqual([]);
    const hostile = [
      '../evil.safetensors',
      '/etc/evil.json',
      'a/b.safetensors',
      '..\\evil.json',
      '.hidden.json',
      'x.safetensors\n.json/',
      'C:evil.json',
      'a\0.json',
      'setup.py',
      'LICENSE.exe',
      'NOTICE.lnk',
      'USE_POLICY.bat',
      'nul.json',
      'CON.json',
      'com1.x.safetensors',
    ];
    expect(hostile.filter(isNeeded)).toEqual([]);
  });

  test('a list that is not one', async () => {
    const endless = await hubOf({ files: new Map([['config.json', Buffer.from('{}')]]) });
    expect((await failureOf(sit(endless, begin()))).message).toContain('holds no .safetensors file');
    const page = await hubOf({ next: script('list', ...Array.from({ length: 20 }, (): Fault => 'page')) });
    store = memoryStore();
    expect(await failureOf(sit(page, begin()))).toMatchObject({
      code: 'network_failed',
      nextStep: expect.stringContaining('log-in page') as string,
    });
  });
});

describe('the token', () => {
  test('goes to the hub and stays there when files lie elsewhere', async () => {
    const hub = await hubOf({ token: 'hf_secret' });
    await sit(hub, begin(), { token: 'hf_secret' });
    expect(hub.leaks).toBe(0);
    expect(here('model.safetensors').equals(weights)).toBe(true);
  });

  test('missing or not enough, the model’s page is the way', async () => {
    const hub = await hubOf({ token: 'hf_secret' });
    expect(await failureOf(sit(hub, begin()))).toMatchObject({
      code: 'hub_gated',
      message: expect.stringContaining('without an access token') as string,
    });
    store = memoryStore();
    const wrong = await failureOf(sit(hub, begin(), { token: 'hf_wrong' }));
    expect(wrong).toMatchObject({ code: 'hub_gated', message: expect.stringContaining('with this access token') as string });
    expect(JSON.stringify([wrong.message, wrong.nextStep, wrong.stack, store.ledger.list(), store.downloads.list()])).not.toContain('hf_');
  });

  test('never travels in clear text', async () => {
    const error = await failureOf(sit({ endpoint: 'http://mirror.invalid' }, begin(), { token: 'hf_secret' }));
    expect(error).toMatchObject({ code: 'hub_invalid', message: 'The access token would be sent to mirror.invalid unencrypted.' });
    expect(store.ledger.list()).toEqual([]);
    // The name begins as the addresses of this machine do.
    store = memoryStore();
    const alike = await failureOf(sit({ endpoint: 'http://127.example.invalid' }, begin(), { token: 'hf_secret' }));
    expect(alike).toMatchObject({ code: 'hub_invalid', message: 'The access token would be sent to 127.example.invalid unencrypted.' });
  });
});

describe('breaking off and resuming', () => {
  test('from where it broke off, with the same file’s etag', async () => {
    const hub = await hubOf({ next: script('model.safetensors', 'break-off') });
    await sit(hub, begin());
    expect(hub.ranges).toEqual(['bytes=25000-']);
    expect(here('model.safetensors').equals(weights)).toBe(true);
  });

  test('after a restart: what is on disk is hashed again and kept', async () => {
    const hub = await hubOf({ next: script('model.safetensors', 'stall') });
    const id = begin();
    const pause = new AbortController();
    const paused = sit(hub, id, {
      signal: pause.signal,
      onBytes: (path, bytes) => path === 'model.safetensors' && bytes === 25_000 && pause.abort(new LoupeError('cancelled', 'Paused.')),
    });
    expect((await failureOf(paused)).code).toBe('cancelled');
    expect(statSync(join(directory, 'model.safetensors.part')).size).toBe(25_000);
    const before = hub.requests;
    await sit(hub, id);
    expect(hub.ranges).toEqual(['bytes=25000-']);
    // Neither the list nor config.json again; the hub's redirect and the file.
    expect(hub.requests - before).toBe(2);
    expect(here('model.safetensors').equals(weights)).toBe(true);
  });

  test('a part that was tampered with costs a second try, not the truth', async () => {
    const hub = await hubOf();
    writeFileSync(join(directory, 'model.safetensors.part'), Buffer.alloc(1000));
    await sit(hub, begin());
    expect(here('model.safetensors').equals(weights)).toBe(true);
    writeFileSync(join(directory, 'model.safetensors.part'), Buffer.alloc(weights.length + 1));
    store = memoryStore();
    rmSync(join(directory, 'model.safetensors'));
    await sit(hub, begin());
    expect(here('model.safetensors').equals(weights)).toBe(true);
  });

  test('another etag: from the beginning', async () => {
    const hub = await hubOf({ next: script('model.safetensors', 'break-off', 'new-etag') });
    const id = begin();
    await sit(hub, id);
    expect(hub.ranges).toEqual(['bytes=25000-']);
    expect(here('model.safetensors').equals(weights)).toBe(true);
    expect(store.downloads.get(id).files.at(-1)!.etag).toMatch(/-1"$/);
  });

  test.each([
    '416',
    'wrong-range',
    'ignore-range',
    'longer',
    'corrupt',
    'end-early',
    '503',
    'page',
    'compressed',
    'loop',
    'loris',
  ] as const)('%s in the middle is overcome', async (fault) => {
    const hub = await hubOf({ next: script('model.safetensors', 'break-off', fault) });
    await sit(hub, begin());
    expect(hub.happened.get(fault)).toBe(1);
    expect(here('model.safetensors').equals(weights)).toBe(true);
  });

  test('a page of the network keeps what is here', async () => {
    const hub = await hubOf({ next: script('model.safetensors', 'break-off', 'page') });
    await sit(hub, begin());
    expect(hub.ranges).toEqual(['bytes=25000-', 'bytes=25000-']);
  });

  test('always wrong: three times, then it is said, and nothing lies under the name', async () => {
    const hub = await hubOf({ spoilt: new Set(['model.safetensors']) });
    const error = await failureOf(sit(hub, begin()));
    expect(error).toMatchObject({
      code: 'download_damaged',
      message: `${join(directory, 'model.safetensors')} came 3 times with a wrong checksum.`,
    });
    expect(existsSync(join(directory, 'model.safetensors'))).toBe(false);
  });

  test('a right file that is there already is not fetched', async () => {
    const hub = await hubOf();
    writeFileSync(join(directory, 'model.safetensors'), weights);
    await sit(hub, begin());
    expect(store.ledger.list()).toHaveLength(1);
    // And a wrong one of the same length is.
    writeFileSync(join(directory, 'model.safetensors'), Buffer.alloc(weights.length));
    store = memoryStore();
    await sit(hub, begin());
    expect(here('model.safetensors').equals(weights)).toBe(true);
  });

  test('a commit that is gone is listed anew', async () => {
    const hub = await hubOf({ next: script('model.safetensors', 'stall') });
    const id = begin();
    const pause = new AbortController();
    await failureOf(
      sit(hub, id, {
        signal: pause.signal,
        onBytes: (path, bytes) => path === 'model.safetensors' && bytes > 0 && pause.abort(new LoupeError('cancelled', 'Paused.')),
      }),
    );
    const { revision } = store.downloads.get(id);
    hub.recommit();
    await sit(hub, id);
    expect(store.downloads.get(id).revision).not.toBe(revision);
    expect(here('model.safetensors').equals(weights)).toBe(true);
  });

  test('a server that never works: tried so often, then said', async () => {
    const hub = await hubOf({ next: (what) => (what === 'list' ? null : '500') });
    expect(await failureOf(sit(hub, begin()))).toMatchObject({
      code: 'network_failed',
      message: expect.stringMatching(/answered HTTP 500/) as string,
    });
    expect(hub.happened.get('500')).toBeGreaterThanOrEqual(timing.tries);
    // Two files at a time.
    expect(hub.happened.get('500')).toBeLessThanOrEqual(2 * timing.tries);
  });

  test('nobody there', async () => {
    expect(await failureOf(sit({ endpoint: 'http://127.0.0.1:1' }, begin()))).toMatchObject({
      code: 'network_failed',
      message: '127.0.0.1:1 refuses the connection (ECONNREFUSED).',
    });
  });
});

describe('the disk', () => {
  test('too little room is said before the first byte of a file', async () => {
    const hub = await hubOf();
    const id = begin();
    const error = await failureOf(sit(hub, id, { freeBytes: async () => 256 * 1024 * 1024 + 20_000 }));
    expect(error).toMatchObject({
      code: 'disk_full',
      message: `The model still needs 50.0 kB, and the disk that holds ${directory} has 20.0 kB free.`,
    });
    expect(hub.happened.size).toBe(0);
    expect(readdirSync(directory)).toEqual(['.loupe.lock']);
    await sit(hub, id);
  });

  const small = mkdtempSync(join(tmpdir(), 'loupe-small-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40k', 'tmpfs', small]).status === 0;
  if (!mounted) console.warn('SKIPPED: a full disk. It needs the right to mount a small file system (root on Linux).');
  afterAll(() => {
    if (mounted) spawnSync('umount', [small]);
    rmSync(small, { recursive: true });
  });

  test.skipIf(!mounted)('a disk that fills up: said, kept, and gone on with when there is room', async () => {
    const hub = await hubOf();
    directory = small;
    const id = begin();
    expect(await failureOf(sit(hub, id))).toMatchObject({
      code: 'disk_full',
      message: `The disk that holds ${join(small, 'model.safetensors.part')} is full.`,
    });
    const kept = statSync(join(small, 'model.safetensors.part')).size;
    expect(kept).toBeGreaterThan(10_000);
    spawnSync('mount', ['-o', 'remount,size=400k', small]);
    await sit(hub, id);
    expect(hub.ranges).toEqual([`bytes=${kept}-`]);
    expect(here('model.safetensors').equals(weights)).toBe(true);
  });

  test('a folder that cannot be made', async () => {
    const hub = await hubOf();
    writeFileSync(join(directory, 'file'), '');
    directory = join(directory, 'file', 'model');
    expect((await failureOf(sit(hub, begin()))).code).toBe('file_unwritable');
    expect(hub.requests).toBe(0);
  });
});

describe('processes', () => {
  const puller = fileURLToPath(new URL('../test/puller.ts', import.meta.url));
  const start = (endpoint: string): { begun: Promise<unknown>; child: ReturnType<typeof spawn>; output: () => string } => {
    const child = spawn(process.execPath, [puller, endpoint, repository, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    return { begun: once(child.stdout, 'data'), child, output: () => output };
  };

  test('one writer at a time; killed, it leaves no lock, and the next goes on from its part', { timeout: 60_000 }, async () => {
    const hub = await hubOf({ next: script('model.safetensors', 'stall') });
    const first = start(hub.endpoint);
    await first.begun;
    const second = start(hub.endpoint);
    await once(second.child, 'close');
    expect(second.output()).toBe('download_locked\n');
    const ended = once(first.child, 'close');
    first.child.kill('SIGKILL');
    await ended;
    expect(statSync(join(directory, 'model.safetensors.part')).size).toBe(25_000);
    const third = start(hub.endpoint);
    await once(third.child, 'close');
    expect(third.output().trim().split('\n').at(-1)).toBe('complete');
    expect(hub.ranges).toEqual(['bytes=25000-']);
    expect(sha256(here('model.safetensors'))).toBe(sha256(weights));
  });
});

describe('proxies', () => {
  let proxy: Server;
  const tunnels: string[] = [];
  beforeAll(async () => {
    proxy = createServer();
    proxy.on('connect', (request, client: Duplex, head: Buffer) => {
      tunnels.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
      const [host, port] = request.url!.split(':');
      const server = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        server.write(head);
        server.pipe(client);
        client.pipe(server);
      });
      for (const end of [server, client]) end.on('error', () => {});
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const address = (): string => `127.0.0.1:${(proxy.address() as AddressInfo).port}`;

  test('of the environment carry everything, and the ledger says so', async () => {
    const hub = await hubOf();
    await sit(hub, begin(), { environment: { http_proxy: `http://name:word@${address()}` } });
    expect(here('model.safetensors').equals(weights)).toBe(true);
    expect(new Set(tunnels.map((line) => line.split(' ')[0])).size).toBe(2);
    expect(tunnels[0]).toContain(`Basic ${Buffer.from('name:word').toString('base64')}`);
    expect(store.ledger.list().map(({ host }) => host)).toEqual([
      expect.stringMatching(/ through 127/),
      expect.stringMatching(/ through 127/),
    ]);
    expect(JSON.stringify(store.ledger.list())).not.toContain('word');
  });

  test('which address goes through which', () => {
    const through = (url: string, environment: NodeJS.ProcessEnv): string | null => proxyFor(new URL(url), environment)?.host ?? null;
    const environment = { HTTPS_PROXY: 'http://secure:1', HTTP_PROXY: 'plain:2', NO_PROXY: 'localhost, .inner.example,exact.example:8443' };
    expect(through('https://huggingface.co/x', environment)).toBe('secure:1');
    expect(through('http://huggingface.co/x', environment)).toBe('plain:2');
    expect(through('https://a.inner.example', environment)).toBeNull();
    expect(through('https://exact.example:8443', environment)).toBeNull();
    expect(through('https://exact.example', environment)).toBe('secure:1');
    expect(through('https://notinner.example', environment)).toBe('secure:1');
    expect(through('https://huggingface.co', { https_proxy: 'http://low:1', HTTPS_PROXY: 'http://high:1' })).toBe('low:1');
    expect(through('https://huggingface.co', { ALL_PROXY: 'http://all:1' })).toBe('all:1');
    expect(through('https://huggingface.co', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '*' })).toBeNull();
    expect(through('https://huggingface.co', {})).toBeNull();
    expect(() => through('https://huggingface.co', { HTTPS_PROXY: 'http://' })).toThrow('The address of the proxy cannot be read.');
  });
});

test('HF_ENDPOINT', () => {
  expect(endpointOf({})).toBe('https://huggingface.co');
  expect(endpointOf({ HF_ENDPOINT: 'https://hf-mirror.com/' })).toBe('https://hf-mirror.com');
  expect(() => endpointOf({ HF_ENDPOINT: 'ftp://x' })).toThrow(expect.objectContaining({ code: 'hub_invalid' }));
});
