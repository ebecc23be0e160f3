/** What a file is, by its first bytes: the one place that knows them. */

export type FileType = 'png' | 'jpeg' | 'gif' | 'webp' | 'tiff' | 'avif' | 'heic' | 'bmp' | 'pdf' | 'gguf';

export const ggufMagic = 'GGUF';
/** Readers take a PDF that has something before its header, up to here. */
const pdfHeaderWithin = 1100;

/**
 * Of the file, or its beginning. Bitmaps begin with two letters, which prove little: whoever decodes one looks further.
 * Null for all that is not listed.
 */
export function fileType(bytes: Uint8Array): FileType | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, pdfHeaderWithin)).toString('latin1');
  const start = head.slice(0, 64);
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (start.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (/^GIF8[79]a/.test(start)) return 'gif';
  if (/^RIFF[^]{4}WEBP/.test(start)) return 'webp';
  // The second of each is BigTIFF.
  if (/^(II[*+]\0|MM\0[*+])/.test(start)) return 'tiff';
  if (/^[^]{4}ftyp/.test(start)) {
    const brands = start.slice(8);
    if (/avi[fs]/.test(brands)) return 'avif';
    return /hei[cxms]|hev[cx]|mif1/.test(brands) ? 'heic' : null;
  }
  if (start.startsWith(ggufMagic)) return 'gguf';
  if (start.startsWith('BM')) return 'bmp';
  return head.includes('%PDF-') ? 'pdf' : null;
}
