/** What a process can still do once it has given up its rights. Linux on x64 and arm64; elsewhere it says why it did not. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
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
