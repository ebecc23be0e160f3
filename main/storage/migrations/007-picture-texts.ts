import type { Migration } from './migration.ts';

/** What was read in pictures, for the search. */
export const pictureTexts: Migration = {
  version: 7,
  name: 'picture-texts',
  up: (database) => {
    database.exec(schema);
  },
};

const schema = `
-- A row for every picture that was read, with an empty text where nothing was found or where it could not be read.
create table picture_texts (
  id integer primary key,
  picture text not null unique references pictures (hash) on delete cascade,
  text text not null
) strict;

create virtual table picture_words using fts5 (text, content = 'picture_texts', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3');

create trigger picture_text_added after insert on picture_texts begin
  insert into picture_words (rowid, text) values (new.id, new.text);
end;
create trigger picture_text_changed after update of text on picture_texts begin
  insert into picture_words (picture_words, rowid, text) values ('delete', old.id, old.text);
  insert into picture_words (rowid, text) values (new.id, new.text);
end;
create trigger picture_text_removed after delete on picture_texts begin
  insert into picture_words (picture_words, rowid, text) values ('delete', old.id, old.text);
end;
`;
