import type { Migration } from './migration.ts';

export const first: Migration = {
  version: 1,
  name: 'first',
  up: (database) => {
    database.exec(schema);
  },
};

const schema = `
create table facts (
  name text primary key,
  value integer not null
) strict, without rowid;

-- One row per file; 'touched_at' is when the picture was last added, for the sweep.
create table pictures (
  hash text primary key,
  name text not null,
  width integer not null,
  height integer not null,
  bytes integer not null,
  media_type text not null,
  has_display integer not null,
  origin text not null,
  touched_at integer not null
) strict, without rowid;

-- What a crop or a composition was made of.
create table picture_sources (
  picture text not null references pictures (hash) on delete cascade,
  source text not null,
  primary key (picture, source)
) strict, without rowid;

-- 'message_count', 'updated_at' and 'picture' follow the messages, so that the list reads one table.
-- Ids are never used twice: a window may still hold the id of what was deleted.
create table conversations (
  id integer primary key autoincrement,
  title text not null,
  pinned integer not null default 0,
  created_at integer not null,
  updated_at integer not null,
  message_count integer not null default 0,
  picture text,
  leaf_id integer,
  pinned_picture text references pictures (hash),
  deleted_at integer
) strict;
create index conversations_listed on conversations (pinned desc, updated_at desc, id desc) where deleted_at is null;
create index conversations_deleted on conversations (deleted_at) where deleted_at is not null;
create index conversations_pinned_picture on conversations (pinned_picture) where pinned_picture is not null;

create table messages (
  id integer primary key autoincrement,
  conversation_id integer not null references conversations (id) on delete cascade,
  parent_id integer references messages (id) on delete cascade,
  role text not null check (role in ('user', 'assistant')),
  text text not null,
  state text not null check (state in ('complete', 'streaming', 'interrupted', 'stopped', 'failed')),
  failure text,
  finish text check (finish in ('stop', 'length', 'context', 'cancelled')),
  model text,
  statistics text,
  created_at integer not null
) strict;
create index messages_of_conversation on messages (conversation_id);
create index messages_of_parent on messages (parent_id);
create index messages_streaming on messages (id) where state = 'streaming';
create index messages_of_user on messages (id) where role = 'user';

create table message_pictures (
  message_id integer not null references messages (id) on delete cascade,
  position integer not null,
  picture text not null references pictures (hash),
  primary key (message_id, position)
) strict, without rowid;
create index message_pictures_of_picture on message_pictures (picture);

-- 'conversation_id' null: of the conversation that does not exist yet. 'pictures' is a JSON array of hashes.
create table drafts (
  id integer primary key,
  conversation_id integer references conversations (id) on delete cascade,
  text text not null,
  pictures text not null
) strict;
create unique index drafts_of_conversation on drafts (coalesce(conversation_id, 0));

create table settings (
  name text primary key,
  value text not null
) strict, without rowid;

create table models (
  path text primary key,
  name text not null,
  kind text not null check (kind in ('vision', 'text', 'guard')),
  bytes integer,
  added_at integer not null
) strict, without rowid;

create table ledger (
  id integer primary key,
  at integer not null,
  host text not null,
  purpose text not null,
  sent_bytes integer not null,
  received_bytes integer not null
) strict;

-- Words of titles and messages. The texts stay in their tables.
create virtual table title_words using fts5 (title, content = 'conversations', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3');
create virtual table message_words using fts5 (text, content = 'messages', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3');

create trigger title_added after insert on conversations begin
  insert into title_words (rowid, title) values (new.id, new.title);
end;
create trigger title_changed after update of title on conversations begin
  insert into title_words (title_words, rowid, title) values ('delete', old.id, old.title);
  insert into title_words (rowid, title) values (new.id, new.title);
end;
create trigger title_removed after delete on conversations begin
  insert into title_words (title_words, rowid, title) values ('delete', old.id, old.title);
end;

-- An answer that is being written is not in the index: a checkpoint is one update of one row.
create trigger text_added after insert on messages when new.state <> 'streaming' begin
  insert into message_words (rowid, text) values (new.id, new.text);
end;
create trigger text_changed after update of text, state on messages begin
  insert into message_words (message_words, rowid, text) select 'delete', old.id, old.text where old.state <> 'streaming';
  insert into message_words (rowid, text) select new.id, new.text where new.state <> 'streaming';
end;
create trigger text_removed after delete on messages when old.state <> 'streaming' begin
  insert into message_words (message_words, rowid, text) values ('delete', old.id, old.text);
end;
`;
