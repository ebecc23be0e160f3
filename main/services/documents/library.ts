/**
 * The library of documents. A document's pages are stored as waiting before the first is read, and each as soon as it is read:
 * whatever ends the reading, it is resumed with the first page that waits, and no page is lost or read twice.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { LoupeError, toLoupeError } from '../../errors.ts';
import type { Abortable, BroughtFile, DocumentFacts, DocumentFile, IncomingFile, PageReading, Store, StoredDocument } from '../ports.ts';
import { libraryFile } from './library-file.ts';
import { pageRange } from './page-range.ts';
import { readPage, type PageReader } from './page-reader.ts';

export interface LibraryOptions {
  store: Pick<Store, 'documents' | 'documentFiles' | 'sweep'>;
  reader: PageReader['reader'];
}

export interface AddOptions extends Abortable {
  /** Used to look into the file; kept nowhere. */
  password?: string | undefined;
  /** Which pages, as in "3-12"; null: all of them. */
  pages?: string | null;
  /** Default: true. False: of a locked document, only until Loupe closes. */
  keepsText?: boolean | undefined;
}

export interface ReadOptions extends Abortable {
  password?: string | undefined;
  /** Reads pages without text from their pictures, those of earlier times too. */
  recogniser?: PageReader['recogniser'];
  /** Called for each page once it is stored; `left` are still to be read. */
  onPage?: (page: PageReading, left: number) => void;
}

export interface Added {
  document: StoredDocument;
  known: boolean;
}

export interface Library {
  /** `known`: the same bytes are there already; their first record is answered, and nothing is copied. */
  add(path: string, options?: AddOptions): Promise<Added>;
  /** The same of a file that has arrived. Until this resolves, it can be tried again. */
  addReceived(incoming: IncomingFile, name: string, options?: AddOptions): Promise<Added>;
  /** Reads what waits. Rejects with `cancelled` and where the whole file is at fault; what was read is stored. */
  read(id: number, options?: ReadOptions): Promise<StoredDocument>;
  /** Its row, its pages, their words, and Loupe's copy of the file. */
  remove(id: number): StoredDocument;
}

export function createLibrary({ store, reader }: LibraryOptions): Library {
  const { documents, documentFiles } = store;

  async function addFile(
    file: DocumentFile,
    bring: (signal: AbortSignal | undefined) => Promise<BroughtFile>,
    { pages = null, signal, keepsText }: AddOptions,
  ): Promise<Added> {
    const facts = await reader.open(file, { signal });
    const { from, to } = pageRange(pages, facts.pageCount, facts.name);
    const brought = await bring(signal);
    try {
      const before = documents.find(brought.hash);
      if (before) {
        // The file of an `add` that a dying process did not finish is missing.
        if (!existsSync(documentFiles.path(brought.hash))) brought.keep();
        return { document: before, known: true };
      }
      refuseChanged(facts, brought.bytes);
      const document = documents.add({ ...facts, hash: brought.hash, from, to, keepsText });
      brought.keep();
      return { document, known: false };
    } finally {
      brought.drop();
    }
  }

  return {
    add: (path, options = {}) => addFile({ path, password: options.password }, (signal) => documentFiles.bring(path, { signal }), options),

    addReceived: (incoming, name, options = {}) =>
      incoming
        .arrived()
        .then(() =>
          addFile({ path: incoming.path, name, password: options.password, key: incoming.key }, () => incoming.finish(), options),
        ),

    async read(id, { password, recogniser = null, signal, onPage } = {}) {
      const document = documents.get(id);
      const file = libraryFile(documentFiles, document, password);
      const pictures = recogniser ? documents.numbers(id, 'picture') : [];
      const numbers = [...documents.numbers(id, 'waiting'), ...pictures];
      if (numbers.length > 0 && !existsSync(file.path)) throw fileMissing(document);
      for (const [index, number] of numbers.entries()) {
        let page: PageReading;
        try {
          page = await readPage({ reader, recogniser }, file, number, signal);
        } catch (thrown) {
          const error = toLoupeError(thrown);
          // That a password is needed, or the reader was stopped, is no fault of the document.
          if (error.code !== 'cancelled' && error.code !== 'document_locked') documents.saveFailure(id, error.toFailure());
          throw error;
        }
        documents.savePage(id, page);
        onPage?.(page, numbers.length - index - 1);
      }
      documents.saveFailure(id, null);
      return documents.get(id);
    },

    remove(id) {
      const document = documents.get(id);
      documents.remove(id);
      store.sweep();
      return document;
    },
  };
}

function refuseChanged({ name, bytes }: DocumentFacts, copied: number): void {
  if (copied === bytes) return;
  throw new LoupeError('document_failed', `${basename(name)} changed while it was being copied.`, 'Add it again once it is complete.');
}

function fileMissing({ name }: StoredDocument): LoupeError {
  return new LoupeError(
    'document_missing',
    `Loupe’s copy of ${name} is missing from the data folder.`,
    'Add the file again; what was read of it is kept.',
  );
}
