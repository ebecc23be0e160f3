/** Loupe's own API as a server that answers another Loupe: both ends of the dialect, on a connection. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { serverChoiceId } from '../contract.ts';
import { sessionSecrets } from '../services/models/hub/secrets.ts';
import type { Store } from '../services/ports.ts';
import { barePictures, plainPng } from '../services/servers/test/bare-pictures.ts';
import { createServers, type Servers } from '../services/servers/servers.ts';
import { openStore } from '../storage/store.ts';
import { demo, key, startOwnApi, type OwnApi } from './test/own-api.ts';

let directory: string;
let store: Store;
let servers: Servers;
let own: OwnApi;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-as-server-'));
  store = openStore(directory);
  servers = createServers({ store, secrets: sessionSecrets(), pictures: barePictures, onChange: () => {}, environment: {} });
  own = await startOwnApi({ choices: [demo] });
});
afterEach(async () => {
  servers.close();
  await own.api.close();
  await own.engine.close();
  store.close();
  rmSync(directory, { recursive: true });
});

const image = { type: 'image' as const, image: { bytes: await plainPng('#d04020'), name: 'pixel.png' } };

test('lists its models, answers about a picture word by word, and says what that took', async () => {
  const address = `127.0.0.1:${own.api.port}`;
  const [offered] = await servers.models({ address, key, id: null, unencrypted: false });
  expect(offered?.model).toBe('demo');
  const { id } = await servers.add({ name: 'Loupe', address, key, model: 'demo', sees: true, contextLength: null, unencrypted: false });
  const heard: string[] = [];
  const reply = await servers
    .find(serverChoiceId(id))!
    .engine.generate(
      { messages: [{ role: 'user', content: [image, { type: 'text', text: 'What is it?' }] }], maxTokens: 20 },
      { onText: (text) => heard.push(text) },
    );
  expect(reply).toMatchObject({ finish: 'stop', statistics: { generatedTokens: expect.any(Number) as number } });
  expect(reply.statistics.promptTokens).toBeGreaterThan(0);
  expect(heard.length).toBeGreaterThan(1);
  expect(heard.join('')).toBe(reply.text);
  expect(reply.text).toContain('What is it?');
});

test('says no to a wrong key', async () => {
  const { id } = await servers.add({
    ...{
      name: 'Loupe',
      address: `127.0.0.1:${own.api.port}`,
      key: 'wrong',
      model: 'demo',
      sees: true,
      contextLength: null,
      unencrypted: false,
    },
  });
  await expect(servers.test(id)).rejects.toMatchObject({ code: 'server_refused', message: expect.stringContaining('HTTP 401') as string });
});
