/** Files that a window sends piece by piece, until they are in the library or dropped. */
import { randomUUID } from 'node:crypto';
import { formatBytes, mostDocumentBytes, mostUploads } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import type { DocumentFiles, IncomingFile } from '../ports.ts';
import type { Added, AddOptions, Library } from './library.ts';

export interface Uploads {
  /** Returns what the upload is called from now on. Rejects with `document_too_large`, `document_failed` and the `store_*` codes. */
  begin(name: string, bytes: number): Promise<string>;
  append(upload: string, piece: Uint8Array): Promise<void>;
  /** Rejects as `Library.addReceived` does; the upload stays, to be finished with other options. */
  finish(upload: string, options: Pick<AddOptions, 'password' | 'pages' | 'keepsText'>): Promise<Added>;
  /** Nothing happens to one that is gone. */
  drop(upload: string): Promise<void>;
  close(): Promise<void>;
}

interface Upload {
  incoming: IncomingFile;
  name: string;
  /** That were announced. */
  bytes: number;
  received: number;
  /** By the clock that never goes back, ms. */
  touchedAt: number;
  /** What is being done with it: a piece is not written while another is. */
  turn: Promise<unknown>;
}

/** A window that went away drops nothing. Somebody may look for a password for a while. */
const abandonedAfterMs = 60 * 60 * 1000;

export function createUploads(
  { files, library }: { files: Pick<DocumentFiles, 'receive'>; library: Pick<Library, 'addReceived'> },
  now: () => number = () => performance.now(),
): Uploads {
  const uploads = new Map<string, Upload>();
  let beginning = 0;
  const timer = setInterval(() => void dropAbandoned().catch(() => {}), abandonedAfterMs / 4);
  timer.unref();

  function get(id: string): Upload {
    const upload = uploads.get(id);
    if (!upload) throw new LoupeError('document_missing', 'What had arrived of this file is gone.', 'Add the file again.');
    upload.touchedAt = now();
    return upload;
  }

  function inTurn<Result>(upload: Upload, work: () => Promise<Result>): Promise<Result> {
    const result = upload.turn.then(work);
    upload.turn = result.catch(() => {});
    return result;
  }

  async function drop(id: string): Promise<void> {
    const upload = uploads.get(id);
    uploads.delete(id);
    if (upload) await inTurn(upload, () => upload.incoming.drop());
  }

  async function dropAbandoned(): Promise<void> {
    for (const [id, { touchedAt }] of uploads) if (now() - touchedAt > abandonedAfterMs) await drop(id);
  }

  return {
    async begin(name, bytes) {
      if (bytes > mostDocumentBytes) {
        throw new LoupeError('document_too_large', `${name} has ${formatBytes(bytes)}; at most 1 GB is read.`);
      }
      await dropAbandoned();
      if (uploads.size + beginning >= mostUploads) {
        throw new LoupeError(
          'document_failed',
          `${name} was not added: ${mostUploads} other files are on their way.`,
          'Wait until some of them are in the library, and leave out those that need a password you do not have. Then add it again.',
        );
      }
      const id = randomUUID();
      beginning++;
      const incoming = await files.receive().finally(() => beginning--);
      uploads.set(id, { incoming, name, bytes, received: 0, touchedAt: now(), turn: Promise.resolve() });
      return id;
    },

    async append(id, piece) {
      const upload = get(id);
      await inTurn(upload, async () => {
        if (upload.received + piece.length > upload.bytes) throw changed(upload);
        await upload.incoming.append(piece);
        upload.received += piece.length;
      });
    },

    async finish(id, options) {
      const upload = get(id);
      return inTurn(upload, async () => {
        if (upload.received !== upload.bytes) throw changed(upload);
        const added = await library.addReceived(upload.incoming, upload.name, options);
        uploads.delete(id);
        return added;
      });
    },

    drop,

    async close() {
      clearInterval(timer);
      for (const id of uploads.keys()) await drop(id);
    },
  };
}

function changed({ name }: Upload): LoupeError {
  return new LoupeError('document_failed', `${name} changed while it was being added.`, 'Add it again once it is complete.');
}
