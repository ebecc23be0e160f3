/**
 * What electron-builder makes of the checkout, looked into and run. Electron's own binary is not
 * needed: a file with its name and its fuses stands in for it.
 */
import { extractAll, getRawHeader, listPackage, statFile } from '@electron/asar';
import { FuseState, SENTINEL } from '@electron/fuses/dist/constants.js';
import { getConfig, validateConfiguration } from 'app-builder-lib/out/util/config/config.js';
import { DebugLogger } from 'builder-util';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureShell } from './electron.mjs';
import { root } from './paths.mjs';
import { ensureRenderer } from './renderer.mjs';
import { viteBuild } from './vite.mjs';

const run = promisify(execFile);
const fuseCount = 8;

let directory: string;
let resources: string;
let archive: string;
let unpacked: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-package-'));
  await ensureRenderer();
  await ensureShell();
  standIn(join(directory, 'electron'));
  await run(
    process.execPath,
    [
      ...[
        join(root, 'node_modules/electron-builder/cli.js'),
        '--linux',
        'dir',
        '--x64',
        '--publish',
        'never',
        '--config',
        join(root, 'electron-builder.yml'),
      ],
      ...[`-c.electronDist=${join(directory, 'electron')}`, `-c.directories.output=${join(directory, 'release')}`],
    ],
    { cwd: root },
  );
  resources = join(directory, 'release', 'linux-unpacked', 'resources');
  archive = join(resources, 'app.asar');
  unpacked = join(directory, 'unpacked');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Electron's folder, as far as packaging looks into it. */
function standIn(folder: string): void {
  mkdirSync(join(folder, 'locales'), { recursive: true });
  for (const locale of ['de', 'en-US', 'fr']) writeFileSync(join(folder, 'locales', `${locale}.pak`), '');
  writeFileSync(join(folder, 'LICENSE'), '');
  const fuses = Buffer.concat([Buffer.from(SENTINEL, 'latin1'), Buffer.of(1, fuseCount), Buffer.alloc(fuseCount, FuseState.ENABLE)]);
  writeFileSync(join(folder, 'electron'), Buffer.concat([Buffer.from('#!/bin/false\n'), fuses]), { mode: 0o755 });
}

function filesBelow(folder: string, base = ''): string[] {
  return readdirSync(join(folder, base), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(folder, join(base, entry.name)) : [join(base, entry.name)],
  );
}

/** Files of the archive, without their leading slash. */
function archived(): string[] {
  return listPackage(archive, { isPack: false })
    .map((path) => path.slice(1))
    .filter((path) => !('files' in statFile(archive, path)));
}

test('the configuration is valid', async () => {
  const config = await getConfig(root, 'electron-builder.yml', null);
  await expect(validateConfiguration(config, new DebugLogger(false))).resolves.toBeUndefined();
  await expect(validateConfiguration({ ...config, asarUnpacked: [] } as typeof config, new DebugLogger(false))).rejects.toThrow(
    'asarUnpacked',
  );
  expect(config.protocols).toEqual([{ name: 'Loupe', schemes: ['loupe'] }]);
  // Offered for what it reads, never the default: an installer for Windows makes what it is told of the default.
  expect([config.fileAssociations, config.win?.fileAssociations]).toEqual([undefined, undefined]);
  expect(config.mac?.fileAssociations).toEqual([
    expect.objectContaining({ ext: ['png', 'jpg', 'jpeg', 'webp', 'gif'], role: 'Viewer', rank: 'Alternate' }),
    expect.objectContaining({ ext: 'pdf', role: 'Viewer', rank: 'Alternate' }),
  ]);
  expect(config.linux?.mimeTypes).toEqual(['image/png', 'image/jpeg', 'image/webp', 'image/gif', 'application/pdf']);
  for (const icon of [config.mac?.icon, config.win?.icon, config.linux?.icon]) expect(existsSync(join(root, icon as string))).toBe(true);
  expect(readFileSync(join(root, config.mac?.entitlements as string), 'utf8')).toContain('com.apple.security.cs.allow-jit');
  expect((config.mac?.extendInfo as Record<string, string>)['NSScreenCaptureUsageDescription']).toMatch(/picture of the screen/);
});

