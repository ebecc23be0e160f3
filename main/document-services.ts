/** The library of documents without a window: what `loupe documents` works with. */
import { createLibrary, type Library } from './services/documents/library.ts';
import type { DocumentReader, DocumentStore } from './services/ports.ts';
import { openStore } from './storage/store.ts';

export interface DocumentServices {
  library: Library;
  documents: DocumentStore;
  close(): void;
}

/** Throws `store_*` when the data folder cannot be used, as while the app is running. The reader stays the caller's. */
export function openDocumentServices(dataDirectory: string, reader: DocumentReader): DocumentServices {
  const store = openStore(dataDirectory);
  return { library: createLibrary({ store, reader }), documents: store.documents, close: () => store.close() };
}
