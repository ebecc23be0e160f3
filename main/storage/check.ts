/**
 * Whether a file is a sound database of Loupe. It is read into memory whole, so that checking it
 * changes nothing: not on a disk that cannot be written to, and not while another process uses it.
 * One that is too large for that is read from the disk, and all but its index of words is checked.
 */
import Database from './sqlite.ts';
import { createHash, hash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Migration } from './migrations/migration.ts';
import { withKey } from './vault/folder-keys.ts';

/** "Loup", in SQLite's header. */
export const applicationId = 0x4c6f7570;

export interface Finding {
  /** `newer`: of a Loupe that knows more than this one. `changed`: sound in itself, but not the bytes that were expected. */
  state: 'sound' | 'changed' | 'damaged' | 'newer';
  /** What is wrong; empty where it is sound. */
  problem: string;
  /** Null where they cannot be counted. */
  conversations: number | null;
  sha256: string;
}

export interface Examination {
  migrations: readonly Migration[];
  /** What its SHA-256 has to begin with; null or absent where that is unknown. */
  expected?: string | null;
  /** In bytes. Node reads files of less than 2 GiB at once. */
  largestInMemory?: number;
  /** Of an encrypted one. */
  key?: Buffer | null;
}

/** Takes seconds for a large one. Never throws. */
export function examineFile(path: string, { migrations, expected, largestInMemory = 2 ** 30, key = null }: Examination): Finding {
  let sha256: string;
  let open: () => Database.Database;
  try {
    const bytes = statSync(path).size <= largestInMemory ? readFileSync(path) : null;
    sha256 = bytes ? hash('sha256', bytes) : fileHash(path);
    open = () => (bytes ? openBytes(key ? decrypted(bytes, key) : bytes) : withKey(new Database(path, { readonly: true }), key));
  } catch (error) {
    return { state: 'damaged', problem: `it cannot be read (${(error as Error).message})`, conversations: null, sha256: '' };
  }
  const { problem, conversations, newer } = examineDatabase(open, migrations);
  if (newer) return { state: 'newer', problem, conversations, sha256 };
  if (problem) return { state: 'damaged', problem, conversations, sha256 };
  if (expected && !sha256.startsWith(expected)) {
    return { state: 'changed', problem: 'its bytes are not those that Loupe wrote', conversations, sha256 };
  }
  return { state: 'sound', problem: '', conversations, sha256 };
}

/** Of a file of any size. */
export function fileHash(path: string): string {
  const digest = createHash('sha256');
  const piece = Buffer.allocUnsafe(1 << 20);
  const file = openSync(path, 'r');
  try {
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) digest.update(piece.subarray(0, read));
  } finally {
    closeSync(file);
  }
  return digest.digest('hex');
}

/** A database in memory, of a file's bytes, which become its own. Throws what SQLite throws. */
export function openBytes(bytes: Buffer): Database.Database {
  if (bytes.length === 0) throw new Database.SqliteError('the file is empty', 'SQLITE_NOTADB');
  // In memory there is no log: the header says so, in the two bytes that name the way of writing.
  if (bytes.length > 19) bytes[18] = bytes[19] = 1;
  return new Database(bytes);
}

