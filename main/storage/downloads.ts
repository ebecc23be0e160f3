/** Downloads that were asked for. */
import { failureSchema } from '../contract.ts';
import { isErrorCode, LoupeError, type Failure } from '../errors.ts';
import type { Clock, DownloadFile, DownloadRecord, DownloadStore, FileChecksum } from '../services/ports.ts';
import { transaction, unflushed } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
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

export type DownloadQueries = Pick<DownloadStore, 'list' | 'get'>;
export type DownloadCommands = Omit<DownloadStore, keyof DownloadQueries>;

export function downloadQueries(database: ReadDatabase): DownloadQueries {
  const columns = 'id, model, repository, revision, directory, state, failure, created_at as createdAt';
  const all = database.prepare<[], Row>(`select ${columns} from downloads order by id`);
  const one = database.prepare<[number], Row>(`select ${columns} from downloads where id = ?`);
  const filesOf = database.prepare<[number], FileRow>(
    'select path, bytes, algorithm, checksum, etag, complete from download_files where download_id = ? order by path',
  );

  const whole = (row: Row): DownloadRecord => ({ ...row, failure: toFailure(row.failure), files: filesOf.all(row.id).map(toFile) });

  return {
    list: () => all.all().map(whole),
    get: (id) => {
      const row = one.get(id);
      if (!row) throw new LoupeError('not_found', `There is no download ${id}.`);
      return whole(row);
    },
  };
}

export function downloadCommands(database: WriteDatabase, clock: Clock, { get }: DownloadQueries): DownloadCommands {
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

  return {
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

function toFile({ path, bytes, algorithm, checksum, etag, complete }: FileRow): DownloadFile {
  return { path, bytes, checksum: { algorithm, value: checksum }, etag, complete: complete === 1 };
}

function toFailure(text: string | null): Failure | null {
  const failure = parseJson(failureSchema, text);
  return failure && isErrorCode(failure.code) ? { ...failure, code: failure.code } : null;
}
