/** The library of documents without a window: what `loupe documents` works with. */
import type { EventMessage } from './contract.ts';
import { drawnBy, seenWidth } from './services/documents/ask.ts';
import { createLibrary, type Library } from './services/documents/library.ts';
import { libraryFile } from './services/documents/library-file.ts';
import { useOf } from './services/engine-service.ts';
import { createExtractions, type Extractions } from './services/extraction/extractions.ts';
import { createPictureReader } from './services/extraction/picture-reader.ts';
import type { DocumentFile, DocumentReader, DocumentStore, Engine, LoadedModel, PagePicture, TextRecogniser } from './services/ports.ts';
import { openStore } from './storage/store.ts';
import { wordVectorsDirectory } from './host/paths.ts';
import { wordVectorsOf } from './word-vectors/word-vectors.ts';

export interface DocumentServices {
  library: Library;
  documents: DocumentStore;
  /** A page as a picture, so many pixels wide. Rejects as the reader does. */
  showPage(id: number, page: number, options: { width: number; password: string | undefined }): Promise<PagePicture>;
  /** Tables that a loaded model fills. Their documents must be read before. */
  tables(engine: Engine, loaded: LoadedModel, options: TablesOptions): Extractions;
  close(): void;
}

export interface TablesOptions {
  recogniser: TextRecogniser;
  /** Of the documents that need one. */
  password: string | undefined;
  emit: (event: EventMessage) => void;
}

export interface DocumentServicesOptions {
  dataDirectory: string;
  /** Stays the caller's. */
  reader: DocumentReader;
  /** Nothing will be written: works beside the running app. */
  reads?: boolean;
}

/** Throws `store_*` when the data folder cannot be used, as while the app is running, unless it only reads. */
export function openDocumentServices({ dataDirectory, reader, reads = false }: DocumentServicesOptions): DocumentServices {
  const store = openStore(dataDirectory, { shares: reads });
  // Of a Loupe that was killed.
  if (!reads) store.forgetTexts();
  const fileOf = (id: number, password: string | undefined): DocumentFile =>
    libraryFile(store.documentFiles, store.documents.get(id), password);
  const showPage: DocumentServices['showPage'] = async (id, page, { width, password }) =>
    reader.showPage(fileOf(id, password), page, { width });

  return {
    library: createLibrary({ store, reader }),
    documents: store.documents,
    showPage,
    tables: (engine, { model, promptFormat }, { recogniser, password, emit }) =>
      createExtractions({
        store,
        engine: {
          use: (_, work) => work(engine),
          state: () => ({ use: useOf(promptFormat), contextLength: model.contextLength, vision: model.vision }),
        },
        readings: { start: () => {}, ended: async () => {} },
        draw: drawnBy((id, page) => showPage(id, page, { width: seenWidth, password })),
        wordVectors: wordVectorsOf(wordVectorsDirectory),
        readPicture: createPictureReader({ reader, recogniser, fileOf: (id) => fileOf(id, password) }),
        emit,
      }),
    close: () => store.close(),
  };
}