/** What an encrypted database holds. Only SQLite reads its pages, from a file: a copy, which is as encrypted as it is. */
function decrypted(bytes: Buffer, key: Buffer): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-'));
  try {
    const copy = join(folder, 'copy.db');
    writeFileSync(copy, bytes, { mode: 0o600 });
    const database = withKey(new Database(copy), key);
    try {
      return database.serialize();
    } finally {
      database.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Examined = Pick<Finding, 'problem' | 'conversations'> & { newer: boolean };

/** Takes the bytes over: the caller must not use them afterwards. */
export function examineBytes(bytes: Buffer, migrations: readonly Migration[]): Examined {
  return examineDatabase(() => openBytes(bytes), migrations);
}

function examineDatabase(open: () => Database.Database, migrations: readonly Migration[]): Examined {
  let database: Database.Database | undefined;
  try {
    database = open();
    const version = database.pragma('user_version', { simple: true }) as number;
    const newer = database.pragma('application_id', { simple: true }) === applicationId && version > migrations.at(-1)!.version;
    if (newer) return { problem: 'a newer Loupe made it', conversations: null, newer };
    const problem = schemaProblem(database, migrations) ?? contentProblem(database) ?? '';
    return { problem, conversations: problem ? null : countConversations(database), newer };
  } catch (error) {
    return { problem: (error as Error).message, conversations: null, newer: false };
  } finally {
    database?.close();
  }
}

/** What is wrong with identity, version and tables; null where nothing is. Quick. */
export function schemaProblem(database: Database.Database, migrations: readonly Migration[]): string | null {
  const version = database.pragma('user_version', { simple: true }) as number;
  if (database.pragma('application_id', { simple: true }) !== applicationId) return 'it is not a database of Loupe';
  if (!migrations.some((migration) => migration.version === version)) return `it has the unknown version ${version}`;
  const found = new Set(columnsOf(database));
  const missing = expectedColumns(version, migrations).find((column) => !found.has(column));
  return missing ? `"${missing}" is missing or not as it should be` : null;
}

/** By version, of the released migrations; tests bring others, which are not remembered. */
const expectations = new WeakMap<readonly Migration[], Map<number, string[]>>();

function expectedColumns(version: number, migrations: readonly Migration[]): string[] {
  const known = expectations.get(migrations) ?? new Map<number, string[]>();
  expectations.set(migrations, known);
  const columns = known.get(version);
  if (columns) return columns;
  const model = new Database(':memory:');
  for (const migration of migrations) if (migration.version <= version) migration.up(model);
  const made = columnsOf(model);
  model.close();
  known.set(version, made);
  return made;
}

/** Every index, trigger and column, as "table.column type". */
function columnsOf(database: Database.Database): string[] {
  return database
    .prepare<[], string>(
      `select type || ' ' || name from sqlite_schema where type in ('index', 'trigger') and name not like 'sqlite_%'
       union all
       select sqlite_schema.name || '.' || column.name || ' ' || column.type
       from sqlite_schema join pragma_table_info(sqlite_schema.name) as column
       where sqlite_schema.type = 'table' and sqlite_schema.name not like 'sqlite_%'`,
    )
    .pluck()
    .all();
}

const jsonColumns = [
  ['messages', 'failure'],
  ['messages', 'statistics'],
  ['messages', 'judgement'],
  ['messages', 'differences'],
  ['pictures', 'origin'],
  ['conversations', 'tags'],
  ['drafts', 'pictures'],
  ['settings', 'value'],
  ['documents', 'failure'],
  ['pages', 'flags'],
  ['pages', 'failure'],
  ['coverages', 'words'],
] as const;

/** Reads everything. */
function contentProblem(database: Database.Database): string | null {
  const [{ integrity_check: finding }] = database.pragma('integrity_check(1)') as [{ integrity_check: string }];
  if (finding !== 'ok') return finding;
  const [orphan] = database.pragma('foreign_key_check') as { table: string }[];
  if (orphan) return `a row of "${orphan.table}" refers to nothing`;
  const columns = new Set(columnsOf(database));
  for (const [table, column] of jsonColumns) {
    if (!columns.has(`${table}.${column} TEXT`)) continue;
    const broken = database.prepare(`select 1 from ${table} where ${column} is not null and not json_valid(${column}) limit 1`).get();
    if (broken) return `a value in "${table}.${column}" cannot be read`;
  }
  if (database.readonly) return null;
  // The index knows every word, so it shows which texts are not as they were written. Answers that were being written are not in it.
  database.exec("update messages set state = 'interrupted' where state = 'streaming'");
  for (const index of ['title_words', 'message_words', 'page_words', 'picture_words']) {
    if (!columns.has(`${index}_config.k `)) continue;
    try {
      database.exec(`insert into ${index} (${index}, rank) values ('integrity-check', 1)`);
    } catch {
      return 'titles or texts are not those that were stored';
    }
  }
  return null;
}

function countConversations(database: Database.Database): number {
  return database.prepare<[], number>('select count(*) from conversations where deleted_at is null').pluck().get()!;
}
