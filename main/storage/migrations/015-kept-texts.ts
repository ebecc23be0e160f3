import type { Migration } from './migration.ts';

/** Of a document that is locked: whether its text stays for the search, or goes when Loupe closes. */
export const keptTexts: Migration = {
  version: 15,
  name: 'kept texts',
  up: (database) => {
    database.exec('alter table documents add column keeps_text integer not null default 1 check (keeps_text in (0, 1))');
  },
};
