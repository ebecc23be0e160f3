/** The local API beside the app: its engine, its models, its conversations. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ask } from './test/own-api.ts';
import { startOwnApp, type OwnApp } from './test/own-app.ts';

let own: OwnApp;
beforeEach(() => void (own = startOwnApp()));
afterEach(() => own.close());

test('switched on it answers with the key, counts, and keeps what it is asked to keep; switched off nobody listens', async () => {
  const { key } = await own.app.handlers['programs.newKey']({});
  await own.app.handlers['settings.set']({ programs: true });
  const port = await own.reached('ready');
  const body = { model: 'demo', messages: [{ role: 'user', content: 'From a program' }] };
  expect((await ask(port, '/v1/chat/completions', { body })).status).toBe(401);
  const headers = { authorization: `Bearer ${key}` };
  const kept = await ask(port, '/v1/chat/completions', { headers, body: { ...body, store: true } });
  expect(kept.json()).toMatchObject({ loupe: { kept: { conversation: 1 } } });
  // Windows hear of it.
  const told = own.events.find(({ event }) => event === 'conversation.changed');
  expect(told?.payload).toMatchObject({ id: 1, title: 'From a program', busy: false });
  expect(await own.app.handlers['programs.state']({})).toMatchObject({ answered: 1, key: 'session' });
  // The ledger counts what went to and fro on this computer, and calls it no connection to another.
  expect(await own.app.handlers['privacy.ledger']({})).toMatchObject({
    entries: [],
    programs: { questionBytes: JSON.stringify({ ...body, store: true }).length, answerBytes: Buffer.byteLength(kept.text) },
  });

  const next = await own.app.handlers['programs.newKey']({});
  const again = await own.reached('ready');
  expect((await ask(again, '/v1/chat/completions', { headers, body })).status).toBe(401);
  const other = { authorization: `Bearer ${next.key}` };
  expect((await ask(again, '/v1/chat/completions', { headers: other, body })).status).toBe(200);

  await own.app.handlers['settings.set']({ programs: false });
  await own.reached('off');
  await expect(ask(again, '/v1/chat/completions', { headers: other, body })).rejects.toThrow('ECONNREFUSED');
});
