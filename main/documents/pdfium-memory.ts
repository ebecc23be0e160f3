/** Memory of the WebAssembly module that pdfium is. */
import type { WrappedPdfiumModule } from '@embedpdf/pdfium';
import { LoupeError } from '../errors.ts';

/** Memory of the module for as long as `use` runs. */
export function withMemory<Result>({ pdfium }: WrappedPdfiumModule, bytes: number, use: (pointer: number) => Result): Result {
  const pointer = pdfium.wasmExports.malloc(bytes);
  if (pointer === 0) throw outOfMemory();
  try {
    return use(pointer);
  } finally {
    pdfium.wasmExports.free(pointer);
  }
}

export function outOfMemory(): LoupeError {
  return new LoupeError('document_failed', 'The page needs more memory than Loupe gives to one page.');
}

/** A string of a function that tells how many bytes it takes. */
export function utf16(module: WrappedPdfiumModule, get: (buffer: number, bytes: number) => number): string {
  const length = get(0, 0);
  if (length <= 2) return '';
  return withMemory(module, length, (buffer) => {
    get(buffer, length);
    return module.pdfium.UTF16ToString(buffer);
  });
}

/** Anew at each use: it is another array once the module's memory has grown. */
export function heap({ pdfium }: WrappedPdfiumModule): Uint8Array {
  return (pdfium as unknown as { HEAPU8: Uint8Array }).HEAPU8;
}
