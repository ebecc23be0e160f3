/** Tables of fields that are taken from documents: every cell is a row from the beginning on. */
import { doubtsSchema, extractionFieldsSchema, failureSchema, type ExtractionCell, type Failure } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { CellPlace, Clock, ExtractionStore, StoredExtraction } from '../services/ports.ts';
import { transaction } from './database.ts';
import type { ReadDatabase, WriteDatabase } from './handles.ts';
import { parseJson, toJson } from './rows.ts';

export type ExtractionQueries = Pick<ExtractionStore, 'list' | 'get' | 'open' | 'cell' | 'nextWaiting' | 'unfinished'>;
export type ExtractionCommands = Omit<ExtractionStore, keyof ExtractionQueries>;

type CellState = ExtractionCell['state'];
type SummaryRow = Omit<StoredExtraction, 'fields' | 'states' | 'failure'> & { fields: string; failure: string | null };
type CellRow = Omit<ExtractionCell, 'doubts' | 'failure'> & { doubts: string; failure: string | null };

const none: StoredExtraction['states'] = { waiting: 0, sure: 0, unsure: 0, missing: 0, failed: 0, entered: 0 };
const summaryColumns = 'extractions.id, name, fields, row_kind as "by", created_at as createdAt, failure';
const cellColumns = 'state, value, quote, extraction_cells.page, doubts, reading, failure';
const cellOf = 'row_id = (select id from extraction_rows where extraction_id = :id and position = :row) and field = :field';

export function extractionQueries(database: ReadDatabase): ExtractionQueries {
  const statements = {
    list: database.prepare<[], SummaryRow>(`select ${summaryColumns} from extractions order by id desc`),
    get: database.prepare<[number], SummaryRow>(`select ${summaryColumns} from extractions where id = ?`),
    states: database.prepare<[number], { state: CellState; count: number }>(
      `select state, count(*) as count from extraction_rows join extraction_cells on row_id = extraction_rows.id
       where extraction_id = ? group by state`,
    ),
    rows: database.prepare<[number], { rowId: number; documentId: number; name: string; page: number | null }>(
      `select id as rowId, document_id as documentId, document_name as name, page
       from extraction_rows where extraction_id = ? order by position`,
    ),
    cells: database.prepare<[number], CellRow & { rowId: number }>(
      `select row_id as rowId, ${cellColumns} from extraction_rows join extraction_cells on row_id = extraction_rows.id
       where extraction_id = ? order by position, field`,
    ),
    cell: database.prepare<CellPlace & { id: number }, CellRow>(`select ${cellColumns} from extraction_cells where ${cellOf}`),
    next: database.prepare<[number], CellPlace & { documentId: number; page: number | null }>(
      `select position as row, field, document_id as documentId, extraction_rows.page
       from extraction_rows join extraction_cells on row_id = extraction_rows.id
       where extraction_id = ? and state = 'waiting' order by position, field limit 1`,
    ),
    unfinished: database
      .prepare<[], number>(
        `select id from extractions where stopped = 0 and exists (
           select 1 from extraction_rows join extraction_cells on row_id = extraction_rows.id
           where extraction_id = extractions.id and state = 'waiting'
         ) order by id`,
      )
      .pluck(),
  };

  function summaryOf({ fields, failure, ...row }: SummaryRow): StoredExtraction {
    const counted = statements.states.all(row.id).map(({ state, count }) => [state, count]);
    return {
      ...row,
      fields: parseJson(extractionFieldsSchema, fields) ?? [],
      states: { ...none, ...Object.fromEntries(counted) },
      failure: parseJson(failureSchema, failure) ?? null,
    };
  }

  function get(id: number): StoredExtraction {
    const row = statements.get.get(id);
    if (!row) throw new LoupeError('not_found', `There is no table ${id}.`, 'Look in the list of tables.');
    return summaryOf(row);
  }

  return {
    list: () => statements.list.all().map(summaryOf),
    get,
    open: (id) => {
      const summary = get(id);
      const cells = Map.groupBy(statements.cells.all(id), ({ rowId }) => rowId);
      const rows = statements.rows.all(id).map(({ rowId, ...row }) => ({ ...row, cells: (cells.get(rowId) ?? []).map(toCell) }));
      return { ...summary, rows };
    },
    cell: (id, { row, field }) => {
      const found = statements.cell.get({ id, row, field });
      if (!found) throw cellMissing(id);
      return toCell(found);
    },
    nextWaiting: (id) => statements.next.get(id) ?? null,
    unfinished: () => statements.unfinished.all(),
  };
}

function toCell({ state, value, quote, page, doubts, reading, failure }: CellRow): ExtractionCell {
  const kept = { state, value, quote, page, reading };
  return { ...kept, doubts: parseJson(doubtsSchema, doubts) ?? [], failure: parseJson(failureSchema, failure) ?? null };
}

function cellMissing(id: number): LoupeError {
  return new LoupeError('not_found', `There is no such cell in table ${id}.`, 'Open the table again.');
}

export function extractionCommands(database: WriteDatabase, clock: Clock, queries: ExtractionQueries): ExtractionCommands {
  const statements = {
    insert: database.prepare<[string, string, string, number]>(
      'insert into extractions (name, fields, row_kind, created_at) values (?, ?, ?, ?)',
    ),
    row: database.prepare<{ id: number; position: number; documentId: number; page: number | null }>(
      `insert into extraction_rows (extraction_id, position, document_id, document_name, page)
       select :id, :position, id, name, :page from documents where id = :documentId and removed = 0`,
    ),
    emptyCell: database.prepare<[number, number]>('insert into extraction_cells (row_id, field) values (?, ?)'),
    save: database.prepare<CellRow & CellPlace & { id: number }>(
      `update extraction_cells set state = :state, value = :value, quote = :quote, page = :page, doubts = :doubts,
         reading = :reading, failure = :failure where ${cellOf}`,
    ),
    stopped: database.prepare<[number, string | null, number]>('update extractions set stopped = ?, failure = ? where id = ?'),
    retry: database.prepare<[number]>(
      `update extraction_cells set state = 'waiting', failure = null
       where state = 'failed' and row_id in (select id from extraction_rows where extraction_id = ?)`,
    ),
    rename: database.prepare<[string, number]>('update extractions set name = ? where id = ?'),
    remove: database.prepare<[number]>('delete from extractions where id = ?'),
  };

  return {
    create: ({ name, fields, by, rows }) =>
      transaction(database, () => {
        const id = Number(statements.insert.run(name, JSON.stringify(fields), by, clock.now()).lastInsertRowid);
        for (const [position, { documentId, page }] of rows.entries()) {
          const added = statements.row.run({ id, position, documentId, page });
          if (added.changes === 0)
            throw new LoupeError('not_found', `There is no document ${documentId}.`, 'Look in the list of documents.');
          for (const field of fields.keys()) statements.emptyCell.run(Number(added.lastInsertRowid), field);
        }
        return queries.get(id);
      }),
    saveCell: (id, place, { doubts, failure, ...cell }) => {
      const changed = statements.save.run({ ...cell, ...place, id, doubts: JSON.stringify(doubts), failure: toJson(failure) });
      if (changed.changes === 0) throw cellMissing(id);
    },
    setStopped: (id, stopped, failure: Failure | null) => void statements.stopped.run(Number(stopped), toJson(failure), id),
    retry: (id) => {
      queries.get(id);
      statements.retry.run(id);
    },
    rename: (id, name) => {
      queries.get(id);
      statements.rename.run(name, id);
    },
    remove: (id) => {
      queries.get(id);
      statements.remove.run(id);
    },
  };
}
