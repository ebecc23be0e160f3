import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { first } from './001-first.ts';
import { models } from './002-models.ts';
import { selfTests } from './003-self-tests.ts';

test('what was there stays, and the new table is strict', () => {
  const opened = new Database(':memory:');
  first.up(opened);
  models.up(opened);
  opened.exec("insert into models (path, name, kind, bytes, added_at) values ('/a', 'a', 'vision', 1, 2)");
  const before = opened.prepare('select * from models').all();
  selfTests.up(opened);
  expect(opened.prepare('select * from models').all()).toEqual(before);
  expect(opened.prepare("select strict from pragma_table_list where name = 'self_tests'").pluck().get()).toBe(1);
  expect(() => opened.exec("insert into self_tests values ('/a', 1, 'd', 'r', 2, '[]', 0)")).toThrow('CHECK');
});
