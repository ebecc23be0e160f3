import type { Migration } from './migration.ts';

/** What the question in a composer is about, as JSON; SQL's null where nothing was said about it. */
export const draftScopes: Migration = {
  version: 13,
  name: 'draft scopes',
  up: (database) => {
    database.exec('alter table drafts add column scope text');
  },
};
