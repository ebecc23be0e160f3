import type { Migration } from './migration.ts';

export const models: Migration = {
  version: 2,
  name: 'models',
  up: (database) => {
    database.exec(schema);
  },
};

const schema = `
create table downloads (
  id integer primary key autoincrement,
  model text not null,
  repository text not null,
  revision text,
  directory text not null unique,
  state text not null check (state in ('queued', 'running', 'paused', 'failed', 'complete')),
  failure text,
  created_at integer not null
) strict;

-- How much has arrived is the length of the part on disk, not a number here.
create table download_files (
  download_id integer not null references downloads (id) on delete cascade,
  path text not null,
  bytes integer not null,
  algorithm text not null check (algorithm in ('sha256', 'git')),
  checksum text not null,
  etag text,
  complete integer not null default 0,
  primary key (download_id, path)
) strict, without rowid;

create table licences (
  licence text not null,
  version text not null,
  accepted_at integer not null,
  primary key (licence, version)
) strict, without rowid;

create table file_checks (
  model text not null references models (path) on delete cascade,
  file text not null,
  bytes integer not null,
  sha256 text not null,
  finding text not null check (finding in ('intact', 'changed', 'unknown')),
  checked_at integer not null,
  primary key (model, file)
) strict, without rowid;
`;
