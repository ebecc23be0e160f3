import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { root } from '../paths.ts';
import { oddestName } from '../services/models/test/odd-names.ts';

const entry = fileURLToPath(new URL('./loupe.ts', import.meta.url));
const addon = fileURLToPath(new URL('../engine/test/addon-double.cjs', import.meta.url));
const { seeds } = createRequire(import.meta.url)(addon) as { seeds: { stream: number; endless: number } };

type Loupe = ChildProcessByStdio<null, Readable, Readable>;

function start(...args: string[]): Loupe {
  return spawn(process.execPath, [entry, ...args], { env: { ...process.env, LOUPE_ADDON: addon }, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function text(stream: Readable): Promise<string> {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += String(chunk);
  return all;
}

test('an answer, from arguments to exit code', async () => {
  const loupe = start('ask', '--seed', String(seeds.stream), 'Hello?');
  const [out, err, [code]] = await Promise.all([text(loupe.stdout), text(loupe.stderr), once(loupe, 'close')]);
  expect({ out, code }).toEqual({ out: 'Grüße, 世界!\n', code: 0 });
  expect(err).toContain('demo model');
});

test('a checkout below a folder with a comma, % and #, quotes, an emoji and a line break in its name', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'loupe-checkout-'));
  try {
    const checkout = join(folder, oddestName, 'loupe');
    for (const part of ['main', 'resources', 'package.json'])
      await cp(join(root, part), join(checkout, part), { recursive: true, filter: (path) => !path.includes('samples') });
    await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'), 'junction');
    const run = (args: string[], input = ''): { status: number | null; stdout: string } =>
      spawnSync(process.execPath, [join(checkout, 'main', 'cli', 'loupe.ts'), ...args], {
        env: { ...process.env, LOUPE_ADDON: addon },
        input,
        encoding: 'utf8',
      });
    expect(run(['tokenize'], '"a"\n')).toMatchObject({ status: 0, stdout: '[97]\n' });
    expect(run(['ask', '--seed', String(seeds.stream), 'Hello?'])).toMatchObject({ status: 0, stdout: 'Grüße, 世界!\n' });
    expect(run(['models', 'list', '--data', join(checkout, 'data')])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('  Demo model\n') as string,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('Ctrl-C ends the answer cleanly with 130', async () => {
  const loupe = start('ask', '--seed', String(seeds.endless), 'Hello?');
  const out = text(loupe.stdout);
  await once(loupe.stdout, 'data');
  loupe.kill('SIGINT');
  const [code] = (await once(loupe, 'close')) as [number];
  expect(code).toBe(130);
  expect(await out).toMatch(/^G+\n$/);
});

test.runIf(process.platform === 'linux')('the engine dies with its parent', async () => {
  const loupe = start('ask', '--seed', String(seeds.endless), 'Hello?');
  await once(loupe.stdout, 'data');
  const children = (await readFile(`/proc/${loupe.pid}/task/${loupe.pid}/children`, 'utf8')).trim().split(' ').map(Number);
  expect(children).toHaveLength(1);
  loupe.kill('SIGKILL');
  await once(loupe, 'exit');
  await expect.poll(() => isRunning(children[0]!), { timeout: 5000 }).toBe(false);
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
