/** What stands behind the store's calls for a time: the database on the disk, a copy of it in memory, or an empty one. */
import Database from './sqlite.ts';
import type { Clock, Store } from '../services/ports.ts';
import { archiveCommands, archiveQueries, type ArchiveCommands, type ArchiveQueries } from './archive.ts';
import { conversationCommands, conversationQueries, type ConversationCommands, type ConversationQueries } from './conversations.ts';
import { openBeside, openDatabase, openSnapshot } from './database.ts';
import { documentCommands, documentQueries, type DocumentCommands, type DocumentQueries } from './documents.ts';
import { downloadCommands, downloadQueries, type DownloadCommands, type DownloadQueries } from './downloads.ts';
import { extractionCommands, extractionQueries, type ExtractionCommands, type ExtractionQueries } from './extractions.ts';
import { readHandle, writeHandle, type ReadDatabase, type WriteDatabase } from './handles.ts';
import { ledgerCommands, ledgerQueries, type LedgerCommands, type LedgerQueries } from './ledger.ts';
import { licenceCommands, licenceQueries, type LicenceCommands, type LicenceQueries } from './licences.ts';
import { migrations } from './migrations/index.ts';
import { modelCommands, modelQueries, type ModelCommands, type ModelQueries } from './models.ts';
import { shelfInMemory, shelfOnDisk, type PictureShelf } from './picture-shelf.ts';
import { pictureCommands, pictureQueries, type PictureCommands, type PictureQueries } from './pictures.ts';
import { serverCommands, serverQueries, type ServerCommands, type ServerQueries } from './servers.ts';
import { settingsCommands, settingsQueries, type SettingsCommands, type SettingsQueries } from './settings.ts';

export type Kept = Pick<
  Store,
  'conversations' | 'pictures' | 'documents' | 'extractions' | 'models' | 'downloads' | 'licences' | 'ledger' | 'servers' | 'archive'
> & {
  settings: Pick<Store, 'settings' | 'saveSettings'>;
};

export interface Queries {
  conversations: ConversationQueries;
  pictures: PictureQueries;
  documents: DocumentQueries;
  extractions: ExtractionQueries;
  models: ModelQueries;
  downloads: DownloadQueries;
  licences: LicenceQueries;
  ledger: LedgerQueries;
  servers: ServerQueries;
  archive: ArchiveQueries;
  settings: SettingsQueries;
}

export interface Commands {
  conversations: ConversationCommands;
  pictures: PictureCommands;
  documents: DocumentCommands;
  extractions: ExtractionCommands;
  models: ModelCommands;
  downloads: DownloadCommands;
  licences: LicenceCommands;
  ledger: LedgerCommands;
  servers: ServerCommands;
  archive: ArchiveCommands;
  settings: SettingsCommands;
}

interface Readable {
  readonly queries: Queries;
  close(): void;
}

/** `none`: there is nothing behind it but the usual settings. `private`: what is not to reach a disk. */
interface Writable extends Readable {
  readonly on: 'disk' | 'none' | 'private';
  readonly database: WriteDatabase;
  readonly commands: Commands;
}

/** `memory`: a copy, of a disk that cannot be written to. `shared`: what another Loupe has open, and writes. */
interface ReadOnly extends Readable {
  readonly on: 'memory' | 'shared';
  readonly commands: null;
}

export type Opened = Writable | ReadOnly;

export function openOnDisk(directory: string, clock: Clock): Writable {
  return writable('disk', openDatabase(directory, migrations, clock.now()), shelfOnDisk(directory), clock);
}

export function openInMemory(directory: string, clock: Clock): ReadOnly {
  return readOnly('memory', openSnapshot(directory, migrations, clock.now()), directory, clock);
}

/** Throws `store_locked` where it cannot be shared. */
export function openShared(directory: string, clock: Clock): ReadOnly {
  return readOnly('shared', openBeside(directory, migrations), directory, clock);
}

function readOnly(on: ReadOnly['on'], database: Database.Database, directory: string, clock: Clock): ReadOnly {
  return closedOnFailure(database, () => ({
    on,
    queries: queriesOf(readHandle(database), shelfOnDisk(directory), clock),
    commands: null,
    close: () => void database.close(),
  }));
}

export function openNothing(directory: string, clock: Clock): Writable {
  return writable('none', databaseInMemory(), shelfOnDisk(directory), clock);
}

export interface PrivateStore extends Writable {
  /** The hashes of all its pictures. */
  pictures(): string[];
}

/** Whose ids begin at `firstId`. Closing it overwrites its pictures; SQLite overwrites what it frees. */
export function openPrivately(firstId: number, clock: Clock): PrivateStore {
  const database = databaseInMemory();
  // What a large query sorts would else go into a file of the system's folder for such.
  database.pragma('temp_store = memory');
  database.pragma('foreign_keys = on');
  database.pragma('secure_delete = on');
  const begin = database.prepare<[string, number]>('insert into sqlite_sequence (name, seq) values (?, ?)');
  for (const table of ['conversations', 'messages']) begin.run(table, firstId - 1);
  const shelf = shelfInMemory();
  const opened = writable('private', database, shelf, clock);
  return {
    ...opened,
    pictures: shelf.hashes,
    close: () => {
      shelf.clear();
      database.exec('delete from conversations; delete from pictures');
      database.close();
    },
  };
}

function databaseInMemory(): WriteDatabase {
  const database = new Database(':memory:');
  for (const migration of migrations) migration.up(database);
  return writeHandle(database);
}

function writable(on: Writable['on'], database: WriteDatabase, shelf: PictureShelf, clock: Clock): Writable {
  return closedOnFailure(database, () => {
    const reading = readHandle(database);
    const queries = queriesOf(reading, shelf, clock);
    const commands: Commands = {
      conversations: conversationCommands(database, reading, clock, queries.pictures.get),
      pictures: pictureCommands(database, clock, shelf),
      documents: documentCommands(database, clock, queries.documents),
      extractions: extractionCommands(database, clock, queries.extractions),
      models: modelCommands(database, clock),
      downloads: downloadCommands(database, clock, queries.downloads),
      licences: licenceCommands(database, clock),
      ledger: ledgerCommands(database, clock),
      servers: serverCommands(database, clock, queries.servers),
      archive: archiveCommands(database),
      settings: settingsCommands(database, queries.settings),
    };
    return { on, database, queries, commands, close: () => void database.close() };
  });
}

function queriesOf(database: ReadDatabase, shelf: PictureShelf, clock: Clock): Queries {
  const pictures = pictureQueries(database, shelf);
  return {
    conversations: conversationQueries(database, pictures.get),
    pictures,
    documents: documentQueries(database),
    extractions: extractionQueries(database),
    models: modelQueries(database),
    downloads: downloadQueries(database),
    licences: licenceQueries(database),
    ledger: ledgerQueries(database, clock),
    servers: serverQueries(database),
    archive: archiveQueries(database),
    settings: settingsQueries(database),
  };
}

function closedOnFailure<Result>(database: Database.Database, prepare: () => Result): Result {
  try {
    return prepare();
  } catch (error) {
    database.close();
    throw error;
  }
}
