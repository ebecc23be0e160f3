/** Entry of the process that reads documents: whatever a hostile file breaks here is replaced. */
import '../image/in-memory.ts';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { parentChannel } from '../process/channel.ts';
import { confineReader } from '../process/confine.ts';
import { holdLifeline } from '../process/lifeline.ts';
import { toFailure } from '../errors.ts';
import type { DocumentFile } from '../services/ports.ts';
import type { DocumentReply, DocumentRequest } from './document-process.ts';
import { pagePicture } from './page-picture.ts';
import { openDocument, type OpenDocument } from './open-document.ts';

// Before anything is loaded. A form that draws itself takes all the memory it can get: 768 MiB of pdfium's, and as much of JavaScript's.
setFlagsFromString('--wasm-max-mem-pages=12288');
setFlagsFromString('--max-old-space-size=768');

/** V8 lets the young generation grow to 130 MB, and pages are read no faster for it: 25 MB are all that stays of them. */
const mostYoungBytes = 16_000_000;
const watching = setInterval(holdYoungGeneration, 10);

const lifeline = holdLifeline();
confineReader();
const channel = parentChannel({ confined: true });

/** The last document stays open: its pages are asked for one after the other. */
let open: { key: string; document: Promise<OpenDocument> } | null = null;

async function documentOf(file: DocumentFile): Promise<OpenDocument> {
  const key = JSON.stringify([file.path, file.password ?? null]);
  if (open?.key !== key) {
    const before = open;
    open = null;
    await (await before?.document.catch(() => null))?.close();
    open = { key, document: openDocument(file) };
  }
  const current = open;
  try {
    return await current.document;
  } catch (error) {
    if (open === current) open = null;
    throw error;
  }
}

async function answer(request: DocumentRequest): Promise<unknown> {
  const document = await documentOf(request.file);
  switch (request.kind) {
    case 'open':
      return document.facts;
    case 'read':
      return document.read(request.number, (reading) => channel.send({ id: request.id, kind: 'read', reading } satisfies DocumentReply));
    case 'draw':
      return document.draw(request.number, { dpi: request.dpi });
    case 'show':
      return pagePicture(await document.draw(request.number, { width: request.width }), request.width);
    default:
      return request satisfies never;
  }
}

async function serve(request: DocumentRequest): Promise<void> {
  const { id } = request;
  const memory = (): number => process.memoryUsage.rss();
  const reply = await answer(request).then(
    (result): DocumentReply => ({ id, kind: 'done', result, memory: memory() }),
    (error: unknown): DocumentReply => ({ id, kind: 'failed', failure: toFailure(error), broken: isBroken(error), memory: memory() }),
  );
  channel.send(reply);
}

function holdYoungGeneration(): void {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  if (!space || space.space_size < mostYoungBytes) return;
  setFlagsFromString('--semi-space-growth-factor=1');
  clearInterval(watching);
}

/** What WebAssembly and the engine of JavaScript throw leaves nothing behind that could be trusted. */
function isBroken(error: unknown): boolean {
  return error instanceof RangeError || (error instanceof Error && ['RuntimeError', 'ExitStatus'].includes(error.name));
}

// Ctrl-C reaches the whole process group; the parent decides what it means.
process.on('SIGINT', () => {});
channel.onClose(() => process.kill(process.pid, 'SIGKILL'));
channel.onMessage((message) => void serve(message as DocumentRequest));
void lifeline.started();
