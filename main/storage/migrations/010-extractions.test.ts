import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { extractions } from './010-extractions.ts';
import { migrations } from './index.ts';

test('what was there stays; cells wait, and go with their table and not with the document', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < extractions.version) migration.up(opened);
  opened.pragma('foreign_keys = on');
  opened.exec("insert into documents (id, hash, name, kind, bytes, page_count, added_at) values (7, 'a', 'invoice.pdf', 'pdf', 1, 1, 1)");
  const documents = opened.prepare('select * from documents').all();
  extractions.up(opened);
  expect(opened.prepare('select * from documents').all()).toEqual(documents);
  opened.exec(
    `insert into extractions (name, fields, row_kind, created_at) values ('Invoices', '[]', 'document', 1);
     insert into extraction_rows values (1, 1, 0, 7, 'invoice.pdf', null);
     insert into extraction_cells (row_id, field) values (1, 0)`,
  );
  expect(opened.prepare('select state, value, doubts from extraction_cells').all()).toEqual([
    { state: 'waiting', value: null, doubts: '[]' },
  ]);
  for (const wrong of [
    "insert into extractions (name, fields, row_kind, created_at) values ('a', '[]', 'line', 1)",
    "insert into extraction_rows values (2, 1, 0, 7, 'invoice.pdf', null)",
    "update extraction_cells set state = 'right'",
    'insert into extraction_cells (row_id, field) values (9, 0)',
  ])
    expect(() => opened.exec(wrong), wrong).toThrow();
  const cells = opened.prepare('select count(*) from extraction_cells').pluck();
  opened.exec('delete from documents');
  expect(cells.get()).toBe(1);
  opened.exec('delete from extractions');
  expect(cells.get()).toBe(0);
});
