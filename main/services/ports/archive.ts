/** What is kept, in the form in which it goes from one Loupe to another. */
import type { ArchivedConversation, ArchivedDocument, ArchivedPicture, ArchivedSettings, ArchivedTable } from '../../archive-format.ts';

/** `merged`: it was there, and got what it lacked. `known`: it was there, with all of it. */
export type Put = 'added' | 'merged' | 'known';

/** Each `put` is one transaction, and changes nothing of what is there already: the same again is `known`. */
export interface ArchiveStore {
  /** Neither deleted nor private ones; the first begun first. */
  conversationIds(): number[];
  /** Null where it was deleted meanwhile. */
  conversation(id: number): ArchivedConversation | null;
  /** Throws `not_found`. */
  picture(hash: string): ArchivedPicture;
  /** Hashes, the first added first. */
  documentHashes(): string[];
  document(hash: string): ArchivedDocument | null;
  tableIds(): number[];
  table(id: number): ArchivedTable | null;
  /** Those that were ever changed. */
  settings(): ArchivedSettings;

  /** The pictures that it shows have to be there. A deleted one that can still be brought back is. */
  putConversation(conversation: ArchivedConversation): { id: number; put: Put };
  /** Its row and its pages; its file follows. */
  putDocument(document: ArchivedDocument & { hash: string; bytes: number }): { id: number; put: Put };
  /** It does not begin to be filled by itself. */
  putTable(table: ArchivedTable): { id: number; put: Put };
  /** Those that were never changed here. Says whether there were any. */
  putSettings(settings: ArchivedSettings): boolean;
}
