import { expect, test } from 'vitest';
import { readLicences } from './licences.ts';
import { root } from './paths.ts';

test('everything that is shipped has its licence', async () => {
  const licences = await readLicences(root);
  const text = (name: string): string => licences.find((licence) => licence.name === name)?.text ?? '';
  expect(text('Llama 3.2')).toMatch(/LLAMA 3\.2 COMMUNITY LICENSE/i);
  // Five of them come with markdown-it.
  const inWindow = ['svelte', '@lucide/svelte', 'markdown-it', 'entities', 'linkify-it', 'mdurl', 'punycode.js', 'uc.micro'];
  for (const name of ['PP-OCRv6', 'all-MiniLM-L6-v2', 'ONNX Runtime', 'better-sqlite3', 'sharp', 'marked', 'valibot', ...inWindow])
    expect(text(name), name).toMatch(/copyright|licen[cs]e/i);
  // What lies in folders of a package: decoders, fonts and tables of characters.
  for (const part of [/Fabrice Bellard/, /LIBERATION FONT/, /Adobe/]) expect(text('pdfjs-dist')).toMatch(part);
  expect(text('@embedpdf/pdfium')).toContain('PDFium Authors');
  for (const name of ['GNU LGPL 3.0', 'GNU GPL 3.0']) expect(text(name), name).toMatch(/GNU (LESSER )?GENERAL PUBLIC LICENSE/);
  const libvips = licences.find(({ name }) => name.startsWith('@img/sharp-libvips'));
  expect(libvips?.text).toMatch(/LGPL/);
});
