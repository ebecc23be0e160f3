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
  isCancelled = false;

  constructor(key: number, file: File) {
    this.key = key;
    this.file = file;
  }

  get name(): string {
    return this.file.name;
  }
}

type Added = Output<'documents.finish'>;

/** What a person has entered for a file. */
interface Given {
  password: string | null;
  pages: string | null;
}

/** Files on their way, one after the other; what has to be asked of a person holds up no other. */
export class Uploads {
  readonly #client: Client;
  readonly #onAdded: (added: Added) => void;
  #all = $state.raw<readonly Upload[]>([]);
  #nextKey = 1;
  #isSending = false;

  constructor(client: Client, onAdded: (added: Added) => void) {
    this.#client = client;
    this.#onAdded = onAdded;
  }

  /** Those that are not in the library yet, and those that failed, in the order in which they came. */
  get all(): readonly Upload[] {
    return this.#all;
  }

  /** The first that a person has to answer for. */
  get asking(): Upload | null {
    return this.#all.find(({ state }) => state === 'locked' || state === 'tooLong') ?? null;
  }

  add(files: readonly File[]): void {
    this.#all = [...this.#all, ...files.map((file) => new Upload(this.#nextKey++, file))];
    void this.#sendAll();
  }

  /** With the password, or the pages, that somebody entered. Resolves when the app has looked. */
  async finish(upload: Upload, { password = null, pages = null }: Partial<Given>): Promise<void> {
    if (upload.state === 'locked' || upload.state === 'tooLong') await this.#finish(upload, { password, pages });
  }

  async #finish(upload: Upload, given: Given): Promise<void> {
    try {
      let added: Added | null = null;
      // What waited long for somebody is gone from the app; the file itself is still here.
      if (upload.id !== null) added = await this.#look(upload, given).catch(orNullWhereGone);
      if (!added) {
        await this.#bring(upload);
        if (upload.isCancelled) return await this.#drop(upload);
        added = await this.#look(upload, given);
      }
      upload.id = null;
      this.#forget(upload);
      this.#onAdded(added);
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
    upload.isCancelled = true;
    this.#forget(upload);
    void this.#drop(upload);
  }

  cancelAll(uploads: readonly Upload[]): void {
    for (const upload of uploads) this.cancel(upload);
  }

  async #sendAll(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    for (let next = this.#next(); next; next = this.#next()) await this.#finish(next, { password: null, pages: null });
    this.#isSending = false;
  }

  #next(): Upload | undefined {
    return this.#all.find(({ state }) => state === 'waiting');
  }

  async #bring(upload: Upload): Promise<void> {
    const { file } = upload;
    upload.state = 'sending';
    upload.sent = 0;
    refuseOthers(file);
    upload.id = (await this.#client.request('documents.begin', { name: file.name.slice(0, 255), bytes: file.size })).upload;
    for (let at = 0; at < file.size && !upload.isCancelled; at += mostPieceBytes) {
      const bytes = await bytesOf(file, at);
      await this.#client.request('documents.piece', { upload: upload.id, bytes });
      upload.sent = at + bytes.length;
    }
  }

  async #refused(upload: Upload, failure: RequestFailure, given: Given): Promise<void> {
    if (failure.code === 'document_locked') {
      upload.failure = given.password === null ? null : failure;
      upload.state = 'locked';
    } else if (failure.code === 'document_too_large' || (failure.code === 'usage' && given.pages !== null)) {
      upload.failure = failure;
      upload.state = 'tooLong';
    } else return this.#fail(upload, failure);
    // The app keeps the one that is asked about. The others are sent again once somebody has answered for them: hundreds may be locked.
    if (this.asking !== upload) await this.#drop(upload);
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

async function bytesOf(file: File, at: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await file.slice(at, at + mostPieceBytes).arrayBuffer());
  } catch {
    // A drive that was pulled out, a file that was moved.
    const text = strings.documents;
    throw new RequestFailure({ code: 'document_missing', message: text.gone(file.name), nextStep: text.goneStep });
  }
}
