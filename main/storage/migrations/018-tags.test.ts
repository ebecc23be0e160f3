import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { migrations } from './index.ts';
import { tags } from './018-tags.ts';

test('conversations stay, and have no tags', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < tags.version) migration.up(opened);
  opened.exec("insert into conversations (title, created_at, updated_at) values ('Lenses', 1, 2)");
  const before = opened.prepare('select * from conversations').get() as object;
  tags.up(opened);
  expect(opened.prepare('select * from conversations').get()).toEqual({ ...before, tags: '[]' });
});
