import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { documents } from './006-documents.ts';
import { migrations } from './index.ts';

function newest(): Database.Database {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version <= documents.version) migration.up(opened);
  opened.pragma('foreign_keys = on');
  opened.exec(`
    insert into documents (hash, name, kind, bytes, page_count, added_at) values ('a', 'a.pdf', 'pdf', 1, 2, 0);
    insert into pages (document_id, number, label) values (1, 1, '1'), (1, 2, '2');
  `);
  return opened;
}

test('what was there stays', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < documents.version) migration.up(opened);
  opened.exec("insert into conversations (id, title, created_at, updated_at) values (1, 'kept', 1, 1)");
  documents.up(opened);
  expect(opened.prepare('select title from conversations').pluck().all()).toEqual(['kept']);
  expect(opened.prepare('select count(*) from documents').pluck().get()).toBe(0);
});

test('pages wait until they are read, and the index follows their text by the stems of words', () => {
  const opened = newest();
  expect(opened.prepare('select state, text from pages').all()).toEqual([
    { state: 'waiting', text: '' },
    { state: 'waiting', text: '' },
  ]);
  opened.exec("update pages set state = 'text', text = 'Termination requires notice' where number = 2");
  const found = (words: string): unknown[] =>
    opened.prepare('select number from page_words join pages on pages.id = page_words.rowid where page_words match ?').pluck().all(words);
  expect(found('terminate')).toEqual([2]);
  opened.exec("update pages set text = 'Rent' where number = 2");
  expect([found('terminate'), found('rents')]).toEqual([[], [2]]);
  opened.exec("insert into page_words (page_words, rank) values ('integrity-check', 1)");
  opened.exec('delete from documents');
  expect([found('rents'), opened.prepare('select count(*) from pages').pluck().get()]).toEqual([[], 0]);
  opened.exec("insert into page_words (page_words, rank) values ('integrity-check', 1)");
});

test('the same file, and the same page, are there once', () => {
  const opened = newest();
  expect(() =>
    opened.exec("insert into documents (hash, name, kind, bytes, page_count, added_at) values ('a', 'b.pdf', 'pdf', 1, 2, 0)"),
  ).toThrow('UNIQUE');
  expect(() => opened.exec("insert into pages (document_id, number, label) values (1, 2, '2')")).toThrow('UNIQUE');
});
