import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { instructions } from './017-instructions.ts';
import { migrations } from './index.ts';

test('conversations stay, and have no instructions', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < instructions.version) migration.up(opened);
  opened.exec("insert into conversations (title, created_at, updated_at) values ('Lenses', 1, 2)");
  const before = opened.prepare('select * from conversations').get() as object;
  instructions.up(opened);
  expect(opened.prepare('select * from conversations').get()).toEqual({ ...before, instructions: '' });
});
