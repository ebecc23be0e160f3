import { mostDocumentBytes, mostPieceBytes, type Output } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import { RequestFailure } from '../api/transport.ts';
import { mayBeDocument } from '../documents/dropped-files.ts';
import { strings } from '../strings.ts';

/**
 * `sending`: its pieces; `checking`: the app looks into it; `locked` and `tooLong`: a person has to say something; `failed`: see
 * `failure`.
 */
export type UploadState = 'waiting' | 'sending' | 'checking' | 'locked' | 'tooLong' | 'failed';

/** A file on its way into the library. */
export class Upload {
  readonly key: number;
  readonly file: File;
  state = $state<UploadState>('waiting');
  sent = $state(0);
  failure = $state.raw<RequestFailure | null>(null);
  /** What the app calls it, from its first piece on; null again once the app keeps nothing of it. */
  id: string | null = null;
  /** What was entered and is right, while more is asked. */
  password: string | null = null;
  pages: string | null = null;
  /** What was said of its text with the password. */
  keepsText: boolean | undefined = undefined;
  /** The password of another file that came with it: often it is the same. */
  guess: string | null = null;
  readonly tried = new Set<string>();
  readonly #cancelled = Promise.withResolvers<never>();
  isCancelled = false;

  constructor(key: number, file: File) {
    this.key = key;
    this.file = file;
    // Nobody may be reading.
    this.#cancelled.promise.catch(() => {});
  }

  get name(): string {
    return this.file.name;
  }

  cancel(): void {
    this.isCancelled = true;
    this.#cancelled.reject(new Error('It was cancelled.'));
  }

  /** Rejects when it is cancelled, too: a drive that does not answer may keep a read waiting for ever. */
  async read(from: number, to: number): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await Promise.race([this.file.slice(from, to).arrayBuffer(), this.#cancelled.promise]));
  }
}

type Added = Output<'documents.finish'>;

/** What a person has entered for a file. */
interface Given {
  password: string | null;
  pages: string | null;
  /** False: only until Loupe closes. Absent: nobody was asked. */
  keepsText?: boolean | undefined;
}

/** Files on their way, one after the other; what has to be asked of a person holds up no other. */
export class Uploads {
  readonly #client: Client;
  readonly #onAdded: (added: Added, name: string) => void;
  #all = $state.raw<readonly Upload[]>([]);
  #nextKey = 1;
  /** What somebody entered for one is being tried. */
  #isAnswered = $state(false);
  #isSending = false;
  /** Passwords that opened a file, and what was said of its text, for as long as others are on their way. */
  readonly #opening = new Map<string, boolean | undefined>();

  constructor(client: Client, onAdded: (added: Added, name: string) => void) {
    this.#client = client;
    this.#onAdded = onAdded;
  }

  /** Those that are not in the library yet, and those that failed, in the order in which they came. */
  get all(): readonly Upload[] {
    return this.#all;
  }

  /** The first that a person has to answer for; none while an answer is being tried. */
  get asking(): Upload | null {
    return this.#isAnswered ? null : this.#first();
  }

  #first(): Upload | null {
    return this.#all.find(({ state }) => state === 'locked' || state === 'tooLong') ?? null;
  }

  add(files: readonly File[]): void {
    this.#all = [...this.#all, ...files.map((file) => new Upload(this.#nextKey++, file))];
    void this.#sendAll();
  }

