import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LoupeError } from '../../../errors.ts';
import { lockDownload } from '../../../storage/lock.ts';
import type { Fault } from '../test/hub-double.ts';
import { httpOf, memoryStore, quick, type MemoryStore } from '../test/hub-setup.ts';
import { repository, startRegistryDouble, tag, type RegistryDouble, type RegistryDoubleOptions } from '../test/registry-double.ts';
import { removeDownloaded } from './downloads.ts';
import { ollamaEndpointOf, ollamaSource } from './ollama-registry.ts';
import { pull } from './pull.ts';
import { Pauses } from './timing.ts';

const weights = Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * 11 + (index >> 8)) & 255));
const layers = {
  model: weights,
  projector: Buffer.alloc(3000, 7),
  params: Buffer.from('{"temperature":0.6}'),
  license: Buffer.from('Meta'),
};

let directory: string;
let store: MemoryStore;
let registry: RegistryDouble;
let id: number;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-registry-'));
  store = memoryStore();
  id = store.downloads.create({ model: 'm', repository, directory }).id;
});
afterEach(async () => {
  await registry.close();
  rmSync(directory, { recursive: true, force: true });
});

async function sit(signal = new AbortController().signal, onBytes: (path: string, bytes: number) => void = () => {}): Promise<void> {
  const http = httpOf(store);
  try {
    await pull(id, {
      http,
      source: ollamaSource(registry.endpoint, tag),
      token: null,
      store: store.downloads,
      lock: lockDownload,
      signal,
      timing: { ...quick, stallMs: 2000 },
      pauses: new Pauses(() => {}),
      onBytes,
      freeBytes: async () => Infinity,
    });
  } finally {
    await http.close();
  }
}

const failureOf = async (work: Promise<void>): Promise<LoupeError> =>
  work.then(
    () => Promise.reject(new Error('It did not fail.')),
    (error: unknown) => (error instanceof LoupeError ? error : Promise.reject(error as Error)),
  );
const blob = (kind: string): string => join(directory, 'blobs', `sha256-${registry.digest(kind)}`);
const order = (kind: string, ...faults: (Fault | 'gone' | null)[]): RegistryDoubleOptions['next'] => {
  return (what) => (what === kind ? (faults.shift() ?? null) : null);
};

test('arrives as it lies in a store of Ollama, and goes away whole', async () => {
  registry = await startRegistryDouble({ layers });
  await sit();
  expect(readFileSync(blob('model')).equals(weights)).toBe(true);
  expect(readFileSync(blob('params'), 'utf8')).toBe('{"temperature":0.6}');
  const manifest = join(directory, 'manifests', 'registry.ollama.ai', 'library', 'llama3.2-vision', '11b');
  expect(JSON.parse(readFileSync(manifest, 'utf8'))).toMatchObject({ schemaVersion: 2 });
  expect(readdirSync(join(directory, 'blobs')).every((name) => /^sha256-[0-9a-f]{64}$/.test(name))).toBe(true);
  expect(registry.leaks).toBe(0);
  await removeDownloaded(store.downloads.get(id));
  expect(existsSync(directory)).toBe(false);
});

test('a cut connection costs nothing that has arrived', async () => {
  registry = await startRegistryDouble({ layers, next: order('model', 'stall') });
  const pause = new AbortController();
  const name = `blobs/sha256-${registry.digest('model')}`;
  const paused = sit(pause.signal, (path, bytes) => {
    if (path === name && bytes === 25_000) pause.abort(new LoupeError('cancelled', 'Paused.'));
  });
  expect((await failureOf(paused)).code).toBe('cancelled');
  await sit();
  expect(registry.ranges).toEqual(['bytes=25000-']);
  expect(readFileSync(blob('model')).equals(weights)).toBe(true);
});

test('a blob that is not what its name says is refused', async () => {
  registry = await startRegistryDouble({ layers, spoilt: ['model'] });
  expect(await failureOf(sit())).toMatchObject({ code: 'download_damaged' });
  expect(existsSync(blob('model'))).toBe(false);
});

test('a model or a blob that is gone', async () => {
  registry = await startRegistryDouble({ layers, next: order('manifest', 'gone') });
  expect(await failureOf(sit())).toMatchObject({
    code: 'hub_missing',
    message: expect.stringContaining('has no library/llama3.2-vision') as string,
  });
  await registry.close();
  registry = await startRegistryDouble({ layers, next: order('projector', 'gone') });
  expect((await failureOf(sit())).code).toBe('hub_missing');
});

test('a registry that asks for a pause is waited for', async () => {
  registry = await startRegistryDouble({ layers, next: order('manifest', '429', '503') });
  await sit();
  expect(existsSync(blob('model'))).toBe(true);
});

test('another build under the same tag is fetched in place of one that is gone', async () => {
  registry = await startRegistryDouble({ layers, next: order('model', 'stall') });
  const pause = new AbortController();
  await failureOf(sit(pause.signal, (_, bytes) => bytes === 25_000 && pause.abort(new LoupeError('cancelled', 'Paused.'))));
  const before = blob('model');
  registry.publish({ ...layers, model: Buffer.concat([weights, weights]) });
  await sit();
  expect(readFileSync(blob('model')).length).toBe(100_000);
  expect([existsSync(before), existsSync(`${before}.part`)]).toEqual([false, false]);
});

test('what lists no GGUF model is none', async () => {
  registry = await startRegistryDouble({ layers: { license: Buffer.from('Meta') } });
  expect(await failureOf(sit())).toMatchObject({ code: 'hub_invalid', message: expect.stringContaining('holds no GGUF model') as string });
});

test('another registry is a web address', async () => {
  registry = await startRegistryDouble({ layers });
  expect(ollamaEndpointOf({})).toBe('https://registry.ollama.ai');
  expect(ollamaEndpointOf({ LOUPE_OLLAMA_REGISTRY: 'https://mirror.example/' })).toBe('https://mirror.example');
  expect(() => ollamaEndpointOf({ LOUPE_OLLAMA_REGISTRY: 'mirror' })).toThrow(expect.objectContaining({ code: 'hub_invalid' }));
});
