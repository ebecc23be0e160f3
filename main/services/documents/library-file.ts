import type { DocumentFile, DocumentFiles, StoredDocument } from '../ports.ts';

/** Loupe's copy of a document, as the reader takes it. */
export function libraryFile(
  files: Pick<DocumentFiles, 'path' | 'key'>,
  { hash, name }: Pick<StoredDocument, 'hash' | 'name'>,
  password: string | undefined,
): DocumentFile {
  return { path: files.path(hash), name, password, key: files.key(hash) };
}
