/** The library of documents without a window: what `loupe documents` works with. */
import { createLibrary, type Library } from './services/documents/library.ts';
import type { DocumentReader, DocumentStore, PagePicture } from './services/ports.ts';
import { openStore } from './storage/store.ts';

export interface DocumentServices {
  library: Library;
  documents: DocumentStore;
  /** A page as a picture, so many pixels wide. Rejects as the reader does. */
  showPage(id: number, page: number, options: { width: number; password: string | undefined }): Promise<PagePicture>;
  close(): void;
}

/** Throws `store_*` when the data folder cannot be used, as while the app is running. The reader stays the caller's. */
export function openDocumentServices(dataDirectory: string, reader: DocumentReader): DocumentServices {
  const store = openStore(dataDirectory);
  return {
    library: createLibrary({ store, reader }),
    documents: store.documents,
    showPage(id, page, { width, password }) {
      const { hash, name } = store.documents.get(id);
      return reader.showPage({ path: store.documentFiles.path(hash), name, password }, page, { width });
    },
    close: () => store.close(),
  };
}
