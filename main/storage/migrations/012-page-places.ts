import type { Migration } from './migration.ts';

/** Where the words are on pages that were read from their pictures: reading one again takes seconds. */
export const pagePlaces: Migration = {
  version: 12,
  name: 'page-places',
  up: (database) => {
    database.exec(schema);
  },
};

const schema = `
-- One row per page whose words have places. 'boxes' has eight bytes a word of the page's text (page-places.ts), and no words.
-- Pages that were read before have none.
create table page_places (
  page_id integer primary key references pages (id) on delete cascade,
  boxes blob not null check (length(boxes) % 8 = 0)
) strict;
`;
