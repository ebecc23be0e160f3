/** What is kept. */
import type {
  AnsweredBy,
  Citation,
  Conversation,
  ConversationSummary,
  Difference,
  Draft,
  Judgement,
  Message,
  Picture,
  PictureOrigin,
  QuestionScope,
  SearchHit,
  BackupChoice,
  Settings,
  StorageState,
  VaultState,
  TurnStatistics as StoredStatistics,
} from '../../contract.ts';
import type { Failure } from '../../errors.ts';
import type { ArchiveStore } from './archive.ts';
import type { Loose } from './common.ts';
import type { DocumentFiles, DocumentStore, KeptLook, NewCoverage } from './documents.ts';
import type { ExtractionStore } from './extractions.ts';
import type { ModelStore, DownloadStore, LicenceStore, LockFolder } from './models.ts';
import type { ServerStore } from './servers.ts';

/**
 * What is kept. Synchronous: every call is one short transaction, done when it returns. Throws
 * `not_found` for ids that are not (or no longer) there, and the `store_*` codes.
 */
export interface Store {
  readonly conversations: ConversationStore;
  /** Adds to what is kept. `get`, `original` and `shown` know the pictures of private conversations, too. */
  readonly pictures: PictureStore;
  /** Those of one conversation: what is added lies with it, and what is kept is known in any. Null: of one that is kept. */
  picturesOf(conversationId: number | null): PictureStore;
  readonly privately: PrivateConversations;
  readonly documents: DocumentStore;
  readonly documentFiles: DocumentFiles;
  readonly extractions: ExtractionStore;
  settings(): Settings;
  /** Merges what is not undefined, stores it, and returns all settings. */
  saveSettings(change: Loose<Settings>): Settings;
  readonly models: ModelStore;
  readonly downloads: DownloadStore;
  readonly licences: LicenceStore;
  readonly servers: ServerStore;
  readonly archive: ArchiveStore;
  readonly ledger: Ledger;
  readonly lockDownload: LockFolder;
  /** Deletes what was deleted 30 days ago, and pictures that nothing refers to any more; gives space back. */
  sweep(): void;
  /** What was unlocked only until Loupe closes: its pages wait again, and none of their words stays in any file. */
  forgetTexts(): void;
  readonly care: StoreCare;
  readonly vault: StoreVault;
  readonly cover: Cover;
  close(): void;
}

/** How the key of an encrypted folder is kept: behind a passphrase, or (null) in the system's keychain. */
export interface VaultWay {
  passphrase: string | null;
  /** Opens it as well. */
  recoveryCode: string;
}

/** The system's keychain. */
export interface Keychain {
  /** What `open` turns into the same text again, on this computer and for this person. */
  seal(text: string): string;
  /** Null where it was sealed elsewhere, or the keychain refuses. */
  open(sealed: string): string | null;
}

/** Encryption of all that is kept; off until somebody turns it on. */
export interface StoreVault {
  state(): VaultState;
  onChange(listener: (state: VaultState) => void): void;
  /** One that `turnOn` and `change` take: who is to keep it has it before anything needs it. */
  newRecoveryCode(): string;
  /** The store is closed until all is encrypted. Rejects with the `store_*` codes; all is then as it was. */
  turnOn(way: VaultWay): Promise<void>;
  /** `words`: passphrase or recovery code; null where the keychain opens it. `left`: damaged files that stay encrypted. */
  turnOff(words: string | null): Promise<{ left: number }>;
  /** Another passphrase, or the keychain, and another recovery code. Rejects with `passphrase_wrong`. */
  change(words: string | null, way: VaultWay): Promise<void>;
  /** Rejects with `passphrase_wrong`. */
  unlock(words: string): Promise<void>;
  /** Nothing happens where the keychain opens it. */
  lock(): Promise<void>;
}

/** For files that others keep in the data folder: encrypted where all is. */
export interface Cover {
  seal(bytes: Uint8Array): Uint8Array;
  /** Null for what cannot be read, or does not have the form that everything has now. */
  open(bytes: Uint8Array): Uint8Array | null;
}

