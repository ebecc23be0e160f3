import { isUnspaced } from '../../scripts.ts';
import type { Migration } from './migration.ts';

/** Which texts the index of words does not know by their words alone. */
export const unspaced: Migration = {
  version: 5,
  name: 'unspaced',
  up: (database) => {
    database.function('is_unspaced', { deterministic: true }, (text) => Number(isUnspaced(text as string)));
    database.exec(`
      alter table messages add column unspaced integer not null default 0 check (unspaced in (0, 1));
      -- Texts of ASCII alone, the most, are not looked into.
      update messages set unspaced = 1 where octet_length(text) <> length(text) and is_unspaced(text);
      create index messages_unspaced on messages (id) where unspaced = 1;
    `);
  },
};
