/** Downloads that were asked for, and licences that were agreed to. */
import type { Database } from 'better-sqlite3';
import { failureSchema } from '../contract.ts';
import { isErrorCode, LoupeError, type Failure } from '../errors.ts';
import type { Acceptance, Clock, DownloadFile, DownloadRecord, DownloadStore, FileChecksum, LicenceStore } from '../services/ports.ts';
import { transaction, unflushed } from './database.ts';
import { parseJson, toJson } from './rows.ts';

interface Row extends Omit<DownloadRecord, 'failure' | 'files'> {
  failure: string | null;
}

interface FileRow {
  path: string;
  bytes: number;
  algorithm: FileChecksum['algorithm'];
  checksum: string;
  etag: string | null;
  complete: number;
}

export function createDownloads(database: Database, clock: Clock): DownloadStore {
  const columns = 'id, model, repository, revision, directory, state, failure, created_at as createdAt';
  const all = database.prepare<[], Row>(`select ${columns} from downloads order by id`);
  const one = database.prepare<[number], Row>(`select ${columns} from downloads where id = ?`);
  const filesOf = database.prepare<[number], FileRow>(
    'select path, bytes, algorithm, checksum, etag, complete from download_files where download_id = ? order by path',
  );
  const create = database.prepare<[string, string, string, number]>(
    "insert into downloads (model, repository, directory, state, created_at) values (?, ?, ?, 'queued', ?)",
  );
  const setState = database.prepare<[string, string | null, number]>('update downloads set state = ?, failure = ? where id = ?');
  const setRevision = database.prepare<[string, number]>('update downloads set revision = ? where id = ?');
  const clearFiles = database.prepare<[number]>('delete from download_files where download_id = ?');
  const addFile = database.prepare<[number, string, number, string, string]>(
    'insert into download_files (download_id, path, bytes, algorithm, checksum) values (?, ?, ?, ?, ?)',
  );
  const setEtag = database.prepare<[string | null, number, string]>(
    'update download_files set etag = ?, complete = 0 where download_id = ? and path = ?',
  );
  const setComplete = database.prepare<[number, string]>('update download_files set complete = 1 where download_id = ? and path = ?');
  const remove = database.prepare<[number]>('delete from downloads where id = ?');

  const whole = (row: Row): DownloadRecord => ({ ...row, failure: toFailure(row.failure), files: filesOf.all(row.id).map(toFile) });

  function get(id: number): DownloadRecord {
    const row = one.get(id);
    if (!row) throw new LoupeError('not_found', `There is no download ${id}.`);
    return whole(row);
  }

  return {
    list: () => all.all().map(whole),
    get,
    create: ({ model, repository, directory }) => get(Number(create.run(model, repository, directory, clock.now()).lastInsertRowid)),
    setState: (id, state, failure) => {
      setState.run(state, toJson(failure), id);
    },
    setPlan: (id, revision, files) => {
      transaction(database, () => {
        setRevision.run(revision, id);
        clearFiles.run(id);
        for (const { path, bytes, checksum } of files) addFile.run(id, path, bytes, checksum.algorithm, checksum.value);
      });
    },
    // Lost with a power cut it costs one file that is fetched from its beginning.
    setEtag: (id, path, etag) => {
      unflushed(database, () => {
        setEtag.run(etag, id, path);
      });
    },
    setComplete: (id, path) => {
      setComplete.run(id, path);
    },
    remove: (id) => {
      remove.run(id);
    },
  };
}

export function createLicences(database: Database, clock: Clock): LicenceStore {
  const list = database.prepare<[], Acceptance>('select licence, version, accepted_at as at from licences order by accepted_at, licence');
  const accept = database.prepare<[string, string, number]>(
    'insert or ignore into licences (licence, version, accepted_at) values (?, ?, ?)',
  );
  const find = database.prepare<[string, string], Acceptance>(
    'select licence, version, accepted_at as at from licences where licence = ? and version = ?',
  );
  return {
    list: () => list.all(),
    accept: (licence, version) => {
      accept.run(licence, version, clock.now());
      return find.get(licence, version)!;
    },
  };
}

function toFile({ path, bytes, algorithm, checksum, etag, complete }: FileRow): DownloadFile {
  return { path, bytes, checksum: { algorithm, value: checksum }, etag, complete: complete === 1 };
}

function toFailure(text: string | null): Failure | null {
  const failure = parseJson(failureSchema, text);
  return failure && isErrorCode(failure.code) ? { ...failure, code: failure.code } : null;
}