/**
 * In what state the store is, and the way back from damage. While it cannot be written to, every call
 * that would write throws `store_full` or `store_read_only`; it looks again first. On a full disk
 * deleting works: a reserve is kept for it.
 */
export interface StoreCare {
  state(): StorageState;
  /** The gravest of it; null where nothing is known. */
  problem(): Failure | null;
  onChange(listener: (state: StorageState) => void): void;
  /** Looks again. */
  retry(): StorageState;
  /** Checks the database once, in another process, and makes the daily backup where it is due. Does not reject. */
  maintain(): Promise<void>;
  /** As `maintain`, for at most so long: before `close`. */
  finish(milliseconds: number): Promise<void>;
  backups(): Promise<BackupChoice[]>;
  /** Returns the name that the replaced database is kept under. Throws `not_found` and `store_damaged` for a backup that is not sound. */
  restore(name: string): Promise<string | null>;
  startAnew(): string | null;
  accept(): StorageState;
  /** Returns how many bytes it freed. */
  emptyBin(): number;
  /**
   * Leaves nothing of a conversation, deleted or not: no row, no word in an index or log, no picture that only it shows, and no backup
   * that may hold it; a new one is made first. Rejects with `not_found`, and `store_failed` while the database is not known to be sound.
   */
  erase(id: number): Promise<void>;
}

/**
 * Conversations that never reach a disk: they lie in the memory of this process, pictures and drafts included, and end with it at the
 * latest. Their ids, and those of their messages, are in ranges of their own; all other calls of the store take them as they take others.
 * They work while the disk is full or cannot be written to.
 */
export interface PrivateConversations {
  open(title: string): ConversationSummary;
  has(id: number): boolean;
  /** Nothing of it is left. Returns the hashes of its pictures; throws `not_found`. */
  close(id: number): string[];
  /** Stores it, in the order and with the times that it has, and closes it. Returns it under its new id. */
  keep(id: number, title: string): ConversationSummary;
}

export interface NewMessage {
  conversationId: number;
  parentId: number | null;
  role: 'user' | 'assistant';
  text: string;
  /** In order. */
  pictures: string[];
  state: Message['state'];
  model: string | null;
  /** Of a question about documents. Absent: about none. */
  scope?: QuestionScope | null;
  /** Of an answer in a comparison: which model is asked. */
  compared?: string | null;
}

export interface FinishedAnswer {
  text: string;
  state: Message['state'];
  failure: Failure | null;
  finish: Message['finish'];
  model: string | null;
  statistics: StoredStatistics | null;
  /** Absent where no guard was asked. */
  judgement?: Judgement;
  /** Absent where they are not checked yet, or there is nothing to check. */
  citations?: Citation[];
}

