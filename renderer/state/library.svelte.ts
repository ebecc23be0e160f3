import type { DocumentHit, LibraryDocument } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import type { RequestFailure } from '../api/transport.ts';
import type { Brought } from '../documents/dropped-files.ts';
import { mostFiles } from '../documents/dropped-files.ts';
import { strings } from '../strings.ts';
import { delayed } from './timing.ts';
import type { Toasts } from './toasts.svelte.ts';
import { Uploads } from './uploads.svelte.ts';

export const hitLimit = 50;
const searchDelay = 150;

/** The documents that Loupe keeps, files that are on their way to it, and a search in all of them. */
export class Library {
  readonly #client: Client;
  readonly #toasts: Toasts;
  readonly uploads: Uploads;
  #documents = $state.raw<readonly LibraryDocument[] | null>(null);
  #failure = $state.raw<RequestFailure | null>(null);
  #query = $state('');
  #hits = $state.raw<readonly DocumentHit[] | null>(null);
  /** Names of files that were not sent before the window was reloaded, until somebody has read them. */
  #unsent = $state.raw<readonly string[]>([]);
  #isWanted = false;
  /** What events have said while the list was on its way: it is newer. Null: of a document that is removed. */
  #news = new Map<number, LibraryDocument | null>();
  readonly #searchSoon = delayed(() => void this.#search(), searchDelay);
  /** The notice of documents that were there already, which a folder has many of. */
  #known = { notice: 0, count: 0 };

  constructor(client: Client, toasts: Toasts) {
    this.#client = client;
    this.#toasts = toasts;
    this.uploads = new Uploads(client, ({ document, known }, name) => {
      // What an event has said of it meanwhile is newer.
      if (!this.find(document.id)) this.#place(document);
      if (known) this.#sayKnown(name, document.name);
    });
    client.on('document.changed', (document) => {
      this.#news.set(document.id, document);
      this.#place(document);
    });
    client.on('document.removed', ({ id }) => {
      this.#news.set(id, null);
      this.#documents = this.#documents?.filter((document) => document.id !== id) ?? null;
      this.#hits = this.#hits?.filter(({ documentId }) => documentId !== id) ?? null;
    });
    client.onConnection((connected) => {
      if (connected && this.#isWanted) void this.refresh();
    });
  }

  get unsent(): readonly string[] {
    return this.#unsent;
  }

  /** With nothing, somebody has read them. */
  sayUnsent(names: readonly string[]): void {
    this.#unsent = names;
  }

  /** The last added first; null until the app has answered. */
  get documents(): readonly LibraryDocument[] | null {
    return this.#documents;
  }

  get failure(): RequestFailure | null {
    return this.#failure;
  }

  get query(): string {
    return this.#query;
  }

  set query(query: string) {
    this.#query = query;
    if (query.trim() === '') {
      this.#searchSoon.cancel();
      this.#hits = null;
    } else this.#searchSoon();
  }

  /** Null while nothing is searched for. */
  get hits(): readonly DocumentHit[] | null {
    return this.#hits;
  }

  find(id: number): LibraryDocument | null {
    return this.#documents?.find((document) => document.id === id) ?? null;
  }

  /** Asks for all of it, the first time and after events were missed. Does not reject. */
  async refresh(): Promise<void> {
    this.#isWanted = true;
    try {
      this.#news.clear();
      this.#documents = await this.#client.request('documents.list', {});
      for (const [id, document] of this.#news) {
        if (document) this.#place(document);
        else this.#documents = this.#documents.filter((other) => other.id !== id);
      }
      this.#failure = null;
    } catch (thrown) {
      this.#failure = toRequestFailure(thrown);
    }
  }

  add({ files, leftOut, cutOff, unread }: Brought): void {
    this.uploads.add(files);
    const [first] = unread;
    if (first !== undefined) {
      const message = strings.documents.unread(first, unread.length);
      this.#toasts.show({ tone: 'danger', message, nextStep: strings.documents.goneStep });
    }
    if (leftOut > 0) this.#toasts.show({ message: strings.documents.leftOut(leftOut) });
    if (cutOff) this.#toasts.show({ message: strings.documents.tooMany(mostFiles) });
  }

  read({ id }: LibraryDocument, ocr: boolean): void {
    this.#toasts.attempt(this.#client.request('documents.read', { id, ocr, password: null }));
  }

  /** A password that was missing; `keepsText` false: only until Loupe closes. Rejects with `RequestFailure`. */
  async unlock({ id }: LibraryDocument, password: string, keepsText: boolean): Promise<void> {
    await this.#client.request('documents.read', { id, ocr: false, password, keepsText });
  }

  stop({ id }: LibraryDocument): void {
    this.#toasts.attempt(this.#client.request('documents.stop', { id }));
  }

  remove({ id, name }: LibraryDocument): void {
    this.#toasts.attempt(
      this.#client.request('documents.remove', { id }).then(() => this.#toasts.show({ message: strings.documents.removed(name) })),
    );
  }

  #sayKnown(name: string, as: string): void {
    const { notice, count } = this.#known;
    const more = this.#toasts.shown.some(({ id }) => id === notice) ? count + 1 : 1;
    this.#toasts.dismiss(notice);
    this.#known = { notice: this.#toasts.show({ message: strings.documents.known(name, as, more) }), count: more };
  }

  #place(document: LibraryDocument): void {
    const all = this.#documents;
    if (!all) return;
    this.#documents = all.some(({ id }) => id === document.id)
      ? all.map((other) => (other.id === document.id ? document : other))
      : [document, ...all];
  }

  async #search(): Promise<void> {
    const query = this.#query;
    try {
      const hits = await this.#client.request('documents.search', { query, documentId: null, limit: hitLimit });
      // A newer question may have been asked meanwhile.
      if (query === this.#query) this.#hits = hits;
    } catch (thrown) {
      this.#toasts.failure(thrown);
    }
  }
}
