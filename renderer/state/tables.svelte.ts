import type { Extraction, ExtractionCell, ExtractionField, ExtractionSummary } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import type { RequestFailure } from '../api/transport.ts';
import { strings } from '../strings.ts';
import type { Toasts } from './toasts.svelte.ts';

export interface NewTable {
  name: string;
  fields: ExtractionField[];
  by: 'document' | 'page';
  documents: number[];
}

/** Tables of what was taken from documents, and the one that is open. */
export class Tables {
  readonly #client: Client;
  readonly #toasts: Toasts;
  #all = $state.raw<readonly ExtractionSummary[] | null>(null);
  #opened = $state.raw<Extraction | null>(null);
  #failure = $state.raw<RequestFailure | null>(null);
  #isWanted = false;
  /** The table that was asked for last. */
  #wanted: number | null = null;
  /** What events have said of it while it was on its way: that is newer. */
  #isOnItsWay = false;
  #news: ((opened: Extraction) => Extraction)[] = [];

  constructor(client: Client, toasts: Toasts) {
    this.#client = client;
    this.#toasts = toasts;
    client.on('extraction.changed', (summary) => {
      if (this.#all) {
        const isKnown = this.#all.some(({ id }) => id === summary.id);
        this.#all = isKnown ? this.#all.map((other) => (other.id === summary.id ? summary : other)) : [summary, ...this.#all];
      }
      this.#change(summary.id, ({ rows }) => ({ ...summary, rows }));
    });
    client.on('extraction.cell', ({ id, row, field, cell }) => {
      this.#change(id, (opened) => ({ ...opened, rows: withCell(opened.rows, row, field, cell) }));
    });
    client.on('extraction.removed', ({ id }) => {
      this.#all = this.#all?.filter((other) => other.id !== id) ?? null;
      if (this.#opened?.id === id) this.close();
    });
    // The words of its pages are gone from the cells.
    client.on('document.removed', () => {
      if (this.#opened) void this.open(this.#opened.id);
    });
    client.onConnection((connected) => {
      if (!connected || !this.#isWanted) return;
      void this.refresh();
      if (this.#opened) void this.open(this.#opened.id);
    });
  }

  /** The last begun first; null until the app has answered. */
  get all(): readonly ExtractionSummary[] | null {
    return this.#all;
  }

  get opened(): Extraction | null {
    return this.#opened;
  }

  get failure(): RequestFailure | null {
    return this.#failure;
  }

  /** Does not reject. */
  async refresh(): Promise<void> {
    this.#isWanted = true;
    try {
      this.#all = await this.#client.request('extractions.list', {});
      this.#failure = null;
    } catch (thrown) {
      this.#failure = toRequestFailure(thrown);
    }
  }

  /** Does not reject. */
  async open(id: number): Promise<void> {
    this.#wanted = id;
    this.#news = [];
    this.#isOnItsWay = true;
    try {
      const opened = await this.#client.request('extractions.open', { id });
      if (this.#wanted === id) this.#opened = this.#news.reduce((table, change) => change(table), opened);
    } catch (thrown) {
      this.#toasts.failure(thrown);
    } finally {
      if (this.#wanted === id) this.#isOnItsWay = false;
    }
  }

  #change(id: number, change: (opened: Extraction) => Extraction): void {
    // Of an open one the news are in what is shown.
    if (id === this.#wanted && this.#isOnItsWay) this.#news.push(change);
    if (id === this.#opened?.id) this.#opened = change(this.#opened);
  }

  close(): void {
    this.#wanted = null;
    this.#opened = null;
  }

  /** Opens it. Returns whether there is one. */
  async create(table: NewTable): Promise<boolean> {
    try {
      const { id } = await this.#client.request('extractions.create', table);
      await this.open(id);
      return true;
    } catch (thrown) {
      this.#toasts.failure(thrown);
      return false;
    }
  }

  resume({ id }: ExtractionSummary): void {
    this.#toasts.attempt(this.#client.request('extractions.resume', { id }));
  }

  stop({ id }: ExtractionSummary): void {
    this.#toasts.attempt(this.#client.request('extractions.stop', { id }));
  }

  rename({ id }: ExtractionSummary, name: string): void {
    this.#toasts.attempt(this.#client.request('extractions.rename', { id, name }));
  }

  remove({ id, name }: ExtractionSummary): void {
    this.#toasts.attempt(
      this.#client.request('extractions.remove', { id }).then(() => this.#toasts.show({ message: strings.tables.removed(name) })),
    );
  }

  /** `value` null: the present one is right. */
  enter({ id }: ExtractionSummary, row: number, field: number, value: string | null): void {
    this.#toasts.attempt(this.#client.request('extractions.enter', { id, row, field, value }));
  }

  export({ id }: ExtractionSummary, format: 'csv' | 'json'): Promise<{ fileName: string; text: string }> {
    return this.#client.request('extractions.export', { id, format });
  }
}

function withCell(rows: Extraction['rows'], row: number, field: number, cell: ExtractionCell): Extraction['rows'] {
  return rows.map((other, at) =>
    at === row ? { ...other, cells: other.cells.map((old, index) => (index === field ? cell : old)) } : other,
  );
}

/** Whether a person should look at it. */
export function needsLook({ state }: ExtractionCell): boolean {
  return state === 'unsure' || state === 'failed' || state === 'missing';
}

/** The numbers of the rows, those first in which there is most to look at. */
export function rowOrder(rows: Extraction['rows'], doubtsFirst: boolean): number[] {
  const order = [...rows.keys()];
  if (!doubtsFirst) return order;
  const doubts = rows.map(({ cells }) => cells.filter(needsLook).length);
  return order.sort((one, other) => doubts[other]! - doubts[one]! || one - other);
}

/** The next cell to look at after a place, row by row in this order, from the beginning again; null where there is none. */
export function nextToLookAt(
  rows: Extraction['rows'],
  order: readonly number[],
  after: { row: number; field: number } | null,
): { row: number; field: number } | null {
  const places = order.flatMap((row) => rows[row]!.cells.map((cell, field) => ({ row, field, cell })));
  const at = after ? places.findIndex(({ row, field }) => row === after.row && field === after.field) : -1;
  const next = [...places.slice(at + 1), ...places.slice(0, at + 1)].find(({ cell }) => needsLook(cell));
  return next ? { row: next.row, field: next.field } : null;
}
