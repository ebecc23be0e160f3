import { expect, test } from 'vitest';
import { defaultSettings, type EngineState, type ModelChoice } from '../../main/contract.ts';
import { AppState } from './app.svelte.ts';
import { createFakeClient } from './fake-client.ts';

const chosen: ModelChoice = { id: '/chosen', name: 'Chosen', kind: 'vision', bytes: 1, present: true };
const guard: ModelChoice = { id: '/guard', name: 'Guard', kind: 'guard', bytes: 1, present: true };
const stopped: EngineState = { status: 'stopped', model: null, doneBytes: 0, totalBytes: 0, device: null, contextLength: null, hostBytes: null, vision: null, use: null, failure: null };

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
