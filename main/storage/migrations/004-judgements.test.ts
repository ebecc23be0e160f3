import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { first } from './001-first.ts';
import { models } from './002-models.ts';
import { selfTests } from './003-self-tests.ts';
import { judgements } from './004-judgements.ts';

test('what was there stays, and is not judged', () => {
  const opened = new Database(':memory:');
  for (const migration of [first, models, selfTests]) migration.up(opened);
  opened.exec("insert into conversations (id, title, created_at, updated_at) values (1, 'a', 1, 1)");
  opened.exec("insert into messages (id, conversation_id, role, text, state, created_at) values (1, 1, 'assistant', 'yes', 'complete', 1)");
  const before = opened.prepare('select * from messages').get() as object;
  judgements.up(opened);
  expect(opened.prepare('select * from messages').get()).toEqual({ ...before, judgement: null });
});
