import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { migrations } from './index.ts';
import { unspaced } from './005-unspaced.ts';

test('what was there stays, texts of scripts without spaces are marked, and the index is as it was', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < unspaced.version) migration.up(opened);
  opened.exec("insert into conversations (id, title, created_at, updated_at) values (1, 'a', 1, 1)");
  const add = opened.prepare("insert into messages (conversation_id, role, text, state, created_at) values (1, 'user', ?, 'complete', 1)");
  for (const text of ['plain', 'Brücke “quoted” 🎉', '步2重跑gen-itgc', '최신USB', 'ราคาUSB', '', 'カメラ']) add.run(text);
  const before = opened.prepare('select * from messages').all() as object[];
  unspaced.up(opened);
  const marks = [0, 0, 1, 1, 1, 0, 1];
  expect(opened.prepare('select * from messages').all()).toEqual(before.map((row, index) => ({ ...row, unspaced: marks[index] })));
  opened.exec("insert into message_words (message_words, rank) values ('integrity-check', 1)");
  expect(opened.prepare('select count(*) from messages where unspaced = 1').pluck().get()).toBe(4);
});
