import type { DocumentPage, PageWord } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import type { RequestFailure } from '../api/transport.ts';
import { markedWords } from '../documents/marked-words.ts';
import { delayed } from './timing.ts';
import type { PagePlace } from './ui.svelte.ts';

const zooms = [0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];
const searchDelay = 200;
const loadEveryMs = 1000;
/** Pages with a hit that are stepped through. */
const hitLimit = 200;

interface PageText {
  text: string;
  words: PageWord[];
}

/** A document that is being looked at: its pages, how they are shown, and what is looked for in them. */
export class Viewer {
  readonly #client: Client;
  readonly documentId: number;
  #pages = $state.raw<readonly DocumentPage[] | null>(null);
  #failure = $state.raw<RequestFailure | null>(null);
  #current = $state(0);
  #zoom = $state(1);
  #quarters = $state(0);
  #query = $state('');
  /** Numbers of pages, in order; null while nothing is looked for. */
  #hits = $state.raw<readonly number[] | null>(null);
  #texts = $state.raw<ReadonlyMap<number, PageText>>(new Map());
  readonly #asked = new Set<number>();
  #loading: ReturnType<typeof setTimeout> | undefined;
  readonly #off: () => void;
  readonly #searchSoon = delayed(() => void this.#search(), searchDelay);

  constructor(client: Client, { documentId, page, find }: PagePlace) {
    this.#client = client;
    this.documentId = documentId;
    this.#current = page - 1;
    this.#query = find ?? '';
    this.#off = client.on('document.changed', ({ id }) => {
      if (id === documentId) this.#loadSoon();
    });
    void this.#load();
    if (this.#query !== '') void this.#search();
  }

  /** Null until the app has answered. */
  get pages(): readonly DocumentPage[] | null {
    return this.#pages;
  }

  get failure(): RequestFailure | null {
    return this.#failure;
  }

  /** Index of the page that is looked at. */
  get current(): number {
    return this.#current;
  }

  set current(index: number) {
    this.#current = Math.max(0, Math.min(index, (this.#pages?.length ?? 1) - 1));
  }

  get page(): DocumentPage | null {
    return this.#pages?.[this.#current] ?? null;
  }

  /** 1: as wide as there is room. */
  get zoom(): number {
    return this.#zoom;
  }

  /** How often the pages are turned clockwise by 90 degrees. */
  get quarters(): number {
    return this.#quarters;
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

  get hits(): readonly number[] | null {
    return this.#hits;
  }

  zoomBy(steps: number): void {
    const at = zooms.indexOf(this.#zoom);
    this.#zoom = zooms[Math.max(0, Math.min(at + steps, zooms.length - 1))]!;
  }

  fit(): void {
    this.#zoom = 1;
  }

  rotate(): void {
    this.#quarters = (this.#quarters + 1) % 4;
  }

  /** Index of the page that somebody names: the number that is printed on it comes before its place. Null where there is none. */
  indexOf(name: string): number | null {
    const wanted = name.trim().toLowerCase();
    const pages = this.#pages ?? [];
    const printed = pages.findIndex(({ label }) => label.toLowerCase() === wanted);
    const index = printed >= 0 ? printed : pages.findIndex(({ number }) => String(number) === wanted);
    return index >= 0 ? index : null;
  }

  /** Index of the next, or the previous, page with a hit, around the end; null where there is none. */
  nextHit(back: boolean): number | null {
    const numbers = this.#hits ?? [];
    const now = this.page?.number ?? 0;
    const number = back ? (numbers.findLast((hit) => hit < now) ?? numbers.at(-1)) : (numbers.find((hit) => hit > now) ?? numbers[0]);
    const index = this.#pages?.findIndex((page) => page.number === number) ?? -1;
    return index >= 0 ? index : null;
  }

  /** What it says, and where; null until it is known. It is asked for once. */
  textOf(number: number): PageText | null {
    return this.#texts.get(number) ?? null;
  }

  /** For pages that come into sight while something is looked for. Does not reject. */
  async want(number: number): Promise<PageText | null> {
    if (this.#asked.has(number)) return this.textOf(number);
    this.#asked.add(number);
    try {
      const text = await this.#client.request('documents.page', { id: this.documentId, number });
      this.#texts = new Map(this.#texts).set(number, text);
      return text;
    } catch {
      // The page is shown all the same; the next look tries again.
      this.#asked.delete(number);
      return null;
    }
  }

  /** Boxes of the words that are looked for. */
  marksOf(number: number): PageWord['box'][] {
    const { words } = this.textOf(number) ?? { words: [] };
    return this.#query.trim() === '' ? [] : markedWords(words, this.#query).map((index) => words[index]!.box);
  }

  close(): void {
    this.#off();
    clearTimeout(this.#loading);
    this.#searchSoon.cancel();
  }

  /** While it is read a page changes every few milliseconds. */
  #loadSoon(): void {
    this.#loading ??= setTimeout(() => {
      this.#loading = undefined;
      void this.#load();
    }, loadEveryMs);
  }

  async #load(): Promise<void> {
    try {
      this.#pages = await this.#client.request('documents.pages', { id: this.documentId });
      this.#failure = null;
      this.current = this.#current;
    } catch (thrown) {
      this.#failure = toRequestFailure(thrown);
    }
  }

  async #search(): Promise<void> {
    const query = this.#query;
    const input = { query: query.slice(0, 200), documentId: this.documentId, limit: hitLimit };
    const hits = await this.#client.request('documents.search', input).catch(() => []);
    if (query === this.#query) this.#hits = hits.map(({ number }) => number).sort((one, other) => one - other);
  }
}
