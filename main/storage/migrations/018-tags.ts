import type { Migration } from './migration.ts';

/** Words that a person files a conversation under: a JSON list, read and written with the conversation (decision 49). */
export const tags: Migration = {
  version: 18,
  name: 'tags',
  up: (database) => {
    database.exec("alter table conversations add column tags text not null default '[]'");
  },
};
