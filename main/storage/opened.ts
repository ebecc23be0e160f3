/** What stands behind the store's calls for a time: the database on the disk, a copy of it in memory, or an empty one. */
import Database from 'better-sqlite3';
import type { Clock, Store } from '../services/ports.ts';
import { createPictures } from './pictures.ts';
import { createConversations } from './conversations.ts';
import { openDatabase, openSnapshot } from './database.ts';
import { createDownloads, createLicences } from './downloads.ts';
import { createLedger } from './ledger.ts';
import { migrations } from './migrations/index.ts';
import { createModels } from './models.ts';
import { createSettings } from './settings.ts';

export type Kept = Pick<Store, 'conversations' | 'pictures' | 'models' | 'downloads' | 'licences' | 'ledger'> & {
  settings: Pick<Store, 'settings' | 'saveSettings'>;
};

export interface Opened {
  /** `none`: there is nothing behind it but the usual settings. */
  readonly on: 'disk' | 'memory' | 'none';
  readonly database: Database.Database;
  readonly kept: Kept;
}

export function openOnDisk(directory: string, clock: Clock): Opened {
  return opened('disk', openDatabase(directory, migrations, clock.now()), directory, clock);
}

export function openInMemory(directory: string, clock: Clock): Opened {
  return opened('memory', openSnapshot(directory, migrations, clock.now()), directory, clock);
}

export function openNothing(directory: string, clock: Clock): Opened {
  const database = new Database(':memory:');
  for (const migration of migrations) migration.up(database);
  return opened('none', database, directory, clock);
}

function opened(on: Opened['on'], database: Database.Database, directory: string, clock: Clock): Opened {
  try {
    const pictures = createPictures(database, clock, directory);
    return {
      on,
      database,
      kept: {
        conversations: createConversations(database, clock, pictures.get),
        pictures,
        models: createModels(database, clock),
        downloads: createDownloads(database, clock),
        licences: createLicences(database, clock),
        ledger: createLedger(database, clock),
        settings: createSettings(database),
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}
