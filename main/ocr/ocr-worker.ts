/** Entry of the process that reads text in pictures. It decodes them too, and they may be hostile. */
import '../image/in-memory.ts';
import { availableParallelism, constants, setPriority } from 'node:os';
import { parentChannel } from '../process/channel.ts';
import { confineReader } from '../process/confine.ts';
import { holdLifeline } from '../process/lifeline.ts';
import { decodeImage } from '../image/decode.ts';
import type { RgbPicture } from '../image/resize.ts';
import { readImageSource } from '../image/source.ts';
import { ocrModels } from '../host/paths.ts';
import { toFailure } from '../errors.ts';
import type { OcrPicture } from '../services/ports.ts';
import type { OcrReply, OcrRequest } from './ocr-process.ts';
import { createRecogniser, type Recogniser } from './recognise.ts';

const lifeline = holdLifeline();
confineReader();
const channel = parentChannel({ confined: true });
let recogniser: Promise<Recogniser> | null = null;

/** What nobody waits for takes from the others as little as it can. */
function giveWay(): void {
  try {
    setPriority(constants.priority.PRIORITY_LOW);
  } catch {
    // It only takes longer from the others.
  }
}

/** Each beyond the first takes about 100 MB. */
const mostThreads = 2;

function startRecogniser(background: boolean): Promise<Recogniser> {
  if (background) giveWay();
  const threads = background ? 1 : Math.min(mostThreads, availableParallelism());
  return createRecogniser(process.env['LOUPE_OCR'] ?? ocrModels, { threads });
}

async function pixelsOf(picture: OcrPicture): Promise<RgbPicture> {
  if ('data' in picture) return picture;
  const { bytes, name } = await readImageSource(picture.source);
  return decodeImage(bytes, name, picture.page);
}

async function serve({ id, picture, background }: OcrRequest): Promise<void> {
  const reply = (message: OcrReply): void => channel.send(message);
  try {
    const pixels = await pixelsOf(picture);
    recogniser ??= startRecogniser(background);
    await (await recogniser).recognise(pixels, { onLine: (line) => reply({ id, kind: 'line', line }) });
    reply({ id, kind: 'done' });
  } catch (error) {
    reply({ id, kind: 'failed', failure: toFailure(error) });
  }
}

// Ctrl-C reaches the whole process group; the parent decides what it means.
process.on('SIGINT', () => {});
channel.onClose(() => process.kill(process.pid, 'SIGKILL'));
channel.onMessage((message) => void serve(message as OcrRequest));
void lifeline.started();
