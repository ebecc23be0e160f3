import type { Migration } from './migration.ts';

/** Of a question: the words that a person chose to search for, as JSON; null where the question and the model name them. */
export const searchWords: Migration = {
  version: 14,
  name: 'search words',
  up: (database) => {
    database.exec('alter table message_scopes add column words text');
  },
};
