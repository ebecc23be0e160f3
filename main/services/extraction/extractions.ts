/**
 * Tables that are filled from documents, cell by cell. All cells are stored as waiting before the first is asked for, and each as
 * soon as it is known: whatever ends the work, it is resumed with the first cell that waits.
 */
import type { EngineState, EventMessage, Extraction, ExtractionCell, ExtractionField, ExtractionSummary } from '../../contract.ts';
import { extractionLimits } from '../../contract.ts';
import { LoupeError, toLoupeError } from '../../errors.ts';
import type { Answerer } from '../documents/answerer.ts';
import type { Readings } from '../documents/readings.ts';
import type { UseOptions } from '../engine-service.ts';
import type { CellPlace, NewExtraction, Store, StoredExtraction } from '../ports.ts';
import { exportTable } from './export-table.ts';
import { compareWithPicture, emptyCell, takeValue, type ExtractionScope, type ReadPicture, type TakenValue } from './extract-value.ts';

export interface ExtractionsOptions {
  store: Pick<Store, 'documents' | 'extractions' | 'care'>;
  engine: {
    use: <Result>(signal: AbortSignal, work: (engine: Answerer['engine']) => Promise<Result>, options: UseOptions) => Promise<Result>;
    state: () => Pick<EngineState, 'use' | 'contextLength' | 'vision'>;
  };
  /** Reads what waits, and the text in pictures of pages. */
  readings: Pick<Readings, 'start' | 'ended'>;
  draw: NonNullable<Answerer['draw']>;
  wordVectors?: Answerer['wordVectors'];
  readPicture: (page: Parameters<ReadPicture>[0], signal: AbortSignal) => ReturnType<ReadPicture>;
  emit: (event: EventMessage) => void;
  onFault?: ((error: unknown) => void) | undefined;
}

export interface Extractions {
  list(): ExtractionSummary[];
  open(id: number): Extraction;
  /** Throws `not_found`, and `usage` for more rows than a table may have. */
  create(extraction: Omit<NewExtraction, 'rows'> & { documents: number[] }): ExtractionSummary;
  resume(id: number): void;
  /** Resolves when nothing of it is asked any more; an aborted signal ends it. What waits then is not stopped for good. */
  ended(id: number, signal?: AbortSignal): Promise<void>;
  /** Resolves when nothing of it is asked any more. */
  stop(id: number): Promise<void>;
  rename(id: number, name: string): void;
  remove(id: number): Promise<void>;
  /** `value` null: the present one is right. Throws `usage` where there is none, or it is about to be asked for. */
  enter(id: number, place: CellPlace, value: string | null): ExtractionCell;
  export(id: number, format: 'csv' | 'json'): { fileName: string; text: string };
  /** Goes on with what an earlier run, or another database, left. */
  resumeAll(): void;
  /** Resolves when nothing is asked any more; what waits goes on with `resumeAll`. */
  pause(): Promise<void>;
  close(): Promise<void>;
}

interface Work {
  id: number;
  abort: AbortController;
  ended: PromiseWithResolvers<void>;
}

/** Failures that are not of a cell: the rest would fail in the same way. */
const ofAll = ['model_missing', 'device_out_of_memory', 'device_lost', 'engine_crashed', 'file_missing', 'store_full', 'store_read_only'];

