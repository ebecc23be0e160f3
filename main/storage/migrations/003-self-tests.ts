import type { Migration } from './migration.ts';

export const selfTests: Migration = {
  version: 3,
  name: 'self-tests',
  up: (database) => {
    database.exec(schema);
  },
};

// The demo model has no record of its own, so this one refers to none.
const schema = `
create table self_tests (
  model text primary key,
  bytes integer,
  device text not null,
  driver text not null,
  sound integer not null check (sound in (0, 1)),
  findings text not null,
  tested_at integer not null
) strict, without rowid;
`;
