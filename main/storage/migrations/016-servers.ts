import type { Migration } from './migration.ts';

/** Servers that answer, in the order in which they were added; which of them wrote an answer, and which model was asked for a column. */
export const servers: Migration = {
  version: 16,
  name: 'servers',
  up: (database) => {
    // Ids are not used again: the keychain may still hold the key of one that is gone.
    database.exec(`
      create table servers (
        id integer primary key autoincrement,
        name text not null,
        address text not null,
        model text not null,
        sees integer not null check (sees in (0, 1)),
        documents integer not null default 0 check (documents in (0, 1)),
        context_length integer,
        added_at integer not null
      ) strict;
      alter table messages add column server text;
      alter table messages add column compared text;
    `);
  },
};
