import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { pagePlaces } from './012-page-places.ts';
import { migrations } from './index.ts';

test('what was there stays, without places; places go with their page', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < pagePlaces.version) migration.up(opened);
  opened.pragma('foreign_keys = on');
  opened.exec(`
    insert into documents (hash, name, kind, bytes, page_count, added_at) values ('a', 'scan.pdf', 'pdf', 1, 2, 1);
    insert into pages (document_id, number, label, state, text) values (1, 1, '1', 'ocr', 'Notice'), (1, 2, '2', 'waiting', '');
  `);
  const pages = opened.prepare('select * from pages').all();
  pagePlaces.up(opened);
  expect(opened.prepare('select * from pages').all()).toEqual(pages);
  const places = opened.prepare('select count(*) from page_places').pluck();
  expect(places.get()).toBe(0);
  opened.exec("insert into page_places values (1, x'0001000200030004'), (2, x'')");
  for (const wrong of [
    "insert into page_places values (9, x'0001000200030004')",
    "update page_places set boxes = x'0001'",
    "update page_places set boxes = 'text'",
  ])
    expect(() => opened.exec(wrong), wrong).toThrow();
  opened.exec('delete from pages where number = 1');
  expect(places.get()).toBe(1);
  opened.exec('delete from documents');
  expect(places.get()).toBe(0);
});
