/** What must not compile is proved by `@ts-expect-error`: the type check fails where one of these lines is no error. */
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LoupeError } from '../errors.ts';
import { conversationCommands, conversationQueries } from './conversations.ts';
import { transaction, unflushed } from './database.ts';
import { downloadCommands, downloadQueries } from './downloads.ts';
import { readHandle, writeHandle, type ReadDatabase, type WriteDatabase } from './handles.ts';
import { ledgerCommands } from './ledger.ts';
import { licenceCommands } from './licences.ts';
import { migrations } from './migrations/index.ts';
import { modelCommands, modelQueries } from './models.ts';
import { shelfInMemory } from './picture-shelf.ts';
import { pictureCommands } from './pictures.ts';
import { settingsCommands, settingsQueries } from './settings.ts';
import { sweep } from './sweep.ts';

let database: Database.Database;
let reading: ReadDatabase;
let writing: WriteDatabase;

beforeEach(() => {
  database = new Database(':memory:');
  for (const migration of migrations) migration.up(database);
  reading = readHandle(database);
  writing = writeHandle(database);
});
afterEach(() => void database.close());

const clock = { now: () => 1 };
const picture = (): never => {
  throw new LoupeError('not_found', 'There is none.');
};

/** Compiled, and never called. */
export function rejectedByTheCompiler(): void {
  // @ts-expect-error: a handle for reading has no statements that run.
  reading.prepare('delete from models').run();
  // @ts-expect-error: it executes nothing,
  reading.exec('delete from models');
  // @ts-expect-error: and sets nothing.
  reading.pragma('user_version = 1');
  // @ts-expect-error: it begins no transaction,
  transaction(reading, () => {});
  // @ts-expect-error: not even one that is not flushed.
  unflushed(reading, () => {});

  // Every module of commands.
  // @ts-expect-error: commands need a handle for writing.
  conversationCommands(reading, reading, clock, picture);
  // @ts-expect-error: commands need a handle for writing.
  pictureCommands(reading, clock, shelfInMemory());
  // @ts-expect-error: commands need a handle for writing.
  modelCommands(reading, clock);
  // @ts-expect-error: commands need a handle for writing.
  downloadCommands(reading, clock, downloadQueries(reading));
  // @ts-expect-error: commands need a handle for writing.
  licenceCommands(reading, clock);
  // @ts-expect-error: commands need a handle for writing.
  ledgerCommands(reading, clock);
  // @ts-expect-error: commands need a handle for writing.
  settingsCommands(reading, settingsQueries(reading));
  // @ts-expect-error: commands need a handle for writing.
  sweep(reading, '/', 0, false);

  // A database that nobody has opened as one or the other is neither.
  // @ts-expect-error: it is not branded as a handle.
  modelQueries(database);
  // @ts-expect-error: it is not branded as a handle.
  modelCommands(database, clock);
  // @ts-expect-error: queries ask for no more than they need.
  conversationQueries(writing, picture);
}

test('a handle for reading refuses every statement that would write, before it runs', () => {
  writing.prepare("insert into models (path, name, kind, bytes, added_at) values ('/a', 'A', 'text', null, 1)").run();
  for (const sql of [
    'delete from models',
    "update models set name = 'B' returning path",
    "insert into models (path, name, kind, bytes, added_at) values ('/b', 'B', 'text', null, 1) returning path",
    'vacuum',
  ])
    expect(() => reading.prepare(sql), sql).toThrow('its handle is for reading');
  expect(modelQueries(reading).list()).toEqual([{ path: '/a', name: 'A', kind: 'text', bytes: null }]);
});

test('what one handle writes, the other reads', () => {
  const queries = downloadQueries(reading);
  const { id } = downloadCommands(writing, clock, queries).create({ model: 'm', repository: 'a/b', directory: '/d' });
  expect(queries.get(id)).toMatchObject({ repository: 'a/b', state: 'queued', createdAt: 1 });
});