describe('the archive', () => {
  test('holds the bundles, the window and the packages with native parts, and nothing else', () => {
    const files = archived();
    expect(files).toEqual(
      expect.arrayContaining([
        'package.json',
        'build/renderer/index.html',
        ...[
          'main.js',
          'host.js',
          'picture-worker.js',
          'check-worker.js',
          'ocr-worker.js',
          'line-thread.js',
          'document-worker.js',
          'preload.cjs',
          'licences.json',
        ].map((name) => `build/app/${name}`),
      ]),
    );
    const places = new Set(files.map((path) => path.split('/').slice(0, 2).join('/')));
    expect([...places].sort()).toEqual([
      'build/app',
      'build/renderer',
      'node_modules/@embedpdf',
      'node_modules/@img',
      'node_modules/better-sqlite3',
      'node_modules/detect-libc',
      'node_modules/onnxruntime-common',
      'node_modules/onnxruntime-node',
      'node_modules/pdfjs-dist',
      'node_modules/semver',
      'node_modules/sharp',
      'package.json',
    ]);
  });

  test('no source, no test, no map, no dev package, no build file', () => {
    const ours = [
      /\.(ts|mts|cts|svelte|map|test\.js|c|cc|cpp|hpp|gyp|gypi|sh|py|tsbuildinfo)$/,
      /(^|\/)(?<!sharp-libvips-[\w-]+\/)(README|CHANGELOG)[^/]*$/,
      /(^|\/)(test|tests|fixtures|training|e2e|setup|native|shaders|docs|\.git)\//,
    ];
    const strays = archived().filter((path) => ours.some((pattern) => pattern.test(path)));
    expect(strays).toEqual([]);
  });

  test('package.json names the bundle, and no script or dev dependency', () => {
    extractAll(archive, unpacked);
    const manifest = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest['main']).toBe('build/app/main.js');
    expect(manifest['type']).toBe('module');
    expect(manifest['scripts']).toBeUndefined();
    expect(manifest['devDependencies']).toBeUndefined();
  });

  test('what the system loads lies beside it as files', () => {
    const natives = archived().filter((path) => /\.(node|so(\.[\d.]+)?|dylib|dll)$/.test(path));
    expect(natives.filter((path) => !existsSync(join(`${archive}.unpacked`, path)))).toEqual([]);
    // Of one system only; versions are left out.
    expect(natives.map((path) => path.replace(/(?<=sharp-linux-x64-)[\d.]+(?=\.node$)|(?<=\.so)[\d.]+$/, '')).sort()).toEqual([
      'node_modules/@img/sharp-libvips-linux-x64/lib/libvips-cpp.so',
      'node_modules/@img/sharp-linux-x64/lib/sharp-linux-x64-.node',
      'node_modules/better-sqlite3/prebuilds/linux-x64.node',
      'node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime.so',
      'node_modules/onnxruntime-node/bin/napi-v6/linux/x64/onnxruntime_binding.node',
    ]);
    for (const path of natives) expect(statFile(archive, path)).toMatchObject({ unpacked: true });
  });

  test('no bundle reaches out of its place', () => {
    // Two folders up is where things are, in a checkout and in the archive alike.
    for (const name of readdirSync(join(root, 'build', 'app')).filter((file) => file.endsWith('.js'))) {
      const reaches = [...readFileSync(join(root, 'build', 'app', name), 'utf8').matchAll(/new URL\(["'`]((?:\.\.\/){3,}[^"'`]*)/g)].map(
        ([, path]) => path,
      );
      expect(reaches, name).toEqual([]);
    }
  });

  test('is small', () => {
    // Of which 10 MB read documents: pdfium, pdf.js, and what both need of fonts.
    expect(statSync(archive).size).toBeLessThan(16 * 1024 ** 2);
    expect(getRawHeader(archive).headerSize).toBeGreaterThan(0);
    const outside = filesBelow(`${archive}.unpacked`).reduce((sum, path) => sum + statSync(join(`${archive}.unpacked`, path)).size, 0);
    // Of which 45 MB are ONNX Runtime.
    expect(outside).toBeLessThan(76 * 1024 ** 2);
  });
});

test('beside the archive: engine, shaders, demo model, models that read text, vectors of words, icons', () => {
  const files = filesBelow(resources).filter((path) => !path.startsWith('app.asar'));
  expect(files).toEqual(
    expect.arrayContaining([
      'engine/loupe.node',
      'demo-model/model.safetensors',
      'demo-model/config.json',
      'demo-model/tokenizer.json',
      'ocr/detector.onnx',
      'ocr/recogniser.onnx',
      'ocr/characters.txt',
      'word-vectors/vectors.bin',
      'word-vectors/vocabulary.txt',
      'icons/tray.png',
      'icons/256x256.png',
    ]),
  );
  const shaders = readdirSync(join(root, 'build', 'shaders')).filter((name) => name.endsWith('.spv'));
  expect(files.filter((path) => path.startsWith('engine/shaders/')).sort()).toEqual(shaders.map((name) => `engine/shaders/${name}`).sort());
  expect(files.filter((path) => /samples|eval\.json|README/.test(path))).toEqual([]);
  expect(readdirSync(join(resources, '..', 'locales'))).toEqual(['en-US.pak']);
});

test('a second build of the same sources makes the same bytes', async () => {
  const again = join(directory, 'again');
  const build = async (args: string[], part: string): Promise<void> =>
    expect(await viteBuild([...args, '--outDir', join(again, part), '--logLevel', 'warn'])).toMatchObject({ code: 0 });
  for (const mode of ['production', 'preload'])
    await build(['--config', join(root, 'main/electron/vite.config.ts'), '--mode', mode], 'app');
  await build(['renderer'], 'renderer');
  for (const part of ['app', 'renderer']) {
    const of = (folder: string): Record<string, string> =>
      Object.fromEntries(
        readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
          .filter((file) => file.isFile() && !/\.map$|^licences\.json$/.test(file.name))
          .map((file) => join(file.parentPath, file.name))
          .map((path) => [relative(folder, path), createHash('sha256').update(readFileSync(path)).digest('hex')]),
      );
    const first = of(join(root, 'build', part));
    expect(Object.keys(first).length).toBeGreaterThan(2);
    expect(of(join(again, part)), part).toEqual(first);
  }
});

test('the executable cannot be turned into a Node, or made to run another app', () => {
  const executable = readFileSync(join(resources, '..', 'loupe'));
  const at = executable.indexOf(SENTINEL) + SENTINEL.length + 2;
  const [runAsNode, cookieEncryption, nodeOptions, inspect, integrity, onlyAsar, , fileProtocol] = [
    ...executable.subarray(at, at + fuseCount),
  ].map((state) => state === FuseState.ENABLE);
  expect({ runAsNode, cookieEncryption, nodeOptions, inspect, integrity, onlyAsar, fileProtocol }).toEqual({
    runAsNode: false,
    cookieEncryption: true,
    nodeOptions: false,
    inspect: false,
    integrity: true,
    onlyAsar: true,
    fileProtocol: false,
  });
});

test('the packaged app, with only Electron missing, reads a picture and a document, and answers a question', async () => {
  extractAll(archive, unpacked);
  const model = join(root, 'resources', 'demo-model');
  const samples = JSON.parse(readFileSync(join(model, 'samples.json'), 'utf8')) as {
    image: string;
    question: string;
    answer: string;
    expected: string;
  }[];
  const sample = samples.find(({ image, answer, expected }) => image.includes('heldout') && answer === expected)!;
  const { stdout } = await run(
    process.execPath,
    [join(root, 'main/electron/test/run-packaged.ts'), unpacked, resources, join(model, sample.image), sample.question],
    {
      cwd: directory,
      env: { ...process.env, LOUPE_DATA: join(directory, 'data'), LOUPE_ADDON: undefined, LOUPE_SHADERS: undefined },
    },
  );
  const result = JSON.parse(stdout) as Record<string, unknown>;
  expect(result).toMatchObject({
    page: { status: 200, text: expect.stringContaining('<title>Loupe</title>') as string },
    info: { host: 'electron', version: (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version },
    preload: join(unpacked, 'build', 'app', 'preload.cjs'),
    state: 'complete',
    failure: null,
  });
  expect(result['text']).toBe(sample.expected);
  expect(result['read']).toContain(sample.expected);
  expect(result['document']).toMatchObject({ flags: [[], ['damaged']], text: 'Notice is three months', words: 4 });
  expect(result['licences']).toBeGreaterThan(3);
});
