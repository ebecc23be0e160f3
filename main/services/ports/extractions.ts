/** What is kept of fields that were taken from documents. */
import type { Extraction, ExtractionCell, ExtractionSummary } from '../../contract.ts';
import type { Failure } from '../../errors.ts';

export type StoredExtraction = Omit<ExtractionSummary, 'running'>;

export interface NewExtraction extends Pick<Extraction, 'name' | 'fields' | 'by'> {
  rows: { documentId: number; page: number | null }[];
}

export interface CellPlace {
  row: number;
  field: number;
}

/** Rows and fields are counted from 0. Throws `not_found` for what is not (or no longer) there. */
export interface ExtractionStore {
  /** The last begun first. */
  list(): StoredExtraction[];
  get(id: number): StoredExtraction;
  open(id: number): Omit<Extraction, 'running'>;
  /** With a waiting cell for each field of each row. */
  create(extraction: NewExtraction): StoredExtraction;
  cell(id: number, place: CellPlace): ExtractionCell;
  /** The first cell that waits, by rows; null where none does. */
  nextWaiting(id: number): (CellPlace & { documentId: number; page: number | null }) | null;
  saveCell(id: number, place: CellPlace, cell: ExtractionCell): void;
  /** `stopped`: it is not resumed by itself. */
  setStopped(id: number, stopped: boolean, failure: Failure | null): void;
  /** Those that wait and were not stopped, the first begun first. */
  unfinished(): number[];
  /** Cells that failed wait again. */
  retry(id: number): void;
  rename(id: number, name: string): void;
  remove(id: number): void;
}
