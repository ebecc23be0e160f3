import type { Migration } from './migration.ts';

/** What a guard says of an answer, as JSON. */
export const judgements: Migration = {
  version: 4,
  name: 'judgements',
  up: (database) => {
    database.exec('alter table messages add column judgement text');
  },
};
