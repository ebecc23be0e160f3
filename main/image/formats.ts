/** What a file is, by its first bytes: decoders that nobody asked for (SVG, PDF) are never reached. */
import { isBmp, isDib } from './bmp.ts';
import { isIcon } from './ico.ts';

/** `dib`: a bitmap without the header of a file, as clipboards carry it. */
export type Format = 'png' | 'jpeg' | 'gif' | 'webp' | 'tiff' | 'avif' | 'bmp' | 'dib' | 'ico';

/** `heic` and `pdf` are known, to say what they are, and not read. */
export function sniff(bytes: Uint8Array): Format | 'heic' | 'pdf' | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString('latin1');
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (/^GIF8[79]a/.test(head)) return 'gif';
  if (/^RIFF[^]{4}WEBP/.test(head)) return 'webp';
  if (/^(II[*+]\0|MM\0[*+])/.test(head)) return 'tiff';
  if (/^[^]{4}ftyp/.test(head)) {
    if (/avi[fs]/.test(head.slice(8))) return 'avif';
    return /hei[cxms]|hev[cx]|mif1/.test(head.slice(8)) ? 'heic' : null;
  }
  if (/^[^]{0,8}%PDF-/.test(head)) return 'pdf';
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
