import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { events, type EventMessage, type Payload } from '../../contract.ts';
import * as v from 'valibot';
import { createFakeEngine } from '../../engine/test/fake-engine.ts';
import { createLog } from '../../host/log.ts';
import { openStore } from '../../storage/store.ts';
import { LoupeError } from '../../errors.ts';
import type { Engine, Store } from '../ports.ts';
import { catalogue, catalogueModel } from './catalogue.ts';
import { createModelManager, type ModelManager } from './manager.ts';
import { createModels } from './models.ts';
import { sessionSecrets } from './hub/secrets.ts';
import { startHubDouble, type Fault, type HubDouble, type HubDoubleOptions } from './test/hub-double.ts';
import { quick } from './test/hub-setup.ts';
import { startRegistryDouble } from './test/registry-double.ts';
import { quantisedName } from './quantise.ts';
import { ggufBytes, publishedFiles, write } from './test/write-model.ts';

const id = 'llama-3.2-11b-vision-instruct';
const official = catalogueModel(id).repository;
const mirror = catalogueModel(id).mirrors[0]!;
const timing = { ...quick, stallMs: 1000 };

let folder: string;
let store: Store;
let manager: ModelManager;
let hub: HubDouble | undefined;
let told: EventMessage[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-manager-'));
  told = [];
});
afterEach(async () => {
  await manager.close();
  store.close();
  await hub?.close();
  hub = undefined;
  rmSync(folder, { recursive: true });
});

const noDevices: Engine['devices'] = () => Promise.reject(new Error('none'));

function begin({
  environment = {},
  devices = noDevices,
  freeBytes = async () => Infinity,
  startEngine = () => createFakeEngine(),
  pauseMs = timing.pauseMs,
}: {
  environment?: NodeJS.ProcessEnv;
  devices?: Engine['devices'];
  freeBytes?: (directory: string) => Promise<number>;
  startEngine?: () => Engine;
  pauseMs?: number;
} = {}): void {
  store = openStore(join(folder, 'data'));
  const all = {
    HF_HUB_CACHE: '/nowhere',
    HF_TOKEN_PATH: '/nowhere',
    OLLAMA_MODELS: '/nowhere',
    ...(hub ? { HF_ENDPOINT: hub.endpoint } : {}),
    ...environment,
  };
  manager = createModelManager({
    store,
    models: createModels({ store, demoModel: join(folder, 'demo') }),
    devices,
    startEngine,
    secrets: sessionSecrets(),
    directory: join(folder, 'models'),
    emit: (event) => {
      // As every host would refuse it.
      v.parse(events[event.event], event.payload);
      told.push(event);
    },
    environment: all,
    hostMemoryBytes: 64e9,
    downloads: { timing: { ...timing, pauseMs, longestPauseMs: Math.max(pauseMs, timing.longestPauseMs) }, freeBytes },
  });
}

async function hubOf(repository: string, options: Partial<HubDoubleOptions> = {}): Promise<void> {
  const files = new Map(Object.entries(publishedFiles()).map(([name, content]) => [name, Buffer.from(content)]));
  hub = await startHubDouble({ repository, files, ...options });
}

const agree = () => manager.acceptLicence('llama3.2', '2024-09-25');
const last = <Name extends EventMessage['event']>(name: Name): Payload<Name> | undefined =>
  told.findLast(({ event }) => event === name)?.payload as Payload<Name> | undefined;
const settled = () =>
  vi.waitFor(() => expect(manager.downloads().some(({ state }) => state === 'running' || state === 'queued')).toBe(false), {
    timeout: 20_000,
    interval: 20,
  });

