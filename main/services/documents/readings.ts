/** Which documents are being read: one after the other, reported page by page, resumed after a restart. */
import type { EventMessage, LibraryDocument } from '../../contract.ts';
import { toLoupeError, type Failure } from '../../errors.ts';
import type { Store, StoredDocument, TextRecogniser } from '../ports.ts';
import { throttle } from '../throttle.ts';
import type { Library } from './library.ts';

export interface ReadingsOptions {
  store: Pick<Store, 'documents' | 'care'>;
  library: Pick<Library, 'read'>;
  recogniser: TextRecogniser;
  emit: (event: EventMessage) => void;
  onFault?: ((error: unknown) => void) | undefined;
  /** Between two reports of one document, ms. */
  reportEveryMs?: number;
}

export interface Readings {
  /** What is kept of a document, and whether it is being read. */
  view(document: StoredDocument): LibraryDocument;
  /** Returns at once. One that is being read is read with `ocr` as well, once this is wanted. */
  start(id: number, options: { ocr: boolean; password?: string | undefined }): void;
  /** What was last entered for it, until the app ends. */
  passwordOf(id: number): string | undefined;
  /** Reports of a document why it cannot be shown, until it is read again, which is also how it gets a password. */
  fail(id: number, failure: Failure): void;
  /** Resolves when nothing of it is read any more. */
  ended(id: number): Promise<void>;
  /** As `ended`, and soon. */
  stop(id: number): Promise<void>;
  /** Begins with what an earlier run, or another database, left. */
  resume(): void;
  /** Resolves when nothing is read any more; what waits goes on with `resume`. Passwords are forgotten. */
  pause(): Promise<void>;
  close(): Promise<void>;
}

interface Reading {
  id: number;
  ocr: boolean;
  password: string | undefined;
  /** Pages that failed are tried again. */
  again: boolean;
  abort: AbortController;
  /** Resolves when nothing of it is read any more. */
  ended: PromiseWithResolvers<void>;
}

export function createReadings({ store, library, recogniser, emit, onFault = () => {}, reportEveryMs = 250 }: ReadingsOptions): Readings {
  /** In the order in which they are read; the first is being read. */
  let queue: Reading[] = [];
  let isRunning = false;
  let running: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  /** Of readings that ended without a page at fault, as for want of a password: it is not kept. */
  const failures = new Map<number, Failure>();
  const passwords = new Map<number, string>();
  const report = throttle(reportEveryMs, reportNow);

  function reportNow(id: number): void {
    try {
      emit({ event: 'document.changed', payload: view(store.documents.get(id)) });
    } catch {
      // It was removed, or the database was closed, meanwhile: there is nothing to report.
    }
  }

  function view({ hash: _, ...document }: StoredDocument): LibraryDocument {
    const readings = queue.filter(({ id, abort }) => id === document.id && !abort.signal.aborted);
    const ocr = readings.some((reading) => reading.ocr);
    const { waiting, picture } = document.states;
    return {
      ...document,
      marks: store.documents.marks(document.id),
      failure: readings.length > 0 ? null : (failures.get(document.id) ?? document.failure),
      reading: readings.length > 0 ? { left: waiting + (ocr ? picture : 0), ocr } : null,
    };
  }

  async function readAll(): Promise<void> {
    for (let next = queue[0]; next; next = queue[0]) {
      const reading = next;
      await readOne(reading);
      queue = queue.filter((other) => other !== reading);
      reading.ended.resolve();
      report.now(reading.id);
    }
  }

  async function readOne({ id, ocr, password, again, abort: { signal } }: Reading): Promise<void> {
    if (signal.aborted) return;
    try {
      if (again) store.documents.retry(id);
      await library.read(id, { password, recogniser: ocr ? recogniser : null, signal, onPage: () => report(id) });
    } catch (thrown) {
      const error = toLoupeError(thrown);
      if (error.code === 'cancelled' || error.code === 'not_found') return;
      failures.set(id, error.toFailure());
      if (error.code !== 'document_locked') onFault(thrown);
    }
  }

  function run(): void {
    if (isRunning || isClosed) return;
    isRunning = true;
    running = readAll()
      .catch(onFault)
      .finally(() => (isRunning = false));
  }

  function add(id: number, { ocr, password = passwords.get(id), again }: Pick<Reading, 'ocr' | 'password' | 'again'>): void {
    const hadFailed = failures.delete(id);
    if (password !== undefined) passwords.set(id, password);
    const before = queue.find((reading) => reading.id === id && !reading.abort.signal.aborted);
    if (before && (before.ocr || !ocr)) return;
    const { states } = store.documents.get(id);
    if (states.waiting + (again ? states.failed : 0) + (ocr ? states.picture : 0) === 0) {
      if (hadFailed) reportNow(id);
      return;
    }
    // What waits is read by the one that is there already; this one finds only the pictures left.
    queue.push({ id, ocr, again, password, abort: new AbortController(), ended: Promise.withResolvers() });
    reportNow(id);
    run();
  }

  async function ended(id: number): Promise<void> {
    await Promise.all(queue.filter((reading) => reading.id === id).map((reading) => reading.ended.promise));
  }

  return {
    view,
    passwordOf: (id) => passwords.get(id),

    fail(id, failure) {
      failures.set(id, failure);
      report(id);
    },

    start: (id, { ocr, password }) => add(id, { ocr, password, again: true }),

    ended,

    async stop(id) {
      for (const { abort } of queue.filter((reading) => reading.id === id)) abort.abort();
      await ended(id);
    },

    resume() {
      if (store.care.state().access !== 'writable') return;
      for (const { id, states, failure } of store.documents.list().toReversed())
        if (states.waiting > 0 && !failure) add(id, { ocr: false, password: undefined, again: false });
    },

    async pause() {
      passwords.clear();
      for (const { abort } of queue) abort.abort();
      await running;
    },

    async close() {
      isClosed = true;
      for (const { abort } of queue) abort.abort();
      await running;
      report.cancel();
    },
  };
}
