import type { Database } from 'better-sqlite3';
import type { Clock, Ledger, LedgerEntry } from '../services/ports.ts';
import { unflushed } from './database.ts';

/** Entries in the order in which they were added; none is ever removed, and of an open connection only the bytes grow. */
export function createLedger(database: Database, clock: Clock): Ledger {
  const installedAt = database.prepare<[], number>("select value from facts where name = 'installedAt'").pluck();
  // Only a new database: one on a full disk has to open, too.
  if (installedAt.get() === undefined) {
    database.prepare<[number]>("insert into facts (name, value) values ('installedAt', ?)").run(clock.now());
  }
  const add = database.prepare<[number, string, string, number, number]>(
    'insert into ledger (at, host, purpose, sent_bytes, received_bytes) values (?, ?, ?, ?, ?)',
  );
  const count = database.prepare<[number, number, number]>(
    'update ledger set sent_bytes = max(sent_bytes, ?), received_bytes = max(received_bytes, ?) where id = ?',
  );
  const list = database.prepare<[], LedgerEntry>(
    'select at, host, purpose, sent_bytes as sentBytes, received_bytes as receivedBytes from ledger order by id',
  );
  return {
    installedAt: () => installedAt.get() ?? clock.now(),
    add: ({ at, host, purpose, sentBytes, receivedBytes }) => Number(add.run(at, host, purpose, sentBytes, receivedBytes).lastInsertRowid),
    count: (id, sentBytes, receivedBytes) => {
      unflushed(database, () => {
        count.run(sentBytes, receivedBytes, id);
      });
    },
    list: () => list.all(),
  };
}
