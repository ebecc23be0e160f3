import type { Database } from 'better-sqlite3';
import { LoupeError } from '../services/errors.ts';
import type { Clock, FileCheck, ModelRecord, ModelStore } from '../services/ports.ts';

/** Records of model files on this machine, in the order in which they were added. */
export function createModels(database: Database, clock: Clock): ModelStore {
  const list = database.prepare<[], ModelRecord>('select path, name, kind, bytes from models order by added_at, path');
  const add = database.prepare<[string, string, string, number | null, number]>(
    `insert into models (path, name, kind, bytes, added_at) values (?, ?, ?, ?, ?)
     on conflict (path) do update set name = excluded.name, kind = excluded.kind, bytes = excluded.bytes`,
  );
  const remove = database.prepare<[string]>('delete from models where path = ?');
  const saveCheck = database.prepare<[string, string, number, string, string, number]>(
    `insert into file_checks (model, file, bytes, sha256, finding, checked_at) values (?, ?, ?, ?, ?, ?)
     on conflict (model, file) do update set bytes = excluded.bytes, sha256 = excluded.sha256, finding = excluded.finding, checked_at = excluded.checked_at`,
  );
  const checks = database.prepare<[string], FileCheck>('select model, file, bytes, sha256, finding, checked_at as checkedAt from file_checks where model = ? order by file');
  return {
    list: () => list.all(),
    /** A record of the same path is replaced. */
    add: ({ path, name, kind, bytes }) => {
      add.run(path, name, kind, bytes, clock.now());
    },
    remove: (path) => {
      if (remove.run(path).changes === 0) throw new LoupeError('not_found', `There is no model ${path} in the list.`);
    },
    saveCheck: ({ model, file, bytes, sha256, finding, checkedAt }) => {
      saveCheck.run(model, file, bytes, sha256, finding, checkedAt);
    },
    checks: (model) => checks.all(model),
  };
}
