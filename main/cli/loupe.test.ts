import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { root } from '../host/paths.ts';
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

test.skipIf(process.platform === 'win32')('what it writes is its owner’s alone, also in a folder that everybody can read', async () => {
  const data = await mkdtemp(join(tmpdir(), 'loupe-umask-'));
  try {
    await chmod(data, 0o755);
    const command = `umask 0; exec "${process.execPath}" "${entry}" models list --data "${data}"`;
    expect(spawnSync('sh', ['-c', command], { env: { ...process.env, LOUPE_ADDON: addon } }).status).toBe(0);
    const written = await readdir(data);
    expect(written).toContain('loupe.db');
    for (const name of written) expect(`${name} ${((await stat(join(data, name))).mode & 0o077).toString(8)}`).toBe(`${name} 0`);
  } finally {
    await rm(data, { recursive: true });
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

test.each(['stdout', 'stderr'] as const)('who reads %s leaves early, as head does: it ends quietly', async (stream) => {
  // What is wrong is said on stderr, an endless answer on stdout.
  const loupe =
    stream === 'stdout' ? start('ask', '--seed', String(seeds.endless), 'Hello?') : start('ask', '--image', 'missing.png', 'Hello?');
  loupe[stream].destroy();
  const said = text(stream === 'stdout' ? loupe.stderr : loupe.stdout);
  const [code] = (await once(loupe, 'close')) as [number];
  expect(code).toBe(stream === 'stdout' ? 0 : 1);
  expect(await said).not.toMatch(/EPIPE/);
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

describe('serve', () => {
  let data: string;
  beforeEach(async () => void (data = await mkdtemp(join(tmpdir(), 'loupe-serve-'))));
  afterEach(() => rm(data, { recursive: true }));

  async function serveAt(...args: string[]): Promise<{ loupe: Loupe; port: number }> {
    const loupe = start('serve', '--no-open', ...args);
    const [link] = (await once(loupe.stdout.setEncoding('utf8'), 'data')) as [string];
    return { loupe, port: Number(new URL(link.trim()).port) };
  }

  async function refused(...args: string[]): Promise<{ out: string; err: string; code: number }> {
    const loupe = start('serve', '--no-open', ...args);
    const [out, err, [code]] = (await Promise.all([text(loupe.stdout), text(loupe.stderr), once(loupe, 'close')])) as [
      string,
      string,
      [number],
    ];
    return { out, err, code };
  }

  test.runIf(process.platform === 'linux')('a port that is taken, and a folder that is taken', { timeout: 60_000 }, async () => {
    const { loupe, port } = await serveAt('--data', join(data, 'a'));
    try {
      expect(await refused('--data', join(data, 'b'), '--port', String(port))).toEqual({
        out: '',
        err:
          `loupe: Port ${port} is in use by another Loupe (process ${loupe.pid}).\n` +
          'Choose another port with --port, or leave --port out: Loupe then picks a free one.\n',
        code: 1,
      });
      expect(await refused('--data', join(data, 'a'), '--port', String(port))).toEqual({
        out: '',
        err:
          `loupe: Another Loupe is using ${join(data, 'a')}.\n` +
          `Continue in its page, http://127.0.0.1:${port}, in the browser that opened its link; ` +
          `or end it (process ${loupe.pid}); or name another folder with --data.\n`,
        code: 1,
      });
      const third = await serveAt('--data', join(data, 'c'), '--port', '0');
      expect(third.port).not.toBe(port);
      third.loupe.kill('SIGINT');
      expect(await once(third.loupe, 'close')).toEqual([0, null]);
    } finally {
      loupe.kill('SIGKILL');
      await once(loupe, 'close');
    }
    // Killed: its note is left, and stands in nobody's way.
    const again = await serveAt('--data', join(data, 'a'), '--port', String(port));
    again.loupe.kill('SIGINT');
    expect(await once(again.loupe, 'close')).toEqual([0, null]);
    expect(await readdir(join(data, 'a'))).not.toContain('serving.json');
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
