import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { searchWords } from './014-search-words.ts';
import { migrations } from './index.ts';

test('nobody chose the words of questions that were asked before', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < searchWords.version) migration.up(opened);
  opened.exec(`
    insert into conversations (id, title, created_at, updated_at) values (1, 'a', 1, 1);
    insert into messages (id, conversation_id, role, text, state, created_at) values (1, 1, 'user', 'why', 'complete', 1);
    insert into message_scopes values (1, 'library', null, null, null, 1)`);
  const before = opened.prepare('select * from message_scopes').get() as object;
  searchWords.up(opened);
  expect(opened.prepare('select * from message_scopes').get()).toEqual({ ...before, words: null });
});
