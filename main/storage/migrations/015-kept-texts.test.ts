import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { keptTexts } from './015-kept-texts.ts';
import { migrations } from './index.ts';

test('documents that were there before keep their text', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < keptTexts.version) migration.up(opened);
  opened.exec("insert into documents (hash, name, kind, bytes, page_count, added_at) values ('a', 'a.pdf', 'pdf', 1, 2, 0)");
  const before = opened.prepare('select * from documents').get() as object;
  keptTexts.up(opened);
  expect(opened.prepare('select * from documents').get()).toEqual({ ...before, keeps_text: 1 });
});