export function createExtractions({
  store,
  engine,
  readings,
  draw,
  wordVectors,
  readPicture,
  emit,
  onFault = () => {},
}: ExtractionsOptions): Extractions {
  const { documents, extractions } = store;
  /** In the order in which they are filled; the first is being filled. */
  let queue: Work[] = [];
  let running: Promise<void> | null = null;
  let isClosed = false;

  const isRunning = (id: number): boolean => queue.some((work) => work.id === id && !work.abort.signal.aborted);
  const view = (stored: StoredExtraction): ExtractionSummary => ({ ...stored, running: isRunning(stored.id) });
  const report = (id: number): void => emit({ event: 'extraction.changed', payload: view(extractions.get(id)) });

  function keep(id: number, place: CellPlace, cell: ExtractionCell): ExtractionCell {
    extractions.saveCell(id, place, cell);
    emit({ event: 'extraction.cell', payload: { id, ...place, cell } });
    report(id);
    return cell;
  }

  async function fillAll(): Promise<void> {
    for (let next = queue[0]; next; next = queue[0]) {
      const work = next;
      try {
        await fill(work);
      } catch (thrown) {
        const error = toLoupeError(thrown);
        // A table that was removed meanwhile is nobody's.
        if (error.code !== 'cancelled' && error.code !== 'not_found') {
          onFault(thrown);
          quietly(() => extractions.setStopped(work.id, true, error.toFailure()));
        }
      }
      queue = queue.filter((other) => other !== work);
      work.ended.resolve();
      if (!isClosed) quietly(() => report(work.id));
    }
  }

  async function fill({ id, abort: { signal } }: Work): Promise<void> {
    const { fields } = extractions.get(id);
    const prepared = new Map<number, LoupeError | null>();
    for (let next = extractions.nextWaiting(id); next && !signal.aborted; next = extractions.nextWaiting(id)) {
      const { row, field, documentId, page } = next;
      if (!prepared.has(documentId)) prepared.set(documentId, await prepare(documentId));
      if (signal.aborted) return;
      const problem = prepared.get(documentId);
      const cell = problem
        ? { ...emptyCell, state: 'failed' as const, failure: problem.toFailure() }
        : await ask({ kind: 'document', id: documentId, pages: page === null ? null : String(page) }, fields[field]!, signal);
      // A person may have entered it meanwhile.
      if (extractions.cell(id, { row, field }).state === 'waiting') keep(id, { row, field }, cell);
    }
  }

  /** Reads what is not read yet. Returns why nothing can be asked of it. */
  async function prepare(documentId: number): Promise<LoupeError | null> {
    try {
      const { states } = documents.get(documentId);
      if (states.waiting + states.picture > 0) {
        readings.start(documentId, { ocr: true });
        await readings.ended(documentId);
      }
      return null;
    } catch (thrown) {
      const error = toLoupeError(thrown);
      if (error.code !== 'not_found') throw thrown;
      return new LoupeError('not_found', 'The document was removed from the library.', 'Add it again, and extract from it then.');
    }
  }

  async function ask(scope: ExtractionScope, field: ExtractionField, signal: AbortSignal): Promise<ExtractionCell> {
    try {
      const work = async (port: Answerer['engine']): Promise<TakenValue> => {
        const { contextLength, vision, use } = engine.state();
        if (use !== 'chat') throw new LoupeError('model_missing', 'This model does not answer questions.', 'Choose a model that chats.');
        const answerer: Answerer = { documents, engine: port, contextLength: contextLength!, draw: vision ? draw : null, wordVectors };
        return takeValue(answerer, scope, field, { signal, expand: true });
      };
      const taken = await engine.use(signal, work, { onlyHere: 'Tables are filled' });
      // Somebody else may have the engine meanwhile.
      return await compareWithPicture(documents, (page) => readPicture(page, signal), scope, field, taken);
    } catch (thrown) {
      const error = toLoupeError(thrown);
      if (signal.aborted || error.code === 'cancelled' || ofAll.includes(error.code)) throw thrown;
      return { ...emptyCell, state: 'failed', failure: error.toFailure() };
    }
  }

  function start(id: number): void {
    if (isClosed || isRunning(id) || extractions.nextWaiting(id) === null) return;
    queue.push({ id, abort: new AbortController(), ended: Promise.withResolvers() });
    running ??= fillAll()
      .catch(onFault)
      .finally(() => (running = null));
    report(id);
  }

  const worksOf = (id: number): Work[] => queue.filter((work) => work.id === id);

  async function ended(id: number): Promise<void> {
    await Promise.all(worksOf(id).map((work) => work.ended.promise));
  }

  async function stop(id: number): Promise<void> {
    for (const { abort } of worksOf(id)) abort.abort(new LoupeError('cancelled', 'The extraction was stopped.'));
    await ended(id);
  }

  return {
    list: () => extractions.list().map(view),
    open: (id) => ({ ...extractions.open(id), running: isRunning(id) }),

    create({ documents: ids, name, fields, by }) {
      const rows = [...new Set(ids)].flatMap((documentId): NewExtraction['rows'] =>
        by === 'document'
          ? [{ documentId: documents.get(documentId).id, page: null }]
          : documents
              .pages(documentId)
              .filter(({ state }) => state !== 'blank')
              .map(({ number }) => ({ documentId, page: number })),
      );
      if (rows.length === 0 || rows.length > extractionLimits.rows) {
        const much = rows.length === 0 ? 'no page' : `${rows.length.toLocaleString('en')} rows`;
        const most = extractionLimits.rows.toLocaleString('en');
        throw new LoupeError('usage', `The table would have ${much}; it may have 1 to ${most}.`, 'Choose other documents.');
      }
      const created = extractions.create({ name, fields, by, rows });
      start(created.id);
      return view(created);
    },

    resume(id) {
      extractions.retry(id);
      extractions.setStopped(id, false, null);
      start(id);
      report(id);
    },

    async ended(id, signal) {
      const onAbort = (): void => void stop(id);
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted) onAbort();
      await ended(id);
      signal?.removeEventListener('abort', onAbort);
    },

    async stop(id) {
      extractions.setStopped(extractions.get(id).id, true, null);
      await stop(id);
    },

    rename(id, name) {
      extractions.rename(id, name);
      report(id);
    },

    async remove(id) {
      await stop(extractions.get(id).id);
      extractions.remove(id);
      emit({ event: 'extraction.removed', payload: { id } });
    },

    enter(id, place, value) {
      const cell = extractions.cell(id, place);
      const right = value === null ? cell.value : value.trim();
      if (value === null && cell.state !== 'sure' && cell.state !== 'unsure' && cell.state !== 'missing')
        throw new LoupeError('usage', 'There is no value yet that could be right.', 'Enter one, or wait until it is found.');
      return keep(id, place, { ...cell, state: 'entered', value: right === '' ? null : right, doubts: [], failure: null });
    },

    export: (id, format) => exportTable(extractions.open(id), format),

    resumeAll() {
      if (store.care.state().access !== 'writable') return;
      for (const id of extractions.unfinished()) start(id);
    },

    async pause() {
      for (const { abort } of queue) abort.abort(new LoupeError('cancelled', 'Loupe is being locked.'));
      await running;
    },

    async close() {
      isClosed = true;
      for (const { abort } of queue) abort.abort(new LoupeError('cancelled', 'Loupe is closing.'));
      await running;
    },
  };
}

/** What a report or a note cannot say any more, as after the store was closed, is not said. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // The table is gone, or the store is.
  }
}
