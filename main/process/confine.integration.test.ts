/** What a process can still do once it has given up its rights. Linux on x64 and arm64; elsewhere it says why it did not. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { createEngineClient } from '../engine/client.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { forkHost } from './channel.ts';

const holdsHere = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
const reason = holdsHere ? '' : ` (skipped: not made for ${process.platform} on ${process.arch})`;

test.skipIf(!holdsHere)(`no file, socket or process can be opened, in no thread, and the rest works${reason}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-confine-'));
  const file = join(folder, 'secret');
  writeFileSync(file, 'x');
  try {
    const child = forkHost({ entry: fileURLToPath(new URL('./test/confined.ts', import.meta.url)), env: { XDG_TEST_FILE: file } });
    const said = await new Promise<{ refused: Record<string, string> }>((resolve, reject) => {
      child.onMessage((message) => resolve(message as { refused: Record<string, string> }));
      child.onExit(({ lastWords }) => reject(new Error(lastWords)));
    });
    child.kill();
    expect(said).toMatchObject({ unconfined: null, kept: { open: 'done', parent: 'done' } });
    const { signal, ...others } = said.refused;
    expect(others).toEqual(Object.fromEntries(Object.keys(others).map((name) => [name, 'EACCES'])));
    expect(['EACCES', 'EPERM']).toContain(signal);
    expect([existsSync(file), existsSync(`${file}-new`)]).toEqual([true, false]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.skipIf(!holdsHere)(`the picture process gives up its rights before it is handed a picture${reason}`, async () => {
  const worker = createPictureWorker();
  try {
    expect(await worker.confinement()).toBeNull();
  } finally {
    await worker.close();
  }
});

test.skipIf(!holdsHere).each(['image/picture-worker', 'ocr/ocr-worker', 'documents/document-worker'])(
  `what reads hostile files gives up rights before it is handed one: %s${reason}`,
  async (entry) => {
    const child = forkHost({ entry: fileURLToPath(new URL(`../${entry}.ts`, import.meta.url)) });
    try {
      await vi.waitFor(() => expect(readFileSync(`/proc/${child.pid}/status`, 'utf8')).toMatch(/NoNewPrivs:\t1\nSeccomp:\t2\n/), 30_000);
    } finally {
      child.kill();
    }
  },
);

const demoModel = fileURLToPath(new URL('../../resources/demo-model/', import.meta.url));

test.skipIf(!holdsHere)(
  `the engine's process can write nowhere else, and open no socket or process, in no thread${reason}`,
  async ({ annotate, skip }) => {
    const folder = mkdtempSync(join(tmpdir(), 'loupe-confine-'));
    writeFileSync(join(folder, 'secret'), 'x');
    mkdirSync(join(folder, 'cache'));
    try {
      const child = forkHost({
        entry: fileURLToPath(new URL('./test/confined-engine.ts', import.meta.url)),
        env: { XDG_TEST_FOLDER: folder },
      });
      const said = await new Promise<{ unconfined: string | null; refused: Record<string, string> }>((resolve, reject) => {
        child.onMessage((message) => resolve(message as typeof said));
        child.onExit(({ lastWords }) => reject(new Error(lastWords)));
      });
      child.kill();
      if (said.unconfined?.includes('no Landlock')) {
        await annotate(said.unconfined);
        skip(said.unconfined);
      }
      expect(said).toMatchObject({ unconfined: null, kept: { read: 'done', cache: 'done', parent: 'done' } });
      const { signal, ...others } = said.refused;
      expect(others).toEqual(Object.fromEntries(Object.keys(others).map((name) => [name, 'EACCES'])));
      expect(['EACCES', 'EPERM']).toContain(signal);
      expect(readdirSync(folder).sort()).toEqual(['cache', 'secret']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test.skipIf(!holdsHere)(`the engine answers as it does with all rights, and goes on writing what it compiled${reason}`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-confine-'));
  const answer = async (confined: boolean): Promise<{ unconfined: string | null; tokens: Int32Array }> => {
    const cacheDirectory = join(folder, confined ? 'confined' : 'free');
    const spawn = (): ReturnType<typeof forkHost> => forkHost({ env: confined ? {} : { LOUPE_CONFINE: 'off' } });
    const engine = createEngineClient({ spawn, cacheDirectory });
    try {
      const unconfined = await engine.confinement();
      await engine.load({ directory: demoModel, engine: { cacheDirectory } });
      const content = [{ type: 'text' as const, text: 'What is this?' }];
      const { tokens } = await engine.generate({ messages: [{ role: 'user', content }], maxTokens: 24, sampling: { temperature: 0 } });
      return { unconfined, tokens };
    } finally {
      await engine.close();
    }
  };
  try {
    const [free, confined] = [await answer(false), await answer(true)];
    expect(free.unconfined).toBe('LOUPE_CONFINE=off');
    expect(confined.unconfined ?? 'no Landlock').toContain('no Landlock');
    expect(confined.tokens).toEqual(free.tokens);
    expect(readdirSync(join(folder, 'confined')).length).toBe(1);
    expect(readdirSync(join(folder, 'confined'))).toEqual(readdirSync(join(folder, 'free')));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
