import type { Migration } from './migration.ts';

export const documents: Migration = {
  version: 6,
  name: 'documents',
  up: (database) => {
    database.exec(schema);
  },
};

const schema = `
-- One row per file. Ids are never used twice. 'page_count' is the file's; of a very long one, fewer pages may have been asked for.
-- 'removed': its pages are gone, and the sweep takes its file and then the row.
create table documents (
  id integer primary key autoincrement,
  hash text not null unique,
  name text not null,
  kind text not null check (kind in ('pdf', 'picture')),
  bytes integer not null,
  page_count integer not null,
  failure text,
  added_at integer not null,
  removed integer not null default 0 check (removed in (0, 1))
) strict;

-- Every page from the beginning on, 'waiting' until it is read: what was not read is never forgotten. 'unspaced': see 005.
create table pages (
  id integer primary key,
  document_id integer not null references documents (id) on delete cascade,
  number integer not null,
  label text not null,
  width real not null default 0,
  height real not null default 0,
  rotation integer not null default 0,
  state text not null default 'waiting' check (state in ('waiting', 'text', 'ocr', 'picture', 'blank', 'failed')),
  flags text not null default '[]',
  text text not null default '',
  hidden_words integer not null default 0,
  unspaced integer not null default 0 check (unspaced in (0, 1)),
  failure text,
  unique (document_id, number)
) strict;
create index pages_of_state on pages (document_id, state, number);
create index pages_unspaced on pages (document_id) where unspaced = 1;

-- By the stems of words: a question seldom has the form that the page has.
create virtual table page_words using fts5 (text, content = 'pages', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2');

create trigger page_text_added after insert on pages begin
  insert into page_words (rowid, text) values (new.id, new.text);
end;
create trigger page_text_changed after update of text on pages begin
  insert into page_words (page_words, rowid, text) values ('delete', old.id, old.text);
  insert into page_words (rowid, text) values (new.id, new.text);
end;
create trigger page_text_removed after delete on pages begin
  insert into page_words (page_words, rowid, text) values ('delete', old.id, old.text);
end;
`;
