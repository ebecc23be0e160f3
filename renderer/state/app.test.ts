import { expect, test } from 'vitest';
import { defaultSettings, type EngineState, type ModelChoice, type StorageState } from '../../main/contract.ts';
import { AppState } from './app.svelte.ts';
import { createFakeClient } from './fake-client.ts';

const chosen: ModelChoice = { id: '/chosen', name: 'Chosen', kind: 'vision', bytes: 1, present: true };
const guard: ModelChoice = { id: '/guard', name: 'Guard', kind: 'guard', bytes: 1, present: true };
const stopped: EngineState = {
  status: 'stopped',
  model: null,
  doneBytes: 0,
  totalBytes: 0,
  device: null,
  contextLength: null,
  hostBytes: null,
  instead: null,
  timing: null,
  vision: null,
  use: null,
  failure: null,
};

test('a guard that only checks is not taken for the chosen model', () => {
  const client = createFakeClient();
  const app = new AppState(client);
  client.send('settings.changed', { ...defaultSettings, model: chosen.id });
  expect([app.chosenModel, app.chosenEngine]).toEqual([null, null]);
  client.send('models.changed', [guard, chosen]);
  client.send('engine.changed', stopped);
  expect([app.chosenModel, app.chosenEngine]).toEqual([chosen, null]);
  const ready: EngineState = { ...stopped, status: 'ready', model: chosen, use: 'chat' };
  client.send('engine.changed', ready);
  expect([app.chosenModel, app.chosenEngine]).toEqual([chosen, ready]);
  client.send('engine.changed', { ...stopped, status: 'ready', model: guard, use: 'guard' });
  expect([app.chosenModel, app.chosenEngine]).toEqual([chosen, null]);
  client.send('settings.changed', { ...defaultSettings, model: guard.id });
  expect(app.chosenEngine).toMatchObject({ use: 'guard' });
  // Its record was removed; it answers on while it is loaded.
  client.send('models.changed', []);
  expect(app.chosenModel).toEqual(guard);
});

test('a database that cannot be opened is all that is asked about, and one that takes its place is noticed', async () => {
  const problem = { ok: false as const, code: 'store_damaged', message: 'It is damaged.', nextStep: 'Restore a backup.' };
  const closed: StorageState = { access: 'closed', problem, damage: null, generation: 0 };
  const client = createFakeClient({ 'storage.state': () => closed });
  const app = new AppState(client);
  await app.refresh();
  expect(client.asked.map(({ name }) => name)).toEqual(['storage.state']);
  expect([app.ready, app.storage, app.failure?.code, app.replaced]).toEqual([false, closed, 'store_damaged', false]);
  client.send('storage.changed', { ...closed, access: 'writable', problem: null, generation: 1 });
  expect(app.replaced).toBe(true);
});

test('a disk that fills up replaces nothing', () => {
  const writable: StorageState = { access: 'writable', problem: null, damage: null, generation: 3 };
  const client = createFakeClient();
  const app = new AppState(client);
  client.send('storage.changed', writable);
  client.send('storage.changed', { ...writable, access: 'full' });
  client.send('storage.changed', writable);
  expect([app.storage, app.replaced]).toEqual([writable, false]);
});

test('a server’s model is a choice like others, and is ready when it is chosen, whatever is loaded here', () => {
  const client = createFakeClient();
  const app = new AppState(client);
  client.send('models.changed', [chosen]);
  client.send('servers.changed', [
    {
      ...{ id: 3, name: 'Office', address: 'https://example.org/v1', host: 'example.org', here: false, encrypted: true, model: 'tiny' },
      ...{ sees: false, documents: false, contextLength: 8192, key: null, keyProblem: null },
    },
  ]);
  expect(app.choices.map(({ id, name }) => [id, name])).toEqual([
    ['/chosen', 'Chosen'],
    ['server:3', 'tiny at Office'],
  ]);
  client.send('settings.changed', { ...defaultSettings, model: 'server:3' });
  client.send('engine.changed', { ...stopped, status: 'ready', model: chosen, use: 'chat' });
  expect(app.chosenModel?.server).toMatchObject({ host: 'example.org', here: false });
  expect(app.chosenEngine).toMatchObject({ status: 'ready', use: 'chat', vision: null, contextLength: 8192, device: null });
  client.send('servers.changed', []);
  expect([app.chosenModel, app.chosenEngine]).toEqual([null, null]);
});
