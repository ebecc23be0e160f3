/** Licences that were agreed to. */
import type { Acceptance, Clock, LicenceStore } from '../services/ports.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';

export type LicenceQueries = Pick<LicenceStore, 'list'>;
export type LicenceCommands = Omit<LicenceStore, keyof LicenceQueries>;

export function licenceQueries(database: ReadDatabase): LicenceQueries {
  const list = database.prepare<[], Acceptance>('select licence, version, accepted_at as at from licences order by accepted_at, licence');
  return { list: () => list.all() };
}

export function licenceCommands(database: WriteDatabase, clock: Clock): LicenceCommands {
  const accept = database.prepare<[string, string, number]>(
    'insert or ignore into licences (licence, version, accepted_at) values (?, ?, ?)',
  );
  const find = database.prepare<[string, string], Acceptance>(
    'select licence, version, accepted_at as at from licences where licence = ? and version = ?',
  );
  return {
    accept: (licence, version) => {
      accept.run(licence, version, clock.now());
      return find.get(licence, version)!;
    },
  };
}
