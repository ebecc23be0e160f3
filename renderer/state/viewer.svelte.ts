import { limits, type DocumentPage, type PageWord } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import type { RequestFailure } from '../api/transport.ts';
import { markedWords, piecesOf } from '../documents/marked-words.ts';
import { delayed } from './timing.ts';
import type { PagePlace } from '../documents/page-place.ts';

const zooms = [0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];
const searchDelay = 200;
const loadEveryMs = 1000;
/** Pages with a hit that are stepped through. */
export const pageHitLimit = 200;

export interface PageText {
  text: string;
  words: PageWord[];
}

/** A place to be shown; the same place again is another object. */
export interface Goal {
  /** Of the page. */
  index: number;
  /** What has to be seen, in the units of the page; null: its beginning. */
  box: PageWord['box'] | null;
}

/** A word that is looked for, where it is on its page. */
export interface Mark {
  box: PageWord['box'];
  /** A part of what was stepped to last. */
  isSought: boolean;
}

/** A document that is being looked at: its pages, how they are shown, and what is looked for in them. */
export class Viewer {
  readonly #client: Client;
  readonly documentId: number;
  #pages = $state.raw<readonly DocumentPage[] | null>(null);
  #failure = $state.raw<RequestFailure | null>(null);
  #current = $state(0);
  #goal = $state.raw<Goal>({ index: 0, box: null });
  #zoom = $state(1);
  #quarters = $state(0);
  #drawing = $state(1);
  #query = $state('');
  /** Numbers of pages, in order; null while nothing is looked for. */
  #hits = $state.raw<readonly number[] | null>(null);
  #searchFailure = $state.raw<RequestFailure | null>(null);
  /** Which piece of those that are marked on a page. */
  #sought = $state.raw<{ number: number; piece: number } | null>(null);
  #texts = $state.raw<ReadonlyMap<number, PageText>>(new Map());
  readonly #asked = new Map<number, Promise<PageText>>();
  #loading: ReturnType<typeof setTimeout> | undefined;
  /** The query is not searched for yet. */
  #isTyping = false;
  #found: Promise<void> = Promise.resolve();
  readonly #off: () => void;
  readonly #searchSoon = delayed(() => void (this.#found = this.#searchAndShow()), searchDelay);

