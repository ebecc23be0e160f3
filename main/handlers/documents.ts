/** The library of documents. */
import type { AppPorts } from '../app-ports.ts';
import type { EventMessage } from '../contract.ts';
import type { Library } from '../services/documents/library.ts';
import { libraryFile } from '../services/documents/library-file.ts';
import type { PagePictures } from '../services/documents/page-pictures.ts';
import { wordsOf } from '../services/documents/question-words.ts';
import type { Readings } from '../services/documents/readings.ts';
import type { Uploads } from '../services/documents/uploads.ts';
import { done, type AreaHandlers } from './area.ts';

export interface DocumentHandlersOptions extends Pick<AppPorts, 'store' | 'documents'> {
  library: Library;
  uploads: Uploads;
  readings: Readings;
  pagePictures: PagePictures;
  emit: (event: EventMessage) => void;
}

export function documentHandlers({
  store,
  documents: reader,
  library,
  uploads,
  readings,
  pagePictures,
  emit,
}: DocumentHandlersOptions): AreaHandlers<'documents'> {
  const { documents, documentFiles } = store;

  async function setKeepsText(id: number, keeps: boolean): Promise<void> {
    const { hash } = documents.get(id);
    documents.setKeepsText(id, keeps);
    // Those that are kept were drawn while it was to stay.
    if (!keeps) await pagePictures.remove(hash);
  }

  return {
    'documents.list': () => documents.list().map(readings.view),
    'documents.pages': ({ id }) => documents.pages(id).map(({ text: _, ...page }) => page),
    'documents.page': async ({ id, number }) => {
      const { state, text } = documents.page(id, number);
      // Reading a picture again would take seconds: where its words are is kept.
      if (state !== 'text') return { text, words: documents.words(id, number) };
      // Where words are is no more than an aid: it is not there for a file that needs its password again.
      const file = libraryFile(documentFiles, documents.get(id), readings.passwordOf(id));
      const words = await reader.readPage(file, number).then(
        (page) => page.words,
        () => [],
      );
      return { text, words };
    },

    'documents.begin': async ({ name, bytes }) => ({ upload: await uploads.begin(name, bytes) }),
    'documents.piece': done(({ upload, bytes }) => uploads.append(upload, bytes)),
    'documents.finish': async ({ upload, password, pages, keepsText }) => {
      const { document, known } = await uploads.finish(upload, { password: password ?? undefined, pages, keepsText });
      if (known && keepsText !== undefined) await setKeepsText(document.id, keepsText);
      readings.start(document.id, { ocr: false, password: password ?? undefined });
      return { document: readings.view(documents.get(document.id)), known };
    },
    'documents.drop': done(({ upload }) => uploads.drop(upload)),

    'documents.read': done(async ({ id, ocr, password, keepsText }) => {
      if (keepsText !== undefined) await setKeepsText(id, keepsText);
      readings.start(documents.get(id).id, { ocr, password: password ?? undefined });
    }),
    'documents.stop': done(({ id }) => readings.stop(id)),
    'documents.remove': done(async ({ id }) => {
      await readings.stop(id);
      const { hash } = library.remove(id);
      await pagePictures.remove(hash);
      emit({ event: 'document.removed', payload: { id } });
    }),
    'documents.search': ({ query, documentId, limit }) => {
      const words = wordsOf(query);
      if (words.length === 0) return [];
      return documents.search({ words, documentId: documentId ?? undefined, limit }).map(({ score: _, ...hit }) => hit);
    },
  };
}
