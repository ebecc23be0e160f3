import type { Migration } from './migration.ts';

/** What a model is told at the start of this conversation, after the system prompt of the settings. */
export const instructions: Migration = {
  version: 17,
  name: 'instructions',
  up: (database) => {
    database.exec("alter table conversations add column instructions text not null default ''");
  },
};
