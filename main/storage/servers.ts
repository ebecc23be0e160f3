/** Servers that answer. Their keys are not here: `SecretStore`. */
import { LoupeError } from '../errors.ts';
import type { Clock, ServerRecord, ServerStore } from '../services/ports.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';

type Row = Omit<ServerRecord, 'sees' | 'documents'> & { sees: number; documents: number };

export type ServerQueries = Pick<ServerStore, 'list' | 'get'>;
export type ServerCommands = Omit<ServerStore, keyof ServerQueries>;

export function serverQueries(database: ReadDatabase): ServerQueries {
  const columns = 'id, name, address, model, sees, documents, context_length as contextLength';
  const list = database.prepare<[], Row>(`select ${columns} from servers order by id`);
  const one = database.prepare<[number], Row>(`select ${columns} from servers where id = ?`);
  return {
    list: () => list.all().map(toRecord),
    get: (id) => {
      const row = one.get(id);
      if (!row) throw noServer(id);
      return toRecord(row);
    },
  };
}

export function serverCommands(database: WriteDatabase, clock: Clock, { get }: ServerQueries): ServerCommands {
  const add = database.prepare<[string, string, string, number, number | null, number]>(
    'insert into servers (name, address, model, sees, context_length, added_at) values (?, ?, ?, ?, ?, ?)',
  );
  const change = database.prepare<[string, string, number, number, number | null, number]>(
    'update servers set name = ?, model = ?, sees = ?, documents = ?, context_length = ? where id = ?',
  );
  const remove = database.prepare<[number]>('delete from servers where id = ?');
  return {
    add: ({ name, address, model, sees, contextLength }) =>
      get(Number(add.run(name, address, model, Number(sees), contextLength, clock.now()).lastInsertRowid)),
    save: ({ id, name, model, sees, documents, contextLength }) => {
      if (change.run(name, model, Number(sees), Number(documents), contextLength, id).changes === 0) throw noServer(id);
    },
    remove: (id) => {
      if (remove.run(id).changes === 0) throw noServer(id);
    },
  };
}

function toRecord({ sees, documents, ...row }: Row): ServerRecord {
  return { ...row, sees: sees === 1, documents: documents === 1 };
}

function noServer(id: number): LoupeError {
  return new LoupeError('not_found', `There is no server ${id}.`);
}
