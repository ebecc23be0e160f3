import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { differences } from './009-differences.ts';
import { migrations } from './index.ts';

test('what was there stays, and differs from nothing', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < differences.version) migration.up(opened);
  opened.exec("insert into conversations (id, title, created_at, updated_at) values (1, 'a', 1, 1)");
  opened.exec("insert into messages (id, conversation_id, role, text, state, created_at) values (1, 1, 'assistant', 'yes', 'complete', 1)");
  const before = opened.prepare('select * from messages').get() as object;
  differences.up(opened);
  expect(opened.prepare('select * from messages').get()).toEqual({ ...before, differences: null });
});
