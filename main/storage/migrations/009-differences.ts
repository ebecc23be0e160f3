import type { Migration } from './migration.ts';

/** Where an answer differs from the text of its picture, as JSON. */
export const differences: Migration = {
  version: 9,
  name: 'differences',
  up: (database) => {
    database.exec('alter table messages add column differences text');
  },
};
