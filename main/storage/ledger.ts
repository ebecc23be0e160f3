import type { Clock, Ledger, LedgerEntry } from '../services/ports.ts';
import { unflushed } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';

export type LedgerQueries = Pick<Ledger, 'installedAt' | 'list'>;
export type LedgerCommands = Omit<Ledger, keyof LedgerQueries>;

const installedAtSql = "select value from facts where name = 'installedAt'";

/** Entries in the order in which they were added; none is ever removed, and of an open connection only the bytes grow. */
export function ledgerQueries(database: ReadDatabase, clock: Clock): LedgerQueries {
  const installedAt = database.prepare<[], number>(installedAtSql).pluck();
  const list = database.prepare<[], LedgerEntry>(
    'select at, host, purpose, sent_bytes as sentBytes, received_bytes as receivedBytes from ledger order by id',
  );
  return { installedAt: () => installedAt.get() ?? clock.now(), list: () => list.all() };
}

export function ledgerCommands(database: WriteDatabase, clock: Clock): LedgerCommands {
  // Only a new database: one on a full disk has to open, too.
  if (database.prepare(installedAtSql).get() === undefined) {
    database.prepare<[number]>("insert into facts (name, value) values ('installedAt', ?)").run(clock.now());
  }
  const add = database.prepare<[number, string, string, number, number]>(
    'insert into ledger (at, host, purpose, sent_bytes, received_bytes) values (?, ?, ?, ?, ?)',
  );
  const count = database.prepare<[number, number, number]>(
    'update ledger set sent_bytes = max(sent_bytes, ?), received_bytes = max(received_bytes, ?) where id = ?',
  );
  return {
    add: ({ at, host, purpose, sentBytes, receivedBytes }) => Number(add.run(at, host, purpose, sentBytes, receivedBytes).lastInsertRowid),
    count: (id, sentBytes, receivedBytes) => {
      unflushed(database, () => {
        count.run(sentBytes, receivedBytes, id);
      });
    },
  };
}
