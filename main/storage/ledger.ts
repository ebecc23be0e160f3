import type { Clock, Ledger, LedgerEntry, ProgramBytes } from '../services/ports.ts';
import { unflushed } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';

export type LedgerQueries = Pick<Ledger, 'installedAt' | 'list' | 'programs'>;
export type LedgerCommands = Omit<Ledger, keyof LedgerQueries>;

const installedAtSql = "select value from facts where name = 'installedAt'";

/** In the place of a host: it comes from this computer and goes nowhere. No host has blanks in its name. */
const programs = 'programs on this computer';
const dayMs = 24 * 60 * 60 * 1000;

/** Entries in the order in which they were added; none is ever removed, and of an open connection only the bytes grow. */
export function ledgerQueries(database: ReadDatabase, clock: Clock): LedgerQueries {
  const installedAt = database.prepare<[], number>(installedAtSql).pluck();
  const list = database.prepare<[string], LedgerEntry>(
    'select at, host, purpose, sent_bytes as sentBytes, received_bytes as receivedBytes from ledger where host <> ? order by id',
  );
  const all = database.prepare<[string], ProgramBytes & { since: number | null }>(
    'select min(at) as since, sum(received_bytes) as questionBytes, sum(sent_bytes) as answerBytes from ledger where host = ?',
  );
  return {
    installedAt: () => installedAt.get() ?? clock.now(),
    list: () => list.all(programs),
    programs() {
      const { since, ...bytes } = all.get(programs)!;
      return since === null ? null : { since, ...bytes };
    },
  };
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
  const countProgram = database.prepare<[number, number, string, number]>(
    `update ledger set sent_bytes = sent_bytes + ?, received_bytes = received_bytes + ?
     where id = (select max(id) from ledger where host = ?) and at > ?`,
  );
  return {
    // An entry a day: programs ask thousands of times.
    addProgram: ({ at, questionBytes, answerBytes }) => {
      unflushed(database, () => {
        if (countProgram.run(answerBytes, questionBytes, programs, at - dayMs).changes > 0) return;
        add.run(at, programs, 'their questions and the answers', answerBytes, questionBytes);
      });
    },
    add: ({ at, host, purpose, sentBytes, receivedBytes }) => Number(add.run(at, host, purpose, sentBytes, receivedBytes).lastInsertRowid),
    count: (id, sentBytes, receivedBytes) => {
      unflushed(database, () => {
        count.run(sentBytes, receivedBytes, id);
      });
    },
  };
}
