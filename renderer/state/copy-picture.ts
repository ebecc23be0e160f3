/** Pictures out of the window: into the clipboard, and into a file. All as PNG, which every program takes. */
import { pictureUrl } from '../../main/contract.ts';
import { cropToPng } from '../capture/browser-frame.ts';
import { saveAs } from '../download.ts';
import { strings } from '../strings.ts';
import type { Toasts } from './toasts.svelte.ts';

const png = 'image/png';

/** Puts it into the clipboard. The window has to have the keyboard. Returns whether it is there; does not reject. */
export async function writePng(bytes: Promise<Uint8Array<ArrayBuffer>>): Promise<boolean> {
  try {
    // Given as a promise, so that the browser still knows of the click.
    await navigator.clipboard.write([new ClipboardItem({ [png]: bytes.then((data) => new Blob([data], { type: png })) })]);
    return true;
  } catch {
    return false;
  }
}

/** Puts it into the clipboard, as `writePng` does, and says so. */
export async function copyPng(bytes: Promise<Uint8Array<ArrayBuffer>>, toasts: Toasts): Promise<boolean> {
  const isThere = await writePng(bytes);
  if (isThere) toasts.show({ message: strings.chat.pictureCopied });
  else toasts.show({ tone: 'danger', message: strings.chat.copyPictureFailed, nextStep: strings.chat.copyPictureFailedStep });
  return isThere;
}

/** Does not reject. */
export async function copyPicture(hash: string, toasts: Toasts): Promise<void> {
  await copyPng(pngOf(hash), toasts);
}

/** Does not reject. */
export function savePicture(hash: string, name: string, toasts: Toasts): void {
  toasts.attempt(pngOf(hash).then((bytes) => saveAs(fileName(name), new Blob([bytes], { type: png }))));
}

/** As it is shown: whole, the right way up. */
async function pngOf(hash: string): Promise<Uint8Array<ArrayBuffer>> {
  const image = new Image();
  image.src = pictureUrl(hash, 'full');
  await image.decode();
  return cropToPng(image, { x: 0, y: 0, width: image.naturalWidth, height: image.naturalHeight });
}

/** "Screen capture" -> "Screen capture.png": with another ending than it came with. */
function fileName(name: string): string {
  const bare = name.replace(/\.\w{1,5}$/, '').trim();
  return `${bare || strings.chat.pastedPicture}.png`;
}
