import type { DocumentStore, Engine, ImageSource, KeptLook } from '../ports.ts';
import type { ChooseOptions } from './choose-pages.ts';

/** What it takes to answer a question about documents. */
export interface Answerer {
  documents: DocumentStore;
  engine: Pick<Engine, 'generate' | 'countTokens'>;
  contextLength: number;
  /** A page as a picture; null where the model sees none. */
  draw: ((page: Pick<KeptLook, 'documentId' | 'name' | 'number'>) => Promise<ImageSource>) | null;
  wordVectors?: ChooseOptions['wordVectors'];
}
