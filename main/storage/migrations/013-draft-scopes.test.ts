import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { draftScopes } from './013-draft-scopes.ts';
import { migrations } from './index.ts';

test('drafts stay, and say nothing of what they are about', () => {
  const opened = new Database(':memory:');
  for (const migration of migrations) if (migration.version < draftScopes.version) migration.up(opened);
  opened.exec("insert into drafts (conversation_id, text, pictures) values (null, 'half a thou', '[]')");
  const before = opened.prepare('select * from drafts').get() as object;
  draftScopes.up(opened);
  expect(opened.prepare('select * from drafts').get()).toEqual({ ...before, scope: null });
});
