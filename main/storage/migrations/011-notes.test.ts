import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { migrations } from './index.ts';
import { notes } from './011-notes.ts';

test('what was looked at before came with its question, and no page was looked at by itself', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < notes.version) migration.up(opened);
  opened.exec(`
    insert into conversations (id, title, created_at, updated_at) values (1, 'a', 1, 1);
    insert into messages (id, conversation_id, role, text, state, created_at) values (1, 1, 'user', 'why', 'complete', 1),
      (2, 1, 'assistant', 'so', 'complete', 1);
    insert into message_scopes values (1, 'library', null, null, null);
    insert into coverages values (2, 0, 1, 1, 0, 0, 0, 0, 0, 0, '[]', 1);
    insert into looks values (2, 7, 'lease.pdf', 1, '1', 'text', 40)`);
  const [scope, look] = [opened.prepare('select * from message_scopes').get(), opened.prepare('select * from looks').get()] as object[];
  notes.up(opened);
  expect(opened.prepare('select * from message_scopes').get()).toEqual({ ...scope, every: 0 });
  expect(opened.prepare('select * from looks').get()).toEqual({ ...look, noted: null, note: null });
  for (const wrong of ['update message_scopes set every = 2', "update looks set noted = 'perhaps'"])
    expect(() => opened.exec(wrong), wrong).toThrow();
});
