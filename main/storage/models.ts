import * as v from 'valibot';
import { LoupeError } from '../errors.ts';
import type { Clock, FileCheck, ModelRecord, ModelStore, SanityCheckRecord } from '../services/ports.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { parseJson } from './rows.ts';

type SanityCheckRow = Omit<SanityCheckRecord, 'sound' | 'findings'> & { sound: number; findings: string };

export type ModelQueries = Pick<ModelStore, 'list' | 'checks' | 'sanityChecks'>;
export type ModelCommands = Omit<ModelStore, keyof ModelQueries>;

/** Records of model files on this machine, in the order in which they were added. */
export function modelQueries(database: ReadDatabase): ModelQueries {
  const list = database.prepare<[], ModelRecord>('select path, name, kind, bytes from models order by added_at, path');
  const checks = database.prepare<[string], FileCheck>(
    'select model, file, bytes, sha256, finding, checked_at as checkedAt from file_checks where model = ? order by file',
  );
  const sanityChecks = database.prepare<[], SanityCheckRow>(
    'select model, bytes, device, driver, sound, findings, tested_at as testedAt from self_tests order by model',
  );
  return {
    list: () => list.all(),
    checks: (model) => checks.all(model),
    sanityChecks: () =>
      sanityChecks.all().map((row) => ({ ...row, sound: row.sound === 1, findings: parseJson(v.array(v.string()), row.findings) ?? [] })),
  };
}

export function modelCommands(database: WriteDatabase, clock: Clock): ModelCommands {
  const add = database.prepare<[string, string, string, number | null, number]>(
    `insert into models (path, name, kind, bytes, added_at) values (?, ?, ?, ?, ?)
     on conflict (path) do update set name = excluded.name, kind = excluded.kind, bytes = excluded.bytes`,
  );
  const remove = database.prepare<[string]>('delete from models where path = ?');
  const saveCheck = database.prepare<[string, string, number, string, string, number]>(
    `insert into file_checks (model, file, bytes, sha256, finding, checked_at) values (?, ?, ?, ?, ?, ?)
     on conflict (model, file) do update set
       bytes = excluded.bytes, sha256 = excluded.sha256, finding = excluded.finding, checked_at = excluded.checked_at`,
  );
  const saveSanityCheck = database.prepare<[string, number | null, string, string, number, string, number]>(
    `insert into self_tests (model, bytes, device, driver, sound, findings, tested_at) values (?, ?, ?, ?, ?, ?, ?)
     on conflict (model) do update set
       bytes = excluded.bytes, device = excluded.device, driver = excluded.driver,
       sound = excluded.sound, findings = excluded.findings, tested_at = excluded.tested_at`,
  );
  const removeSanityCheck = database.prepare<[string]>('delete from self_tests where model = ?');
  return {
    /** A record of the same path is replaced. */
    add: ({ path, name, kind, bytes }) => {
      add.run(path, name, kind, bytes, clock.now());
    },
    remove: (path) => {
      removeSanityCheck.run(path);
      if (remove.run(path).changes === 0) throw new LoupeError('not_found', `There is no model ${path} in the list.`);
    },
    saveCheck: ({ model, file, bytes, sha256, finding, checkedAt }) => {
      saveCheck.run(model, file, bytes, sha256, finding, checkedAt);
    },
    saveSanityCheck: ({ model, bytes, device, driver, sound, findings, testedAt }) => {
      saveSanityCheck.run(model, bytes, device, driver, Number(sound), JSON.stringify(findings), testedAt);
    },
  };
}
