import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { servers } from './016-servers.ts';
import { migrations } from './index.ts';

test('messages that were there before were answered here and stand alone; no server is known', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < servers.version) migration.up(opened);
  opened.exec("insert into conversations (title, created_at, updated_at) values ('A', 1, 1)");
  opened.exec("insert into messages (conversation_id, role, text, state, created_at) values (1, 'assistant', 'Yes.', 'complete', 1)");
  const before = opened.prepare('select * from messages').get() as object;
  servers.up(opened);
  expect(opened.prepare('select * from messages').get()).toEqual({ ...before, server: null, compared: null });
  expect(opened.prepare('select * from servers').all()).toEqual([]);
});

test('the id of a server that was removed is not given to another', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) migration.up(opened);
  const add = opened.prepare("insert into servers (name, address, model, sees, added_at) values ('A', 'http://127.0.0.1:1/v1', 'm', 1, 1)");
  const first = add.run().lastInsertRowid;
  opened.exec('delete from servers');
  expect(add.run().lastInsertRowid).not.toBe(first);
});