/** `busy` is false in all that it returns, and `checks` empty: the chat service knows better. */
export interface ConversationStore {
  list(): ConversationSummary[];
  summary(id: number): ConversationSummary;
  open(id: number): Conversation;
  create(title: string): ConversationSummary;
  rename(id: number, title: string): void;
  /** `instructions`: what the model is told at its start; empty: nothing. */
  instruct(id: number, instructions: string): void;
  /** All or, where one is gone or would have more tags than it may, none. */
  tag(ids: readonly number[], add: readonly string[], remove: readonly string[]): void;
  pin(id: number, pinned: boolean): void;
  /** Hidden at once, gone with the sweep. */
  delete(id: number): void;
  restore(id: number): void;
  search(query: string, limit: number): SearchHit[];
  /** Becomes the leaf of the branch that is shown. */
  append(message: NewMessage): Message;
  message(id: number): Message;
  /** From the first message to this one. */
  path(messageId: number): Message[];
  /** The text so far of an answer that is being written. */
  checkpoint(messageId: number, text: string): void;
  /** `streaming`: an answer is continued. */
  update(messageId: number, answer: FinishedAnswer): Message;
  /** Who is asked for an answer outside of this process; before anything is sent. Returns the answer. */
  saveServer(messageId: number, server: AnsweredBy): Message;
  /** What is looked at for an answer; once, before the model is asked. Returns the answer. */
  saveCoverage(messageId: number, coverage: NewCoverage): Message;
  /** What the model noted of a page that it looked at by itself; '' for nothing. */
  saveNote(messageId: number, look: Pick<KeptLook, 'documentId' | 'number'>, note: string): void;
  /** What the model gets of documents for this answer; empty where that is not decided. */
  looks(messageId: number): KeptLook[];
  /** Answers that have ended and whose citations were not checked, as after a crash. */
  unchecked(): number[];
  /** Returns the answer. */
  saveCitations(messageId: number, citations: Citation[]): Message;
  /** What a guard says of a complete answer and its question; throws `not_found` for any other. */
  judge(messageId: number, judgement: Judgement): Message;
  /** Of an answer that has ended with this text, until it changes; null where there is none any more. Returns the answer. */
  saveDifferences(messageId: number, text: string, differences: Difference[]): Message | null;
  /** Shows the newest leaf below the message, and returns its id. */
  selectBranch(messageId: number): number;
  pinPicture(id: number, hash: string | null): void;
  pinnedPicture(id: number): string | null;
  /** `id` null: of the conversation that does not exist yet. */
  saveDraft(id: number | null, text: string, pictures: string[], scope?: QuestionScope | null): void;
  draft(): Draft;
  /** Distinct questions, newest first, one line each. */
  recentPrompts(limit: number): string[];
  /** At start: what a process left `streaming` becomes `interrupted`. Returns how many. */
  markInterrupted(): number;
}

export interface NewPicture {
  /** The file as it came. */
  bytes: Uint8Array;
  name: string;
  width: number;
  height: number;
  origin: PictureOrigin;
  /** WebP, at most 320 x 320. */
  thumbnail: Uint8Array;
  /** PNG, where a browser cannot show the file itself. */
  display: Uint8Array | null;
}

/** A file, or what would be in it where nothing of it may reach a disk. */
export type StoredFile = { mediaType: string } & ({ path: string } | { bytes: Uint8Array });

/** By the SHA-256 of their bytes. What is kept lies in files, written beside the database and renamed into place. */
export interface PictureStore {
  /** The same bytes again keep their first record. */
  add(picture: NewPicture): Picture;
  get(hash: string): Picture;
  /** As `get`; null when there is none, or its file is missing: `add` completes it. */
  find(hash: string): Picture | null;
  /** It was added again: the sweep leaves it for another day. */
  touch(hash: string): void;
  /** The newest that a conversation shows and whose text was not read yet. */
  nextUnread(): string | null;
  /** What was read in it, which the search finds from now on. Nothing happens where the picture is gone. */
  saveText(hash: string, text: string): void;
  /** Of all pictures. */
  forgetTexts(): void;
  /** The file as it came. */
  original(hash: string): StoredFile;
  /** What a browser can show. */
  shown(hash: string, scale: 'full' | 'thumb'): StoredFile;
}

export interface LedgerEntry {
  at: number;
  host: string;
  purpose: string;
  sentBytes: number;
  receivedBytes: number;
}

export interface Ledger {
  installedAt(): number;
  /** Returns the entry's id. */
  add(entry: LedgerEntry): number;
  /** All that an open connection has carried so far. */
  count(id: number, sentBytes: number, receivedBytes: number): void;
  /** Connections to other machines. */
  list(): LedgerEntry[];
  /** A request of a program on this computer that was answered: what it sent, and what it was sent. */
  addProgram(request: ProgramBytes & { at: number }): void;
  /** All of them together; null where no program was ever answered. `since`: the first of them. */
  programs(): (ProgramBytes & { since: number }) | null;
}

/** Of a program on this computer, bodies alone. */
export interface ProgramBytes {
  questionBytes: number;
  answerBytes: number;
}
