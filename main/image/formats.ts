/** What a file is, by its first bytes: decoders that nobody asked for (SVG, PDF) are never reached. */
import { fileType } from '../file-type.ts';
import { isBmp, isDib } from './bmp.ts';
import { isIcon } from './ico.ts';

/** `dib`: a bitmap without the header of a file, as clipboards carry it. */
export type Format = 'png' | 'jpeg' | 'gif' | 'webp' | 'tiff' | 'avif' | 'bmp' | 'dib' | 'ico';

/** `heic` and `pdf` are known, to say what they are, and not read. */
export function sniff(bytes: Uint8Array): Format | 'heic' | 'pdf' | null {
  const type = fileType(bytes);
  if (type !== null && type !== 'bmp' && type !== 'gguf') return type;
  if (isIcon(bytes)) return 'ico';
  if (isBmp(bytes)) return 'bmp';
  return isDib(bytes) ? 'dib' : null;
}

/**
 * Whether a browser shows the file as the model gets it. TIFF and ICO it does not, or not the same image of it;
 * of bitmaps it may take for transparent what is not meant so.
 */
export function shownByBrowsers(bytes: Uint8Array): boolean {
  return ['png', 'jpeg', 'gif', 'webp', 'avif'].includes(sniff(bytes) ?? '');
}
