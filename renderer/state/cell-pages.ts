import type { DocumentPage, PageWord } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';

/** A page that a value is on; `page` is null where the document has none of this number. */
export interface CellPage {
  page: DocumentPage | null;
  words: readonly PageWord[];
}

interface Receiver {
  found: (page: CellPage) => void;
  /** The document was removed, or the page cannot be read. */
  gone: () => void;
}

/** Who goes through the cells with the arrow keys passes them faster than this. */
const restMs = 120;
/** A document may have 5,000 pages, and a page thousands of words. */
const mostDocuments = 8;
const mostPages = 32;

/** The pages of a table's cells: asked for once somebody rests on one, and kept until their document changes. */
export class CellPages {
  readonly #client: Client;
  readonly #off: () => void;
  readonly #pages = new Map<number, Promise<readonly DocumentPage[]>>();
  readonly #words = new Map<string, Promise<readonly PageWord[]>>();
  readonly #known = new Map<string, CellPage>();

  constructor(client: Client) {
    this.#client = client;
    this.#off = client.on('document.changed', ({ id }) => this.#forget(id));
  }

  /** Tells at once what is known. Returns a function that stops it. */
  want(documentId: number, number: number, { found, gone }: Receiver): () => void {
    const known = this.#known.get(keyOf(documentId, number));
    if (known) {
      found(known);
      return () => {};
    }
    let isWanted = true;
    const timer = setTimeout(() => {
      this.#load(documentId, number).then(
        (page) => isWanted && found(page),
        () => isWanted && gone(),
      );
    }, restMs);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }

  close(): void {
    this.#off();
  }

  async #load(documentId: number, number: number): Promise<CellPage> {
    const key = keyOf(documentId, number);
    const asked = [
      kept(this.#pages, documentId, mostDocuments, () => this.#client.request('documents.pages', { id: documentId })),
      kept(this.#words, key, mostPages, async () => (await this.#client.request('documents.page', { id: documentId, number })).words),
    ] as const;
    const [pages, words] = await Promise.all(asked);
    const page = { page: pages.find((one) => one.number === number) ?? null, words };
    // It may have changed meanwhile.
    if (this.#words.get(key) === asked[1]) keep(this.#known, key, page, mostPages);
    return page;
  }

  #forget(documentId: number): void {
    this.#pages.delete(documentId);
    for (const map of [this.#words, this.#known]) for (const key of map.keys()) if (key.startsWith(keyOf(documentId, ''))) map.delete(key);
  }
}

function keyOf(documentId: number, number: number | ''): string {
  return `${documentId}.${number}`;
}

/** What was asked for before, or is being asked for; a failure is not kept. */
function kept<Key, Value>(map: Map<Key, Promise<Value>>, key: Key, most: number, ask: () => Promise<Value>): Promise<Value> {
  const before = map.get(key);
  if (before) return before;
  const asked = ask();
  keep(map, key, asked, most);
  asked.catch(() => {
    if (map.get(key) === asked) map.delete(key);
  });
  return asked;
}

/** The one that was added first makes room. */
function keep<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, most: number): void {
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value!);
}