  constructor(client: Client, { documentId, page, find }: PagePlace) {
    this.#client = client;
    this.documentId = documentId;
    this.#current = page - 1;
    this.#goal = { index: page - 1, box: null };
    this.#query = find ?? '';
    this.#off = client.on('document.changed', ({ id }) => {
      if (id === documentId) this.#loadSoon();
    });
    void this.#begin(page);
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

  /** Where the reader wants to be. Scrolling does not change it. */
  get goal(): Goal {
    return this.#goal;
  }

  /** 1: as wide as there is room. */
  get zoom(): number {
    return this.#zoom;
  }

  /** How often the pages are turned clockwise by 90 degrees. */
  get quarters(): number {
    return this.#quarters;
  }

  /** Another number: the pages have to be drawn again. */
  get drawing(): number {
    return this.#drawing;
  }

  get query(): string {
    return this.#query;
  }

  set query(query: string) {
    this.#query = query;
    this.#sought = null;
    this.#isTyping = query.trim() !== '';
    if (!this.#isTyping) {
      this.#searchSoon.cancel();
      this.#hits = null;
      this.#searchFailure = null;
    } else this.#searchSoon();
  }

  get hits(): readonly number[] | null {
    return this.#hits;
  }

  get searchFailure(): RequestFailure | null {
    return this.#searchFailure;
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

  /** To the beginning of the page of this index, or to the nearest that there is. */
  go(index: number): void {
    this.current = index;
    this.#goal = { index: this.#current, box: null };
  }

  /** Index of the page that somebody names: the number that is printed on it comes before its place. Null where there is none. */
  indexOf(name: string): number | null {
    const wanted = name.trim().toLowerCase();
    const pages = this.#pages ?? [];
    const printed = pages.findIndex(({ label }) => label.toLowerCase() === wanted);
    const index = printed >= 0 ? printed : pages.findIndex(({ number }) => String(number) === wanted);
    return index >= 0 ? index : null;
  }

  /** To the next piece that is marked, or the previous one, on this page and then on others, around the end. Does not reject. */
  async step(back: boolean): Promise<void> {
    const isTyping = this.#isTyping;
    this.#searchSoon.flush();
    await this.#found;
    // The first hit of what was typed just now is shown by then.
    if (isTyping) return;
    const number = this.page?.number;
    if (number !== undefined && this.#hits?.length) await this.#stepFrom(number, back);
  }

  /** What a page says, and where. It is asked for once. Rejects with `RequestFailure`. */
  read(number: number): Promise<PageText> {
    const before = this.#asked.get(number);
    if (before) return before;
    const asked = this.#read(number);
    this.#asked.set(number, asked);
    return asked;
  }

  /** For pages that come into sight while something is looked for. Does not reject: a page is shown without its marks, too. */
  async want(number: number): Promise<void> {
    await this.read(number).catch(() => {});
  }

  /** The words that are looked for, as far as the page is known. */
  marksOf(number: number): Mark[] {
    const words = this.#texts.get(number)?.words ?? [];
    const sought = this.#sought?.number === number ? this.#sought.piece : null;
    return this.#piecesOf(number).flatMap((piece, at) => piece.map((index) => ({ box: words[index]!.box, isSought: at === sought })));
  }

  /** After something that kept the pages from being shown is out of the way. */
  refresh(): void {
    this.#asked.clear();
    this.#texts = new Map();
    this.#drawing++;
    void this.#load();
  }

  close(): void {
    this.#off();
    clearTimeout(this.#loading);
    this.#searchSoon.cancel();
  }

  async #begin(page: number): Promise<void> {
    await this.#load();
    if (this.#query.trim() === '') return;
    this.#found = this.#search();
    await this.want(page);
    // Somebody may have turned the page meanwhile.
    if (this.page?.number === page) this.#show(page, 0);
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
      const pages = await this.#client.request('documents.pages', { id: this.documentId });
      const before = this.#pages;
      this.#pages = pages;
      this.#failure = null;
      this.current = this.#current;
      if (before) this.#forgetChanged(before, pages);
    } catch (thrown) {
      this.#failure = toRequestFailure(thrown);
    }
  }

  /** A page that has been read meanwhile has other words than it had. */
  #forgetChanged(before: readonly DocumentPage[], pages: readonly DocumentPage[]): void {
    const changed = pages.filter(({ state }, index) => before[index]?.state !== state).map(({ number }) => number);
    if (changed.length === 0) return;
    const texts = new Map(this.#texts);
    for (const number of changed) {
      this.#asked.delete(number);
      texts.delete(number);
    }
    this.#texts = texts;
    if (this.#query.trim() !== '') this.#found = this.#search();
  }

  async #read(number: number): Promise<PageText> {
    try {
      const text = await this.#client.request('documents.page', { id: this.documentId, number });
      this.#texts = new Map(this.#texts).set(number, text);
      return text;
    } catch (thrown) {
      this.#asked.delete(number);
      throw toRequestFailure(thrown);
    }
  }

  async #search(): Promise<void> {
    const query = this.#query;
    try {
      // A quote may be longer.
      const input = { query: query.slice(0, limits.search), documentId: this.documentId, limit: pageHitLimit };
      const hits = await this.#client.request('documents.search', input);
      if (query !== this.#query) return;
      this.#hits = hits.map(({ number }) => number).sort((one, other) => one - other);
      this.#searchFailure = null;
    } catch (thrown) {
      if (query !== this.#query) return;
      this.#hits = null;
      this.#searchFailure = toRequestFailure(thrown);
    }
  }

  async #searchAndShow(): Promise<void> {
    this.#isTyping = false;
    await this.#search();
    const number = this.page?.number;
    if (number !== undefined && this.#hits?.length) await this.#stepFrom(number, false);
  }

  async #stepFrom(number: number, back: boolean): Promise<void> {
    const hits = this.#hits ?? [];
    const query = this.#query;
    if (hits.includes(number)) {
      await this.want(number);
      const last = Math.max(0, this.#piecesOf(number).length - 1);
      const sought = this.#sought?.number === number ? this.#sought.piece : null;
      const piece = sought === null ? (back ? last : 0) : sought + (back ? -1 : 1);
      if (piece >= 0 && piece <= last) return this.#show(number, piece);
    }
    const other = back ? (hits.findLast((hit) => hit < number) ?? hits.at(-1)) : (hits.find((hit) => hit > number) ?? hits[0]);
    if (other === undefined) return;
    await this.want(other);
    if (query === this.#query) this.#show(other, back ? Math.max(0, this.#piecesOf(other).length - 1) : 0);
  }

  #show(number: number, piece: number): void {
    const index = this.#pages?.findIndex((page) => page.number === number) ?? -1;
    if (index < 0) return;
    const [first] = this.#piecesOf(number)[piece] ?? [];
    const box = first === undefined ? null : (this.#texts.get(number)?.words[first]?.box ?? null);
    this.#sought = { number, piece };
    this.#current = index;
    this.#goal = { index, box };
  }

  #piecesOf(number: number): number[][] {
    const words = this.#texts.get(number)?.words;
    return !words || this.#query.trim() === '' ? [] : piecesOf(markedWords(words, this.#query));
  }
}
