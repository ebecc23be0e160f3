import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { first } from './001-first.ts';
import { models } from './002-models.ts';

function database(): Database.Database {
  const opened = new Database(':memory:');
  first.up(opened);
  opened.pragma('foreign_keys = on');
  return opened;
}

test('what was there stays, and the new tables are strict', () => {
  const opened = database();
  opened.exec(
    "insert into models (path, name, kind, bytes, added_at) values ('/a', 'a', 'vision', 1, 2); " +
      "insert into ledger values (1, 2, 'h', 'p', 3, 4)",
  );
  const before = [opened.prepare('select * from models').all(), opened.prepare('select * from ledger').all()];
  models.up(opened);
  expect([opened.prepare('select * from models').all(), opened.prepare('select * from ledger').all()]).toEqual(before);
  const tables = opened
    .prepare<[], { name: string; strict: number }>(
      "select name, strict from pragma_table_list where name in ('downloads', 'download_files', 'licences', 'file_checks') order by name",
    )
    .all();
  expect(tables).toEqual(['download_files', 'downloads', 'file_checks', 'licences'].map((name) => ({ name, strict: 1 })));
});

test('files go with their download, checks with their model; one download a folder', () => {
  const opened = database();
  models.up(opened);
  opened.exec(`insert into downloads (model, repository, directory, state, created_at) values ('m', 'o/n', '/d', 'queued', 0);
    insert into download_files (download_id, path, bytes, algorithm, checksum) values (1, 'a', 1, 'sha256', 'x');
    insert into models (path, name, kind, added_at) values ('/a', 'a', 'vision', 0);
    insert into file_checks values ('/a', 'f', 1, 'x', 'intact', 0)`);
  expect(() =>
    opened.exec("insert into downloads (model, repository, directory, state, created_at) values ('n', 'o/n', '/d', 'queued', 0)"),
  ).toThrow('UNIQUE');
  expect(() => opened.exec("update downloads set state = 'lost'")).toThrow('CHECK');
  opened.exec('delete from downloads; delete from models');
  for (const table of ['download_files', 'file_checks']) expect(opened.prepare(`select count(*) from ${table}`).pluck().get()).toBe(0);
});
