import type { Migration } from './migration.ts';

/** Questions that every page is looked at for: what the model noted of each, which holds words of the page. */
export const notes: Migration = {
  version: 11,
  name: 'notes',
  up: (database) => {
    database.exec(`
alter table message_scopes add column every integer not null default 0 check (every in (0, 1));
-- 'noted' null: the page came with the question. 'note' goes with the document; that there was one stays.
alter table looks add column noted text check (noted in ('waiting', 'nothing', 'something'));
alter table looks add column note text;
`);
  },
};