  /** With the password, or the pages, that somebody entered. Resolves when the app has looked. */
  async finish(
    upload: Upload,
    { password = upload.password, pages = upload.pages, keepsText = upload.keepsText }: Partial<Given>,
  ): Promise<void> {
    if (upload.state !== 'locked' && upload.state !== 'tooLong') return;
    this.#isAnswered = true;
    await this.#finish(upload, { password, pages, keepsText });
    if (password !== null && !this.#all.includes(upload) && !upload.isCancelled) {
      this.#opening.set(password, keepsText);
      for (const other of this.#all) if (other.state === 'locked') this.#guess(other);
    }
    this.#isAnswered = false;
    void this.#sendAll();
  }

  /** Whether there is a password to try, which is done in its turn. */
  #guess(upload: Upload): boolean {
    const [password, keepsText] = [...this.#opening].find(([opens]) => !upload.tried.has(opens)) ?? [null];
    upload.guess = password;
    upload.keepsText = keepsText;
    if (password !== null) upload.state = 'waiting';
    return password !== null;
  }

  async #finish(upload: Upload, given: Given): Promise<void> {
    try {
      let added: Added | null = null;
      // What waited long for somebody is gone from the app; the file itself is still here.
      if (upload.id !== null) added = await this.#look(upload, given).catch(orNullWhereGone);
      if (!added) {
        if (!(await this.#bring(upload))) return;
        added = await this.#look(upload, given);
      }
      upload.id = null;
      this.#forget(upload);
      this.#onAdded(added, upload.name);
    } catch (thrown) {
      await this.#refused(upload, toRequestFailure(thrown), given);
    }
  }

  async #look(upload: Upload, given: Given): Promise<Added> {
    upload.state = 'checking';
    return this.#client.request('documents.finish', { upload: upload.id!, ...given });
  }

  /** Takes it out of the list; nothing of it is kept. */
  cancel(upload: Upload): void {
    upload.cancel();
    this.#forget(upload);
    void this.#drop(upload);
  }

  cancelAll(uploads: readonly Upload[]): void {
    for (const upload of uploads) this.cancel(upload);
  }

  async #sendAll(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    for (let next = this.#next(); next; next = this.#next())
      await this.#finish(next, { password: next.guess, pages: next.pages, keepsText: next.keepsText });
    this.#isSending = false;
    if (!this.#first()) this.#opening.clear();
  }

  #next(): Upload | undefined {
    return this.#all.find(({ state }) => state === 'waiting');
  }

  /** Whether all of it is with the app. */
  async #bring(upload: Upload): Promise<boolean> {
    const { file } = upload;
    upload.state = 'sending';
    upload.sent = 0;
    try {
      refuseOthers(file);
      upload.id = (await this.#client.request('documents.begin', { name: file.name.slice(0, 255), bytes: file.size })).upload;
      for (let at = 0; at < file.size && !upload.isCancelled; at += mostPieceBytes) {
        const bytes = await bytesOf(upload, at);
        await this.#client.request('documents.piece', { upload: upload.id, bytes });
        upload.sent = at + bytes.length;
      }
    } catch (thrown) {
      await this.#fail(upload, toRequestFailure(thrown));
      return false;
    }
    if (upload.isCancelled) await this.#drop(upload);
    return !upload.isCancelled;
  }

  async #refused(upload: Upload, failure: RequestFailure, given: Given): Promise<void> {
    if (failure.code === 'document_locked') {
      upload.failure = given.password === upload.guess ? null : failure;
      upload.pages = given.pages;
      if (given.password !== null) upload.tried.add(given.password);
      if (this.#guess(upload)) return;
      upload.state = 'locked';
    } else if (failure.code === 'document_too_large' || (failure.code === 'usage' && given.pages !== null)) {
      upload.failure = failure;
      upload.password = given.password;
      upload.keepsText = given.keepsText;
      upload.state = 'tooLong';
    } else return this.#fail(upload, failure);
    // The app keeps the one that is asked about. The others are sent again once somebody has answered for them: hundreds may be locked.
    if (this.#first() !== upload) await this.#drop(upload);
  }

  async #fail(upload: Upload, failure: RequestFailure): Promise<void> {
    upload.failure = failure;
    upload.state = 'failed';
    await this.#drop(upload);
  }

  async #drop(upload: Upload): Promise<void> {
    const { id } = upload;
    upload.id = null;
    // The app drops what is abandoned by itself: there is nothing to say.
    if (id !== null) await this.#client.request('documents.drop', { upload: id }).catch(() => {});
  }

  #forget(upload: Upload): void {
    this.#all = this.#all.filter((other) => other !== upload);
  }
}

function orNullWhereGone(thrown: unknown): null {
  if (toRequestFailure(thrown).code === 'document_missing') return null;
  throw thrown;
}

function refuseOthers(file: File): void {
  const text = strings.documents;
  if (!mayBeDocument(file)) {
    throw new RequestFailure({ code: 'document_unreadable', message: text.notADocument(file.name), nextStep: text.notADocumentStep });
  }
  if (file.size > mostDocumentBytes) {
    throw new RequestFailure({
      code: 'document_too_large',
      message: text.tooLarge(file.name, file.size, mostDocumentBytes),
      nextStep: text.tooLargeStep,
    });
  }
}

async function bytesOf(upload: Upload, at: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await upload.read(at, at + mostPieceBytes);
  } catch {
    // A drive that was pulled out, a file that was moved.
    const text = strings.documents;
    throw new RequestFailure({ code: 'document_missing', message: text.gone(upload.name), nextStep: text.goneStep });
  }
}
