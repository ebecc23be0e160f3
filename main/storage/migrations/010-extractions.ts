import type { Migration } from './migration.ts';

/** Tables of fields that are taken from documents. */
export const extractions: Migration = {
  version: 10,
  name: 'extractions',
  up: (database) => {
    database.exec(schema);
  },
};

const schema = `
-- 'fields': their names and kinds, as JSON. 'stopped': it is not resumed by itself; 'failure': why, where no person stopped it.
create table extractions (
  id integer primary key autoincrement,
  name text not null,
  fields text not null,
  row_kind text not null check (row_kind in ('document', 'page')),
  created_at integer not null,
  stopped integer not null default 0 check (stopped in (0, 1)),
  failure text
) strict;

-- Documents are named here, because a table outlives them; ids are never used twice. 'page' null: the whole document.
create table extraction_rows (
  id integer primary key,
  extraction_id integer not null references extractions (id) on delete cascade,
  position integer not null,
  document_id integer not null,
  document_name text not null,
  page integer,
  unique (extraction_id, position)
) strict;
create index extraction_rows_of_document on extraction_rows (document_id);

-- All of them are there from the beginning, 'waiting': what was not filled is never forgotten.
create table extraction_cells (
  row_id integer not null references extraction_rows (id) on delete cascade,
  field integer not null,
  state text not null default 'waiting' check (state in ('waiting', 'sure', 'unsure', 'missing', 'failed', 'entered')),
  value text,
  quote text,
  page integer,
  doubts text not null default '[]',
  reading text,
  failure text,
  primary key (row_id, field)
) strict, without rowid;
create index extraction_cells_waiting on extraction_cells (row_id, field) where state = 'waiting';
`;
