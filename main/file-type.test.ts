import { expect, test } from 'vitest';
import { fileType } from './file-type.ts';

test.each([
  ['\x89PNG\r\n\x1a\n', 'png'],
  // As a transfer as text leaves it.
  ['\x89PNG\n\x1a\n', null],
  ['\xff\xd8\xff', 'jpeg'],
  ['GIF87a', 'gif'],
  ['GIF89a', 'gif'],
  ['RIFF....WEBP', 'webp'],
  ['RIFF....WAVE', null],
  ['II*\0', 'tiff'],
  ['MM\0*', 'tiff'],
  ['II+\0', 'tiff'],
  ['....ftypavif', 'avif'],
  ['....ftypmif1....avif', 'avif'],
  ['....ftypheic', 'heic'],
  ['....ftypmp42', null],
  ['BM', 'bmp'],
  ['GGUF\x03', 'gguf'],
  ['%PDF-1.7', 'pdf'],
  [`${' '.repeat(1000)}%PDF-1.7`, 'pdf'],
  [`${' '.repeat(2000)}%PDF-1.7`, null],
  // A picture that mentions one.
  ['\xff\xd8\xff....%PDF-1.7', 'jpeg'],
  ['<html>', null],
  ['', null],
])('%j', (head, type) => {
  expect(fileType(Buffer.from(head, 'latin1'))).toBe(type);
});

test('a view into a larger buffer is read from its own start', () => {
  expect(fileType(Buffer.from('junkGGUF').subarray(4))).toBe('gguf');
});
