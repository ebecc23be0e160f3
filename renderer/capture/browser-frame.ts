/** One frame of the screen, by way of the browser's own screen capture. The browser asks which screen. */
import { drawMarks, type Mark, type Region } from '../../main/contract.ts';
import { readable } from './frame.ts';

/** `cancelled`: the reader closed the browser's question. */
export type Grabbed =
  | { kind: 'frame'; canvas: HTMLCanvasElement }
  | { kind: 'cancelled' }
  | { kind: 'failed'; reason: 'unsupported' | 'denied' | 'not-readable' | 'no-frame' | 'other'; detail: string };

const frameTimeoutMs = 5000;

/** Sharing ends before this returns: nothing is watched beyond the one frame. */
export async function grabFrame(): Promise<Grabbed> {
  // Only missing in insecure pages and old browsers; the types do not know that.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices || !('getDisplayMedia' in devices)) return failed('unsupported');
  let stream: MediaStream;
  try {
    stream = await devices.getDisplayMedia({ video: { frameRate: 5 }, audio: false });
  } catch (error) {
    return refusal(error);
  }
  try {
    return await firstFrame(stream);
  } catch (error) {
    return failed('no-frame', error);
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}

async function firstFrame(stream: MediaStream): Promise<Grabbed> {
  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = stream;
  try {
    await Promise.race([video.play().then(() => shown(video)), timeout()]);
    if (video.videoWidth === 0) return failed('no-frame');
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext('2d', readable)?.drawImage(video, 0, 0);
    return { kind: 'frame', canvas };
  } finally {
    video.srcObject = null;
  }
}

/** The first frame that is really there: playing alone does not say so. */
function shown(video: HTMLVideoElement): Promise<void> {
  return new Promise((resolve) => video.requestVideoFrameCallback(() => resolve()));
}

function timeout(): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new Error(`no frame within ${frameTimeoutMs} ms`)), frameTimeoutMs));
}

/** Browsers say NotAllowedError both for "cancelled" and for "forbidden"; only the second lies with the system. */
export function refusal(error: unknown): Grabbed {
  if (!(error instanceof Error)) return failed('other', error);
  switch (error.name) {
    case 'NotAllowedError':
      return /system|policy/i.test(error.message) ? failed('denied', error) : { kind: 'cancelled' };
    case 'AbortError':
      return { kind: 'cancelled' };
    case 'NotReadableError':
      return failed('not-readable', error);
    case 'NotFoundError':
    case 'NotSupportedError':
      return failed('unsupported', error);
    default:
      return failed('other', error);
  }
}

function failed(reason: Extract<Grabbed, { kind: 'failed' }>['reason'], error?: unknown): Grabbed {
  return { kind: 'failed', reason, detail: error instanceof Error ? error.message : '' };
}

/** The region of a frame, or of another picture, with marks drawn into it, as the bytes of a PNG file. */
export async function cropToPng(frame: CanvasImageSource, region: Region, marks: readonly Mark[] = []): Promise<Uint8Array<ArrayBuffer>> {
  const canvas = document.createElement('canvas');
  canvas.width = region.width;
  canvas.height = region.height;
  const context = canvas.getContext('2d', { alpha: false });
  context?.drawImage(frame, -region.x, -region.y);
  if (context && marks.length > 0) {
    const pixels = context.getImageData(0, 0, region.width, region.height);
    drawMarks(pixels.data, region, marks, 'rgb');
    context.putImageData(pixels, 0, 0);
  }
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  if (!blob) throw new Error('The browser could not write the picture.');
  return new Uint8Array(await blob.arrayBuffer());
}
