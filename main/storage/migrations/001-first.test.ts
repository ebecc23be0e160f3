import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { first } from './001-first.ts';

test('from nothing', () => {
  const database = new Database(':memory:');
  first.up(database);
  const tables = database
    .prepare<[], { name: string; strict: number; type: string }>(
      "select name, type, strict from pragma_table_list where schema = 'main' and name not like 'sqlite%'",
    )
    .all();
  const ours = tables.filter(({ type }) => type === 'table');
  expect(ours.map(({ name }) => name).sort()).toEqual([
    'conversations',
    'drafts',
    'facts',
    'ledger',
    'message_pictures',
    'messages',
    'models',
    'picture_sources',
    'pictures',
    'settings',
  ]);
  expect(ours.filter(({ strict }) => strict !== 1)).toEqual([]);
  expect(
    tables
      .filter(({ type }) => type === 'virtual')
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['message_words', 'title_words']);
});

test('the index follows titles and finished texts, and only those', () => {
  const database = new Database(':memory:');
  first.up(database);
  const found = (table: string, word: string) => database.prepare(`select rowid from ${table} where ${table} match ?`).pluck().all(word);
  database.exec("insert into conversations (title, created_at, updated_at) values ('old title', 0, 0)");
  database.exec(
    "insert into messages (conversation_id, role, text, state, created_at) values (1, 'user', 'question', 'complete', 0), " +
      "(1, 'assistant', '', 'streaming', 0)",
  );
  database.exec("update messages set text = 'half' where id = 2");
  expect([found('title_words', 'old'), found('message_words', 'question'), found('message_words', 'half')]).toEqual([[1], [1], []]);
  database.exec("update messages set text = 'whole', state = 'complete' where id = 2; update conversations set title = 'new' where id = 1");
  expect([found('title_words', 'old'), found('title_words', 'new'), found('message_words', 'whole')]).toEqual([[], [1], [2]]);
  // Goes on: leaves the index until it ends again.
  database.exec("update messages set state = 'streaming' where id = 2");
  expect(found('message_words', 'whole')).toEqual([]);
  database.exec("update messages set state = 'interrupted' where id = 2");
  expect(found('message_words', 'whole')).toEqual([2]);
  database.exec('delete from conversations');
  expect([found('title_words', 'new'), found('message_words', 'question'), found('message_words', 'whole')]).toEqual([[], [], []]);
  for (const table of ['title_words', 'message_words'])
    database.exec(`insert into ${table} (${table}, rank) values ('integrity-check', 1)`);
});
