/** The `Store` port on SQLite and files. The folder: loupe.db, loupe.lock, pictures/, backups/. */
import type { Database } from 'better-sqlite3';
import { mkdirSync } from 'node:fs';
import type { Clock, Store } from '../services/ports.ts';
import { createPictures } from './attachments.ts';
import { backUpDaily } from './backups.ts';
import { createConversations } from './conversations.ts';
import { openDatabase } from './database.ts';
import { createDownloads, createLicences } from './downloads.ts';
import { inStoreWords, withStoreErrors } from './errors.ts';
import { createLedger } from './ledger.ts';
import { lockDirectory, lockDownload } from './lock.ts';
import { migrations } from './migrations/index.ts';
import { createModels } from './models.ts';
import { createSettings } from './settings.ts';
import { sweep } from './sweep.ts';

/**
 * Makes the folder where there is none. Throws `store_locked` while another process has it open,
 * `store_damaged`, `store_newer`, `store_full` and `store_failed`; what is there stays as it is.
 */
export function openStore(directory: string, { clock = { now: Date.now } }: { clock?: Clock } = {}): Store {
  return inStoreWords(directory, () => {
    // For nobody else's eyes.
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const unlock = lockDirectory(directory);
    let database: Database | undefined;
    const close = () => {
      database?.close();
      unlock();
    };
    try {
      const opened = (database = openDatabase(directory, migrations, clock.now()));
      const pictures = createPictures(opened, clock, directory);
      return {
        conversations: withStoreErrors(directory, createConversations(opened, clock, pictures.get)),
        pictures: withStoreErrors(directory, pictures),
        models: withStoreErrors(directory, createModels(opened, clock)),
        downloads: withStoreErrors(directory, createDownloads(opened, clock)),
        licences: withStoreErrors(directory, createLicences(opened, clock)),
        ledger: withStoreErrors(directory, createLedger(opened, clock)),
        lockDownload,
        ...withStoreErrors(directory, createSettings(opened)),
        ...withStoreErrors(directory, {
          sweep: () => {
            sweep(opened, directory, clock.now());
            // Without one more backup nothing is lost; the next sweep tries again.
            backUpDaily(opened, directory, clock.now()).catch(() => {});
          },
          close,
        }),
      };
    } catch (error) {
      close();
      throw error;
    }
  });
}