describe('a download', () => {
  test('needs the licence before the first byte, then arrives, is listed, and has the notice beside it', async () => {
    await hubOf(mirror);
    begin();
    await expect(manager.download(id, null, null)).rejects.toMatchObject({ code: 'licence_needed' });
    expect(hub!.requests).toBe(0);
    expect(store.ledger.list()).toEqual([]);
    expect(agree().acceptedAt).toBeGreaterThan(0);
    const started = await manager.download(id, null, null);
    const directory = join(folder, 'models', 'Llama-3.2-11B-Vision-Instruct');
    expect(started).toMatchObject({ model: id, name: 'Llama 3.2 11B Vision Instruct', repository: mirror, directory, failure: null });
    await settled();
    expect(manager.downloads()).toEqual([]);
    expect(last('models.changed')!.at(-1)).toMatchObject({
      id: directory,
      name: 'Llama-3.2-11B-Vision-Instruct',
      kind: 'vision',
      present: true,
    });
    expect(last('downloads.changed')).toEqual([]);
    expect(readFileSync(join(directory, 'NOTICE'), 'utf8')).toContain(
      'Llama 3.2 is licensed under the Llama 3.2 Community License, Copyright (c) Meta Platforms, Inc. All Rights Reserved.',
    );
    expect(store.ledger.list().map(({ purpose }) => purpose)).toEqual(Array<string>(2).fill('download of Llama 3.2 11B Vision Instruct'));
    // Its sums are those that the hub stated.
    expect(await manager.verify(directory)).toMatchObject({ state: 'done', intact: 2, changed: [], unknown: 0 });
    expect((await manager.catalogue()).entries.find((entry) => entry.id === id)!.model).toBe(directory);
    await manager.remove(directory, true);
    expect(existsSync(directory)).toBe(false);
  });

  test('of Ollama’s library is listed, checked and deleted as one model, and no token goes there', async () => {
    const model = 'llama-3.2-11b-vision-instruct-q4';
    const registry = await startRegistryDouble({
      layers: {
        model: Buffer.from(ggufBytes({ 'general.architecture': 'mllama', 'mllama.vision.block_count': 32, 'mllama.block_count': 40 })),
        params: Buffer.from('{"temperature":0.6,"top_p":0.9}'),
        license: Buffer.from('LLAMA 3.2 COMMUNITY LICENSE AGREEMENT'),
      },
    });
    try {
      begin({ environment: { LOUPE_OLLAMA_REGISTRY: registry.endpoint, HF_TOKEN: 'hf_secret' } });
      expect((await manager.catalogue()).entries.find((entry) => entry.id === model)).toMatchObject({
        source: 'ollama',
        bytes: 7_800_000_000,
        model: null,
      });
      await expect(manager.download(model, null, null)).rejects.toMatchObject({ code: 'licence_needed' });
      agree();
      const { directory } = await manager.download(model, null, null);
      expect(directory).toBe(join(folder, 'models', 'Llama-3.2-11B-Vision-Instruct-Q4_K_M'));
      await settled();
      expect(manager.downloads()).toEqual([]);
      const manifest = join(directory, 'manifests', 'registry.ollama.ai', 'library', 'llama3.2-vision', '11b');
      expect(last('models.changed')!.at(-1)).toMatchObject({ id: manifest, name: 'llama3.2-vision:11b', kind: 'vision', present: true });
      const view = await manager.catalogue();
      expect(view.downloaded).toEqual([manifest]);
      expect(view.entries.find((entry) => entry.id === model)!.model).toBe(manifest);
      expect(view.entries.find((entry) => entry.id === id)!.model).toBeNull();
      expect(await manager.verify(manifest)).toMatchObject({ state: 'done', intact: 1, changed: [], unknown: 0 });
      expect(registry.leaks).toBe(0);
      await manager.remove(manifest, true);
      expect(existsSync(directory)).toBe(false);
    } finally {
      await registry.close();
    }
  });

  test('with a token comes from its makers, else the failure says what to do', async () => {
    await hubOf(official, { token: 'hf_right' });
    begin();
    agree();
    await manager.download(id, official, null);
    await settled();
    expect(manager.downloads()[0]).toMatchObject({
      state: 'failed',
      failure: { code: 'hub_gated', nextStep: expect.stringContaining('access token') as string },
    });
    expect(await manager.setToken('hf_right')).toEqual({ source: 'own', kept: 'session', problem: null });
    manager.resume(manager.downloads()[0]!.id);
    await settled();
    expect(manager.downloads()).toEqual([]);
  });

  test('the token is in no file, neither of the store nor of the log', async () => {
    await hubOf(official, { token: 'hf_right' });
    begin({ environment: { HF_TOKEN: 'hf_wrong_but_secret' } });
    const log = createLog(join(folder, 'data', 'logs'));
    agree();
    await manager.download(id, null, null);
    await settled();
    for (const download of manager.downloads()) log(download.failure!.message);
    await manager.download(id, official, null).catch(log);
    await settled();
    await manager.setToken('hf_wrong_too');
    manager.resume(manager.downloads()[0]!.id);
    await settled();
    log(manager.downloads()[0]!.failure!.message);
    log('end');
    const files = readdirSync(join(folder, 'data'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(2);
    for (const { parentPath, name } of files)
      expect({ name, has: readFileSync(join(parentPath, name)).includes('hf_wrong') }).toEqual({ name, has: false });
    expect(JSON.stringify(told)).not.toContain('hf_wrong');
    expect(hub!.requests).toBeGreaterThan(0);
  });

  test('a try that fails says so at once, and the next begins when it is asked for', async () => {
    let unplugged = true;
    await hubOf(mirror, { next: (what) => (what === 'list' && unplugged ? 'drop' : null) });
    begin({ pauseMs: 3_600_000 });
    agree();
    const { id: number } = await manager.download(id, null, null);
    const tried = (tries: number) =>
      vi.waitFor(() =>
        expect(manager.downloads()[0]).toMatchObject({
          state: 'running',
          failure: null,
          trouble: { failure: { message: expect.stringMatching(/^The connection to .* broke/) as string }, tries, mostTries: timing.tries },
        }),
      );
    await tried(1);
    await vi.waitFor(() => expect(last('downloads.changed')![0]!.trouble?.tries).toBe(1));
    manager.resume(number);
    await tried(2);
    unplugged = false;
    manager.resume(number);
    await settled();
    expect(last('models.changed')!.at(-1)).toMatchObject({ name: 'Llama-3.2-11B-Vision-Instruct', present: true });
  });

  test('a download that waits for another try is cancelled at once', async () => {
    await hubOf(mirror, { next: () => 'drop' });
    begin({ pauseMs: 3_600_000 });
    agree();
    const { id: number } = await manager.download(id, null, null);
    await vi.waitFor(() => expect(manager.downloads()[0]?.trouble?.tries).toBe(1));
    await manager.cancel(number);
    expect(manager.downloads()).toEqual([]);
  });

  test('pause, go on, cancel', async () => {
    const order: (Fault | null)[] = ['stall', 'stall', 'stall', 'stall'];
    await hubOf(mirror, { next: (what) => (what.endsWith('.safetensors') ? (order.shift() ?? null) : null) });
    begin();
    agree();
    const { id: number, directory } = await manager.download(id, null, null);
    await vi.waitFor(() => expect(manager.downloads()[0]!.doneBytes).toBeGreaterThan(300), { timeout: 10_000 });
    manager.pause(number);
    await settled();
    const paused = manager.downloads()[0]!;
    expect(paused).toMatchObject({ state: 'paused', failure: null, bytesPerSecond: null });
    expect(paused.doneBytes).toBeLessThan(paused.totalBytes);
    manager.resume(number);
    await vi.waitFor(() => expect(['running', 'queued']).toContain(manager.downloads()[0]?.state));
    await manager.cancel(number);
    expect(manager.downloads()).toEqual([]);
    expect(existsSync(directory)).toBe(false);
    expect(() => manager.resume(number)).toThrow(expect.objectContaining({ code: 'not_found' }));
  });

  test('goes on by itself after a restart, and a paused one does not', async () => {
    const order: (Fault | null)[] = ['stall', 'stall'];
    await hubOf(mirror, { next: (what) => (what.endsWith('.safetensors') ? (order.shift() ?? null) : null) });
    begin();
    agree();
    await manager.download(id, null, null);
    await vi.waitFor(() => expect(manager.downloads()[0]!.doneBytes).toBeGreaterThan(300), { timeout: 10_000 });
    await manager.close();
    store.close();
    begin();
    expect(manager.downloads()[0]).toMatchObject({ state: 'running' });
    manager.recover();
    await settled();
    expect(manager.downloads()).toEqual([]);
    expect(last('models.changed')).toHaveLength(2);

    store.downloads.create({ model: id, repository: mirror, directory: join(folder, 'other') });
    manager.pause(store.downloads.list().at(-1)!.id);
    const before = hub!.requests;
    manager.recover();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(hub!.requests).toBe(before);
  });

  test('one after the other; asked for twice it is one', async () => {
    await hubOf(mirror);
    begin();
    agree();
    const first = await manager.download(id, null, null);
    const again = await manager.download(id, null, null);
    expect(again.id).toBe(first.id);
    const second = await manager.download(id, null, join(folder, 'elsewhere'));
    expect(second.state).toBe('queued');
    await expect(manager.download(id, official, join(folder, 'elsewhere'))).rejects.toMatchObject({ code: 'download_locked' });
    await settled();
    expect(last('models.changed')).toHaveLength(3);
  });

  test('what the disk lacks is known before anything begins', async () => {
    let free = catalogueModel(id).weightBytes;
    begin({ freeBytes: async () => free });
    const missing = async (): Promise<number> => (await manager.catalogue()).entries.find((entry) => entry.id === id)!.missingBytes;
    // Some of it stays free.
    expect(await missing()).toBe(256 * 1024 * 1024);
    free += 256 * 1024 * 1024;
    expect(await missing()).toBe(0);
  });

  test('a full disk is its failure, and it goes on when there is room', async () => {
    let free = 1000;
    await hubOf(mirror);
    begin({ freeBytes: async () => free });
    agree();
    const { id: number } = await manager.download(id, null, null);
    await settled();
    expect(manager.downloads()[0]).toMatchObject({ state: 'failed', failure: { code: 'disk_full' } });
    free = Infinity;
    manager.resume(number);
    await settled();
    expect(manager.downloads()).toEqual([]);
  });

  test('offline nothing begins, and nothing goes on', async () => {
    await hubOf(mirror);
    begin({ environment: { HF_HUB_OFFLINE: '1' } });
    agree();
    await expect(manager.download(id, null, null)).rejects.toMatchObject({ code: 'offline' });
    manager.recover();
    expect((await manager.catalogue()).offline).toBe('environment');
    expect([hub!.requests, store.ledger.list().length]).toEqual([0, 0]);
  });

  test('with "Never connect" nothing begins; switched on while a download runs, it ends that, which can be resumed', async () => {
    await hubOf(mirror);
    begin({ environment: { HF_ENDPOINT: 'https://hub.invalid' } });
    agree();
    expect((await manager.catalogue()).offline).toBeNull();
    const { id: download } = await manager.download(id, null, null);
    const switchOn = (): void => void store.saveSettings({ neverConnect: true });
    switchOn();
    manager.stayHere();
    await vi.waitFor(() => expect(manager.downloads()).toMatchObject([{ id: download, state: 'failed', failure: { code: 'offline' } }]));
    expect(() => manager.resume(download)).toThrow(
      expect.objectContaining({
        code: 'offline',
        message: 'Loupe did not connect to hub.invalid: “Never connect” is switched on.',
        nextStep: 'To download, switch off “Never connect” in Settings > Privacy.',
      }),
    );
    expect((await manager.catalogue()).offline).toBe('setting');
  });

  test('only from sources that are known', async () => {
    begin();
    agree();
    await expect(manager.download(id, 'someone/else', null)).rejects.toMatchObject({
      code: 'not_found',
      nextStep: expect.stringContaining(mirror) as string,
    });
    await expect(manager.download('gpt-5', null, null)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('models on this machine', () => {
  test('are found and used where they lie, once the licence is agreed to', async () => {
    const cache = join(folder, 'hub');
    const snapshot = write(join(cache, 'models--unsloth--Llama-3.2-11B-Vision-Instruct', 'snapshots', 'abc'), publishedFiles());
    begin({ environment: { HF_HUB_CACHE: cache } });
    const [found] = await manager.find(null);
    expect(found).toMatchObject({
      path: snapshot,
      source: 'huggingface',
      name: 'Llama-3.2-11B-Vision-Instruct',
      licence: 'llama3.2',
      added: false,
      problem: null,
    });
    await expect(manager.add(snapshot)).rejects.toMatchObject({ code: 'licence_needed' });
    agree();
    expect(await manager.add(snapshot)).toMatchObject({ id: snapshot, name: 'Llama-3.2-11B-Vision-Instruct', kind: 'vision' });
    expect((await manager.find(null))[0]!.added).toBe(true);
    await expect(manager.remove(snapshot, true)).rejects.toMatchObject({ code: 'usage' });
    await manager.remove(snapshot, false);
    expect(existsSync(snapshot)).toBe(true);
  });

  test('what is broken is refused with its reason', async () => {
    const path = write(join(folder, 'Llama-3.2-11B-Vision-odd'), publishedFiles());
    const refused = new LoupeError('checkpoint_unsupported', 'It is written on paper.', 'Scan it.');
    begin({ startEngine: () => createFakeEngine({ inspect: () => Promise.reject(refused) }) });
    agree();
    // The same words in the list and on import, and no row is left.
    expect((await manager.find(path))[0]!.problem).toEqual({ state: 'unsupported', message: 'It is written on paper. Scan it.' });
    await expect(manager.add(path)).rejects.toMatchObject({
      code: 'checkpoint_unsupported',
      message: 'It is written on paper.',
      nextStep: 'Scan it.',
    });
    await expect(manager.fit(path)).rejects.toMatchObject({ message: 'It is written on paper.' });
    expect(store.models.list()).toEqual([]);
    expect(told).toEqual([]);
  });

  test('are read again, and a changed bit is noticed without any source', async () => {
    const path = write(join(folder, 'model'), publishedFiles());
    begin();
    agree();
    await manager.add(path);
    expect(await manager.verify(path)).toMatchObject({ state: 'done', intact: 0, changed: [], unknown: 2 });
    const shard = join(path, 'model-00001-of-00002.safetensors');
    const bytes = readFileSync(shard);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(shard, bytes);
    expect(await manager.verify(path)).toMatchObject({ state: 'done', changed: [shard], unknown: 1 });
    expect(last('verifications.changed')).toEqual(manager.verifications());
    rmSync(join(path, 'config.json'));
    await expect(manager.verify(path)).rejects.toMatchObject({ code: 'model_missing' });
    expect(manager.verifications()[0]).toMatchObject({ state: 'failed' });
  });
});

describe('a quantised copy', () => {
  const report = { bytes: 1, resumed: false, classes: [], hostPeakBytes: 1 };
  const quantising = (work: (target: string) => void): Engine => ({
    ...createFakeEngine(),
    quantise: async ({ target }) => (work(target), report),
  });
  const options = { signal: new AbortController().signal, onProgress: () => {} };

  test('is written below the models, with the notice, and is in the list', async () => {
    const path = write(join(folder, 'My own vision'), publishedFiles());
    begin({ startEngine: () => quantising((target) => writeFileSync(target, ggufBytes({ 'general.architecture': 'llama' }))) });
    await expect(manager.quantise(path, 'q4_k_m', null, options)).rejects.toMatchObject({ code: 'licence_needed' });
    agree();
    const { model } = await manager.quantise(path, 'q4_k_m', null, options);
    const name = 'Llama-My-own-vision-Q4_K_M';
    expect(model).toMatchObject({ id: join(folder, 'models', name, `${name}.gguf`), name, present: true });
    expect(readdirSync(join(folder, 'models', name)).sort()).toEqual([`${name}.gguf`, 'NOTICE']);
    expect(last('models.changed')!.at(-1)).toEqual(model);
    await expect(manager.quantise(path, 'q4_k_m', null, options)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('exists already') as string,
    });
    await expect(manager.quantise(model.id, 'q8_0', null, options)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('GGUF file already') as string,
    });
    await expect(manager.quantise(path, 'q8_0', join(folder, 'mine.gguf'), options)).rejects.toMatchObject({
      code: 'usage',
      nextStep: expect.stringContaining('"Llama"') as string,
    });
  });

  test('of the list: one at a time, reported, stopped', async () => {
    const path = write(join(folder, 'vision'), publishedFiles());
    // Reads for ever, until it is stopped.
    const endless = (): Engine => ({
      ...createFakeEngine(),
      quantise: (_, { signal, onProgress } = {}) =>
        new Promise((_resolve, reject) => {
          onProgress?.(1, 2);
          signal!.addEventListener('abort', () => reject(signal!.reason as Error));
        }),
    });
    begin({ startEngine: endless });
    agree();
    await manager.add(path);
    manager.startQuantising(path, 'q4_k_m');
    expect(() => manager.startQuantising(path, 'q8_0')).toThrow(expect.objectContaining({ code: 'engine_busy' }));
    await vi.waitFor(() =>
      expect(manager.quantisings()).toMatchObject([{ model: path, form: 'q4_k_m', state: 'running', doneBytes: 1, totalBytes: 2 }]),
    );
    manager.stopQuantising(path);
    await vi.waitFor(() => expect(last('quantisings.changed')).toEqual([]));
    manager.startQuantising(path, 'q8_0');
    await manager.close();
    expect(manager.quantisings()[0]).toMatchObject({ state: 'running' });
  });

  test('that the engine cannot write is not in the list', async () => {
    const path = write(join(folder, 'vision'), publishedFiles());
    begin({ startEngine: createFakeEngine });
    agree();
    await expect(manager.quantise(path, 'q8_0', null, options)).rejects.toMatchObject({ code: 'file_unwritable' });
    expect(store.models.list()).toEqual([]);
    await manager.add(path);
    manager.startQuantising(path, 'q8_0');
    await vi.waitFor(() => expect(manager.quantisings()).toMatchObject([{ state: 'failed', failure: { code: 'file_unwritable' } }]));
  });

  test.each([
    ['Llama-3.2-11B-Vision-Instruct', 'Llama-3.2-11B-Vision-Instruct-Q8_0'],
    ['llama3.2-vision:latest', 'Llama3.2-vision-latest-Q8_0'],
    ['../evil/name', 'Llama-..-evil-name-Q8_0'],
    ['my model', 'Llama-my-model-Q8_0'],
  ])('of %s is called %s', (name, quantised) => {
    begin();
    expect(quantisedName(name, 'q8_0')).toBe(quantised);
  });
});

describe('the catalogue', () => {
  test('says for each device how every model would run', async () => {
    const [fake] = await createFakeEngine().devices();
    begin({
      devices: async () => [
        { ...fake!, index: 0, name: 'llvmpipe', kind: 'cpu', memoryBytes: 16e9 },
        { ...fake!, index: 1, name: 'AMD Radeon 780M', kind: 'integrated', memoryBytes: 16e9 },
        { ...fake!, index: 2, name: 'NVIDIA GeForce RTX 4090', kind: 'discrete', memoryBytes: 24e9 },
        { ...fake!, index: 3, name: 'Old card', kind: 'discrete', suitable: false },
      ],
    });
    const { entries, devicesFailure, token, directory, freeBytes } = await manager.catalogue();
    expect(devicesFailure).toBeNull();
    expect(token).toEqual({ source: null, kept: 'session', problem: null });
    expect(directory).toBe(join(folder, 'models'));
    expect(freeBytes).toBeGreaterThan(0);
    expect(entries).toHaveLength(catalogue().length);
    // Software is left out beside real devices; the better one is first.
    expect(entries[0]!.fits.map(({ device }) => device)).toEqual(['NVIDIA GeForce RTX 4090', 'AMD Radeon 780M']);
    const large = entries.find((entry) => entry.id === 'llama-3.2-90b-vision-instruct')!;
    expect(large.fits[0]).toMatchObject({ recommended: 'q4_k_m' });
    expect(large.fits[0]!.all.at(-1)).toMatchObject({ outcome: 'slow' });
    store.saveSettings({ device: '780m' });
    expect((await manager.catalogue()).entries[0]!.fits[0]!.device).toBe('AMD Radeon 780M');
  });

  test('is there without a device, too', async () => {
    begin();
    expect(await manager.catalogue()).toMatchObject({
      devicesFailure: { ok: false, message: 'none' },
      entries: expect.arrayContaining([expect.objectContaining({ id, fits: [] })]) as unknown,
    });
  });
});

describe('before a model is chosen', () => {
  const card = async (): ReturnType<Engine['devices']> => {
    const [device] = await createFakeEngine().devices();
    return [
      {
        ...device!,
        name: 'NVIDIA GeForce RTX 3060',
        kind: 'discrete',
        memoryBytes: 12e9,
        features: { ...device!.features, cooperativeMatrix: true },
      },
    ];
  };
  test('what is missing, how slow it would be, and what would help', async () => {
    begin({ devices: card });
    const path = write(join(folder, 'Llama-3.2-11B-Vision-Instruct'), publishedFiles());
    // As large as it says, and nearly nothing on the disk.
    truncateSync(join(path, 'model-00001-of-00002.safetensors'), 21.3e9);
    const found = await manager.fit(path);
    expect(found).toMatchObject({
      device: 'NVIDIA GeForce RTX 3060',
      outcome: 'slow',
      roomBytes: 10.8e9,
      reason: expect.stringMatching(/layers stay in the computer’s memory/) as string,
      advice: expect.stringMatching(/^In 4 bits it fits \(8\.\d GB\)\.$/) as string,
      copy: 'q4_k_m',
    });
    expect(found!.totalBytes).toBeGreaterThan(21.3e9);
  });

  test('nothing is known of the demo model, without a device, and of what has no shape', async () => {
    begin({ devices: card });
    expect(await manager.fit('demo')).toBeNull();
    const shapeless = join(write(folder, { 'x.gguf': ggufBytes({ 'general.architecture': 'llama' }) }), 'x.gguf');
    expect(await manager.fit(shapeless)).toBeNull();
    await expect(manager.fit(join(folder, 'gone'))).rejects.toMatchObject({ code: 'model_missing' });
  });
});

test('another folder: what comes goes there, and what is here stays usable and can be deleted', async () => {
  await hubOf(mirror);
  begin();
  agree();
  await manager.download(id, null, null);
  await settled();
  const usual = join(folder, 'models', 'Llama-3.2-11B-Vision-Instruct');
  const other = join(folder, 'drive', 'my models');
  expect(await manager.setFolder(other)).toMatchObject({ modelsDirectory: other });
  expect(await manager.catalogue()).toMatchObject({ directory: other, freeBytes: expect.any(Number) as number, downloaded: [usual] });
  expect(last('models.changed')!.find((model) => model.id === usual)).toMatchObject({ present: true });
  await manager.remove(usual, true);
  expect(existsSync(usual)).toBe(false);
  expect((await manager.download(id, null, null)).directory).toBe(join(other, 'Llama-3.2-11B-Vision-Instruct'));
  await settled();
  await expect(manager.setFolder('somewhere')).rejects.toMatchObject({ code: 'usage' });
  expect((await manager.catalogue()).directory).toBe(other);
  expect(await manager.setFolder(null)).toMatchObject({ modelsDirectory: null });
  expect((await manager.catalogue()).directory).toBe(join(folder, 'models'));
});

test('licences: the version that was shown is the one that is agreed to', () => {
  begin();
  const shown = manager.licence('llama3.2');
  expect(shown).toMatchObject({ acceptedAt: null, europe: expect.stringContaining('European Union') as string });
  expect(manager.licence('llama3.1').europe).toBeNull();
  expect(() => manager.acceptLicence('llama3.2', '2023-01-01')).toThrow(expect.objectContaining({ code: 'protocol' }));
  agree();
  expect(store.licences.list()).toMatchObject([{ licence: 'llama3.2', version: '2024-09-25' }]);
  expect(manager.licence('llama3.1').acceptedAt).toBeNull();
});
