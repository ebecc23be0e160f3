/**
 * The desktop app as JavaScript: every process's entry in build/app/, side by side, because they
 * find each other and what is built beside them by relative paths. `--mode preload` builds the
 * one script that sandboxed pages load, which cannot be a module.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig, type UserConfig } from 'vite';

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const shared = {
  root: source('../..'),
  publicDir: false,
  logLevel: 'warn',
} satisfies UserConfig;

const output = {
  ssr: true,
  outDir: 'build/app',
  target: 'node24',
  minify: false,
  sourcemap: true,
  reportCompressedSize: false,
} as const;

/** Packages with native parts, WebAssembly or data beside them load these from where they lie. */
const external = [
  'electron',
  'better-sqlite3',
  'onnxruntime-node',
  'sharp',
  '@embedpdf/pdfium',
  'pdfjs-dist',
  'pdfjs-dist/legacy/build/pdf.mjs',
];

export default defineConfig(({ mode }): UserConfig => {
  if (mode === 'preload') {
    return {
      ...shared,
      build: {
        ...output,
        emptyOutDir: false,
        sourcemap: false,
        rolldownOptions: { input: source('preload.ts'), external, output: { format: 'cjs', entryFileNames: 'preload.cjs' } },
      },
      ssr: { noExternal: true, external },
    };
  }
  return {
    ...shared,
    build: {
      ...output,
      emptyOutDir: true,
      rolldownOptions: {
        input: {
          main: source('main.ts'),
          host: source('../engine/host.ts'),
          'picture-worker': source('../image/picture-worker.ts'),
          'check-worker': source('../storage/check-worker.ts'),
          'ocr-worker': source('../ocr/ocr-worker.ts'),
          'line-thread': source('../ocr/line-thread.ts'),
          'document-worker': source('../documents/document-worker.ts'),
        },
        external,
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
      },
    },
    ssr: { noExternal: true, external },
  };
});
