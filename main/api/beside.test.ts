/** The local API beside the app: its engine, its models, its conversations. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createApp, type App } from '../app.ts';
import type { EventMessage } from '../contract.ts';
import { createDocumentReader } from '../documents/document-client.ts';
import { createFakeEngine } from '../engine/test/fake-engine.ts';
import { demoModel } from '../host/paths.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { createTextRecogniser } from '../ocr/ocr-client.ts';
import { openStore } from '../storage/store.ts';
import { browserCapture } from '../web/browser-capture.ts';
import { listenForPrograms } from './serve.ts';
import { ask } from './test/own-api.ts';

let directory: string;
let app: App;
let events: EventMessage[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-beside-'));
  app = createApp({
    store: openStore(directory, { tolerant: true }),
    engine: createFakeEngine(),
    pictures: createPictureWorker(),
    documents: createDocumentReader(),
    ocr: createTextRecogniser(),
    capture: browserCapture,
    // Any free port: other tests run beside this one.
    listenForPrograms: (services, options) => listenForPrograms(services, { ...options, port: 0 }),
    host: {
      kind: 'web',
      version: '1.2.3',
      dataDirectory: directory,
      logsDirectory: directory,
      demoModel,
      licences: async () => [],
      openFolder: async () => false,
      openMain: () => {},
    },
  });
  events = [];
  app.on((event) => void events.push(event));
});
afterEach(async () => {
  await app.close();
  rmSync(directory, { recursive: true });
});

async function changed(status: string): Promise<number> {
  while ((await app.handlers['programs.state']({})).status !== status) await new Promise((resolve) => setTimeout(resolve, 5));
  return (await app.handlers['programs.state']({})).port ?? 0;
}

test('switched on it answers with the key, counts, and keeps what it is asked to keep; switched off nobody listens', async () => {
  const { key } = await app.handlers['programs.newKey']({});
  await app.handlers['settings.set']({ programs: true });
  const port = await changed('ready');
  const body = { model: 'demo', messages: [{ role: 'user', content: 'From a program' }] };
  expect((await ask(port, '/v1/chat/completions', { body })).status).toBe(401);
  const headers = { authorization: `Bearer ${key}` };
  const kept = await ask(port, '/v1/chat/completions', { headers, body: { ...body, store: true } });
  expect(kept.json()).toMatchObject({ loupe: { kept: { conversation: 1 } } });
  // Windows hear of it.
  const told = events.find(({ event }) => event === 'conversation.changed');
  expect(told?.payload).toMatchObject({ id: 1, title: 'From a program', busy: false });
  expect(await app.handlers['programs.state']({})).toMatchObject({ answered: 1, key: 'session' });

  const next = await app.handlers['programs.newKey']({});
  const again = await changed('ready');
  expect((await ask(again, '/v1/chat/completions', { headers, body })).status).toBe(401);
  const other = { authorization: `Bearer ${next.key}` };
  expect((await ask(again, '/v1/chat/completions', { headers: other, body })).status).toBe(200);

  await app.handlers['settings.set']({ programs: false });
  await changed('off');
  await expect(ask(again, '/v1/chat/completions', { headers: other, body })).rejects.toThrow('ECONNREFUSED');
});
