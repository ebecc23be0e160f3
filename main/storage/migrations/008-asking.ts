import type { Migration } from './migration.ts';

/** Questions about documents, what was looked at for their answers, and what became of the quotes. */
export const asking: Migration = {
  version: 8,
  name: 'asking',
  up: (database) => {
    database.exec(schema);
  },
};

const schema = `
-- Of a question: what it is about. Documents are named here, because an answer outlives them; ids are never used twice.
create table message_scopes (
  message_id integer primary key references messages (id) on delete cascade,
  kind text not null check (kind in ('document', 'library')),
  document_id integer,
  document_name text,
  pages text,
  check ((kind = 'document') = (document_id is not null and document_name is not null))
) strict;

-- Of an answer, before the model is asked: how many pages there were of each kind. 'checked': its quotes are compared with the pages.
create table coverages (
  message_id integer primary key references messages (id) on delete cascade,
  named integer not null check (named in (0, 1)),
  documents integer not null,
  pages integer not null,
  outside integer not null,
  searched integer not null,
  waiting integer not null,
  picture integer not null,
  failed integer not null,
  blank integer not null,
  words text not null,
  checked integer not null default 0 check (checked in (0, 1))
) strict;

-- What the model gets: 'length' UTF-16 units of the page's text, or its picture with them.
create table looks (
  message_id integer not null references coverages (message_id) on delete cascade,
  document_id integer not null,
  document_name text not null,
  number integer not null,
  label text not null,
  outcome text not null check (outcome in ('text', 'beginning', 'picture')),
  length integer not null,
  primary key (message_id, document_id, number)
) strict, without rowid;

create table citations (
  message_id integer not null references coverages (message_id) on delete cascade,
  offset integer not null,
  length integer not null,
  page text not null,
  quote text,
  finding text not null check (finding in ('verified', 'close', 'numbers-differ', 'other-page', 'not-found', 'unchecked')),
  document_id integer,
  number integer,
  label text,
  found text,
  primary key (message_id, offset)
) strict, without rowid;
`;
