/**
 * An archive -> what is kept, merged with what is there. First all of it is read and checked, and nothing is changed; then pictures and
 * documents are added, then what shows them. Whatever ends it in between, the same import again adds the rest.
 */
import { existsSync } from 'node:fs';
import {
  archivedConversation,
  archivedDocument,
  archivedPicture,
  archivedSettings,
  archivedTable,
  type ArchivedConversation,
} from '../../archive-format.ts';
import type { ArchiveCounts } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import { fileType } from '../../file-type.ts';
import type { Abortable, Put, Store } from '../ports.ts';
import type { Pictures } from '../pictures.ts';
import { openArchive, type Archive, type ArchiveEntry, type EntryKind } from './read.ts';

export interface ImportOptions extends Abortable {
  store: Pick<Store, 'archive' | 'documentFiles' | 'pictures'>;
  pictures: Pick<Pictures, 'add'>;
  path: string;
  /** Called before each step; `done` of `all`. */
  onStep?: (done: number, all: number) => void;
  /** Called for what was added, or got what it lacked. */
  onPut?: (put: Changed) => void;
}

export type Changed = { of: 'conversation' | 'document' | 'table'; id: number; put: Exclude<Put, 'known'> } | { of: 'settings' };

export interface Imported {
  counts: ArchiveCounts;
  merged: number;
  known: number;
}

/**
 * Rejects with `file_missing`, `archive_unreadable` and `archive_newer`, and nothing was changed; and with `cancelled`, the `image_*` and the
 * `store_*` codes, and what was added until then stays.
 */
export async function importArchive(options: ImportOptions): Promise<Imported> {
  const { path, signal, onStep = () => {} } = options;
  const archive = await openArchive(path);
  try {
    const of = (kind: EntryKind): ArchiveEntry[] => archive.entries.filter((entry) => entry.kind === kind);
    // All are checked; what is told of pictures and documents goes with their files.
    const told = of('pictureFacts').length + of('documentFacts').length;
    const all = 2 * (archive.entries.length - 1) - told;
    let done = 0;
    const step = (): void => {
      if (signal?.aborted)
        throw new LoupeError('cancelled', 'The import was stopped. What was added stays.', 'Import it again for the rest.');
      onStep(done++, all);
    };
    await check(archive, of, options, step);
    return await put(archive, of, options, step);
  } finally {
    await archive.close();
  }
}

type Of = (kind: EntryKind) => ArchiveEntry[];

async function check(archive: Archive, of: Of, { store }: ImportOptions, step: () => void): Promise<void> {
  const files = new Map<EntryKind, Set<string | null>>();
  for (const kind of ['picture', 'document', 'pictureFacts', 'documentFacts'] as const)
    files.set(kind, new Set(of(kind).map(({ hash }) => hash)));
  for (const [facts, file, schema] of [
    ['pictureFacts', 'picture', archivedPicture],
    ['documentFacts', 'document', archivedDocument],
  ] as const) {
    for (const entry of of(facts)) {
      step();
      await archive.json(entry, schema);
      if (!files.get(file)!.has(entry.hash)) throw wrong(`“${entry.name}” in it tells of a file that is not in it`);
    }
    for (const entry of of(file)) {
      step();
      if (!files.get(facts)!.has(entry.hash)) throw wrong(`“${entry.name}” in it is a file of which nothing is told`);
      let head: Buffer = Buffer.alloc(0);
      await archive.pieces(entry, (piece) => {
        if (head.length < headBytes) head = Buffer.concat([head, piece.subarray(0, headBytes)]);
      });
      const type = fileType(head);
      if (type === null || type === 'gguf' || (file === 'picture' && type === 'pdf')) throw wrong(`“${entry.name}” in it is not a ${file}`);
    }
  }
  for (const entry of of('conversation')) {
    step();
    const conversation = await archive.json(entry, archivedConversation);
    const absent = picturesOf(conversation).find((hash) => !files.get('picture')!.has(hash) && !store.pictures.find(hash));
    if (absent !== undefined) throw wrong(`“${entry.name}” in it shows the picture ${absent}, which is not in it`);
  }
  for (const entry of of('table')) {
    step();
    await archive.json(entry, archivedTable);
  }
  for (const entry of of('settings')) {
    step();
    await archive.json(entry, archivedSettings);
  }
}

async function put(archive: Archive, of: Of, options: ImportOptions, step: () => void): Promise<Imported> {
  const { store, pictures, onPut = () => {} } = options;
  const counts: ArchiveCounts = { conversations: 0, pictures: 0, documents: 0, tables: 0 };
  let [merged, known] = [0, 0];
  const facts = new Map(archive.entries.filter(({ hash }) => hash !== null).map((entry) => [`${entry.kind} ${entry.hash}`, entry]));

  for (const entry of of('picture')) {
    step();
    if (store.pictures.find(entry.hash!)) {
      // Not to be swept before a conversation shows it.
      store.pictures.touch(entry.hash!);
      known++;
      continue;
    }
    const { name, origin, text } = await archive.json(facts.get(`pictureFacts ${entry.hash}`)!, archivedPicture);
    const pieces: Buffer[] = [];
    await archive.pieces(entry, (piece) => void pieces.push(piece));
    await pictures.add({ bytes: Buffer.concat(pieces), name }, origin);
    if (text !== null) store.pictures.saveText(entry.hash!, text);
    counts.pictures++;
  }
  for (const entry of of('document')) {
    step();
    const document = await archive.json(facts.get(`documentFacts ${entry.hash}`)!, archivedDocument);
    const incoming = await store.documentFiles.receive();
    try {
      await archive.pieces(entry, (piece) => incoming.append(piece));
    } catch (error) {
      await incoming.drop();
      throw error;
    }
    const brought = await incoming.finish();
    try {
      const { id, put: is } = store.archive.putDocument({ ...document, hash: brought.hash, bytes: brought.bytes });
      // The file of an `add` that a dying process did not finish is missing.
      if (is !== 'known' || !existsSync(store.documentFiles.path(brought.hash))) brought.keep();
      if (is === 'known') known++;
      else {
        counts.documents++;
        onPut({ of: 'document', id, put: is });
      }
    } finally {
      brought.drop();
    }
  }
  for (const entry of of('conversation')) {
    step();
    const { id, put: is } = store.archive.putConversation(await archive.json(entry, archivedConversation));
    if (is === 'known') known++;
    else {
      if (is === 'added') counts.conversations++;
      else merged++;
      onPut({ of: 'conversation', id, put: is });
    }
  }
  for (const entry of of('table')) {
    step();
    const { id, put: is } = store.archive.putTable(await archive.json(entry, archivedTable));
    if (is === 'known') known++;
    else {
      counts.tables++;
      onPut({ of: 'table', id, put: is });
    }
  }
  for (const entry of of('settings')) {
    step();
    if (store.archive.putSettings(await archive.json(entry, archivedSettings))) onPut({ of: 'settings' });
  }
  return { counts, merged, known };
}

/** Enough to tell what a file is. */
const headBytes = 2048;

function picturesOf({ messages, picture, pinnedPicture }: ArchivedConversation): string[] {
  return [...messages.flatMap(({ pictures }) => pictures), picture, pinnedPicture].filter((hash) => hash !== null);
}

function wrong(what: string): LoupeError {
  return new LoupeError('archive_unreadable', `The file cannot be imported: ${what}.`);
}
