/** Ways in which files come to harm, by number: each is made from its seed, the same every time. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { randomNumbers } from '../../test/random.ts';
import { databasePath } from '../backups.ts';

export interface Damage {
  name: string;
  /** Of the folder of a store that nobody has open. */
  apply(directory: string): void;
}

const pageBytes = 4096;

type Random = (below: number) => number;
type Kind = (random: Random) => Damage;

function onFile(name: string, file: string, change: (bytes: Buffer) => Buffer): Damage {
  return {
    name,
    apply: (directory) => {
      const path = join(directory, file);
      writeFileSync(path, change(readFileSync(path)));
    },
  };
}

const onDatabase = (name: string, change: (bytes: Buffer) => Buffer): Damage => onFile(name, 'loupe.db', change);

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random(256)));
}

const pageOf = (bytes: Buffer, random: Random): number => random(Math.floor(bytes.length / pageBytes)) * pageBytes;

/** Of whole pages and files: SQLite's own check and ours find these without knowing what was there. */
const structural: Kind[] = [
  (random) =>
    onDatabase('random bytes over twelve pages', (bytes) => {
      for (let count = 0; count < 12; count++) noise(random, pageBytes).copy(bytes, pageOf(bytes, random));
      return bytes;
    }),
  (random) =>
    onDatabase('random bytes over a page', (bytes) => {
      noise(random, pageBytes).copy(bytes, pageOf(bytes, random));
      return bytes;
    }),
  (random) =>
    onDatabase('a page of zeros', (bytes) => {
      const at = pageOf(bytes, random);
      return bytes.fill(0, at, at + pageBytes);
    }),
  (random) =>
    onDatabase('two pages swapped', (bytes) => {
      const [one, two] = [pageOf(bytes, random), pageOf(bytes, random)];
      const kept = Buffer.from(bytes.subarray(one, one + pageBytes));
      bytes.copy(bytes, one, two, two + pageBytes);
      kept.copy(bytes, two);
      return bytes;
    }),
  (random) =>
    onDatabase('a page written over another', (bytes) => {
      const [from, to] = [pageOf(bytes, random), pageOf(bytes, random)];
      bytes.copy(bytes, to, from, from + pageBytes);
      return bytes;
    }),
  (random) => onDatabase('cut off', (bytes) => bytes.subarray(0, 1 + random(bytes.length - 1))),
  (random) => onDatabase('cut off between pages', (bytes) => bytes.subarray(0, pageOf(bytes, random))),
  (random) => onDatabase('zeros from somewhere on', (bytes) => bytes.fill(0, random(bytes.length))),
  (random) =>
    onDatabase('the beginning overwritten', (bytes) => {
      noise(random, 1 + random(200)).copy(bytes);
      return bytes;
    }),
  () => onDatabase('an empty file', () => Buffer.alloc(0)),
  (random) => onDatabase('a file of another kind', () => Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), noise(random, 5000)])),
  () => onDatabase('a text', () => Buffer.from('<html>Sign in to the network</html>\n'.repeat(200))),
  (random) => ({
    name: 'a table is missing',
    apply: (directory) => {
      const tables = [
        'drafts',
        'settings',
        'pictures',
        'messages',
        'conversations',
        'ledger',
        'message_words',
        'title_words',
        'models',
        'facts',
      ];
      const database = new Database(databasePath(directory));
      database.pragma('foreign_keys = off');
      database.exec(`drop table ${tables[random(tables.length)]}`);
      database.close();
    },
  }),
  (random) => ({
    name: 'a column, an index or a trigger is missing',
    apply: (directory) => {
      const statements = [
        'alter table messages drop column judgement',
        'drop trigger text_changed',
        'drop index messages_of_parent',
        'alter table pictures drop column touched_at',
      ];
      const database = new Database(databasePath(directory));
      database.exec(statements[random(statements.length)]!);
      database.close();
    },
  }),
  () => ({
    name: 'rows that refer to nothing',
    apply: (directory) => {
      const database = new Database(databasePath(directory));
      database.pragma('foreign_keys = off');
      database.exec('delete from conversations where id = 2');
      database.close();
    },
  }),
];

/** Of a few bytes anywhere: only the seal tells these from what was meant. */
const small: Kind[] = [
  (random) =>
    onDatabase('a bit', (bytes) => {
      const at = random(bytes.length);
      bytes[at]! ^= 1 << random(8);
      return bytes;
    }),
  (random) =>
    onDatabase('sixteen random bytes', (bytes) => {
      noise(random, 16).copy(bytes, random(bytes.length - 16));
      return bytes;
    }),
  (random) =>
    onDatabase('a bit in the header', (bytes) => {
      bytes[random(100)]! ^= 1 << random(8);
      return bytes;
    }),
  (random) =>
    onDatabase('a sector of zeros', (bytes) => {
      const at = random(Math.floor(bytes.length / 512)) * 512;
      return bytes.fill(0, at, at + 512);
    }),
  (random) =>
    onDatabase('bytes that were moved along', (bytes) => {
      const at = random(bytes.length - 64);
      bytes.copy(bytes, at + 1, at, at + 60);
      return bytes;
    }),
];

const log: Kind[] = [
  (random) =>
    onFile('random bytes in the log', 'loupe.db-wal', (bytes) => {
      noise(random, 64).copy(bytes, 32 + random(bytes.length - 96));
      return bytes;
    }),
  () => onFile('the beginning of the log overwritten', 'loupe.db-wal', (bytes) => bytes.fill(0x7f, 0, 32)),
  (random) =>
    onFile('a part of the log of zeros', 'loupe.db-wal', (bytes) => {
      const frame = 24 + pageBytes;
      const at = 32 + random(Math.floor((bytes.length - 32) / frame) - 1) * frame;
      return bytes.fill(0, at, at + frame);
    }),
];

/** `sealed`: Loupe was closed as it should be. Else it was killed, and the last changes are in the log. */
export function damageOf(number: number, sealed: boolean): Damage {
  const next = randomNumbers(1000 + number * 7919);
  const random: Random = (below) => Math.floor(next() * below);
  const kinds = sealed ? [...structural, ...small, ...small] : [...structural, ...log];
  return kinds[number % kinds.length]!(random);
}
