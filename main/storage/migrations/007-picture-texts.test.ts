import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { pictureTexts } from './007-picture-texts.ts';
import { migrations } from './index.ts';

test('what was there stays, and the index follows texts until their picture is gone', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < pictureTexts.version) migration.up(opened);
  opened.pragma('foreign_keys = on');
  opened.exec(
    "insert into pictures values ('a', 'a.png', 1, 1, 1, 'image/png', 0, '{}', 0), ('b', 'b.png', 1, 1, 1, 'image/png', 0, '{}', 0)",
  );
  pictureTexts.up(opened);
  expect(opened.prepare('select hash from pictures').pluck().all()).toEqual(['a', 'b']);
  opened.exec("insert into picture_texts (picture, text) values ('a', 'Invoice 4711'), ('b', 'a receipt')");
  const found = (words: string): unknown[] =>
    opened
      .prepare('select picture from picture_words join picture_texts on picture_texts.id = picture_words.rowid where picture_words match ?')
      .pluck()
      .all(words);
  expect([found('4711'), found('receipt')]).toEqual([['a'], ['b']]);
  opened.exec("update picture_texts set text = 'Bill' where picture = 'a'");
  expect([found('4711'), found('bill')]).toEqual([[], ['a']]);
  opened.exec("delete from pictures where hash = 'a'");
  expect([found('bill'), opened.prepare('select count(*) from picture_texts').pluck().get()]).toEqual([[], 1]);
  opened.exec("insert into picture_words (picture_words, rank) values ('integrity-check', 1)");
});
