import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { asking } from './008-asking.ts';
import { migrations } from './index.ts';

test('what was there stays; what is kept of an answer goes with it, and not with the document', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < asking.version) migration.up(opened);
  opened.pragma('foreign_keys = on');
  opened.exec(
    `insert into conversations (id, title, created_at, updated_at) values (1, 'Lease', 1, 1);
     insert into messages (id, conversation_id, role, text, state, created_at) values (1, 1, 'user', 'Why?', 'complete', 1);
     insert into messages (id, conversation_id, parent_id, role, text, state, created_at) values (2, 1, 1, 'assistant', 'So.', 'complete', 1);
     insert into documents (id, hash, name, kind, bytes, page_count, added_at) values (7, 'a', 'lease.pdf', 'pdf', 1, 1, 1)`,
  );
  const messages = opened.prepare('select * from messages').all();
  asking.up(opened);
  expect(opened.prepare('select * from messages').all()).toEqual(messages);
  opened.exec(
    `insert into message_scopes values (1, 'document', 7, 'lease.pdf', '1-3');
     insert into coverages values (2, 0, 1, 3, 0, 2, 0, 0, 0, 0, '["rent"]', 0);
     insert into looks values (2, 7, 'lease.pdf', 1, 'i', 'text', 10);
     insert into citations values (2, 0, 5, '1', 'rent', 'verified', 7, 1, 'i', null)`,
  );
  for (const wrong of [
    "insert into message_scopes values (2, 'document', null, null, null)",
    "insert into message_scopes values (2, 'library', 7, 'lease.pdf', null)",
    "insert into looks values (2, 7, 'lease.pdf', 2, '2', 'guessed', 10)",
    "insert into looks values (1, 7, 'lease.pdf', 1, 'i', 'text', 10)",
    "insert into citations values (2, 9, 5, '1', 'rent', 'true', 7, 1, 'i', null)",
  ])
    expect(() => opened.exec(wrong), wrong).toThrow();
  const rows = (): unknown[] =>
    ['message_scopes', 'coverages', 'looks', 'citations'].map((table) => opened.prepare(`select count(*) from ${table}`).pluck().get());
  opened.exec('delete from documents');
  expect(rows()).toEqual([1, 1, 1, 1]);
  opened.exec('delete from conversations');
  expect(rows()).toEqual([0, 0, 0, 0]);
});
