import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lockDownload } from '../../../storage/lock.ts';
import { LoupeError, type ErrorCode } from '../../../errors.ts';
import { randomNumbers } from '../../../test/random.ts';
import { faults, sha256, startHubDouble, type Fault } from '../test/hub-double.ts';
import { httpOf, memoryStore, quick } from '../test/hub-setup.ts';
import { pull } from './pull.ts';
import { hubSource } from './repository.ts';
import { Pauses } from './timing.ts';

const runs = 500;
const atOnce = 25;

// Flushes to a real disk would be most of the time.
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'loupe-faults-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const clear: readonly ErrorCode[] = [
  'network_failed',
  'download_damaged',
  'disk_full',
  'hub_invalid',
  'hub_missing',
  'hub_gated',
  'download_locked',
];

/** Parts that are open more than once in this process. */
function doubleWriters(directory: string): string[] {
  const open = readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      return [readlinkSync(`/proc/self/fd/${number}`)];
    } catch {
      return [];
    }
  });
  const parts = open.filter((path) => path.startsWith(directory) && path.endsWith('.part'));
  return parts.filter((path, index) => parts.indexOf(path) !== index);
}

interface Outcome {
  ended: 'verified' | ErrorCode;
  sittings: number;
  happened: ReadonlyMap<Fault, number>;
  locked: number;
}

async function run(seed: number): Promise<Outcome> {
  const random = randomNumbers(seed);
  const pick = (most: number): number => Math.floor(random() * (most + 1));
  const bytes = (count: number): Buffer => {
    const first = pick(2 ** 31);
    return Buffer.from(new Uint8Array(count).map((_, index) => (Math.imul(index + first, 0x9e3779b1) >>> 24) ^ (index >> 6)));
  };
  const files = new Map<string, Buffer>([
    ['config.json', bytes(pick(300))],
    ['LICENSE.txt', bytes(0)],
    ...Array.from({ length: 1 + pick(3) }, (_, index): [string, Buffer] => [`model-0000${index}.safetensors`, bytes(pick(20_000))]),
    ['original/consolidated.00.pth', bytes(10)],
  ]);
  const wanted = [...files].filter(([path]) => !path.startsWith('original/'));
  const rate = random() < 0.04 ? 1 : random() * 0.45;
  const spoilt = random() < 0.1 ? new Set(['model-00000.safetensors']) : new Set<string>();
  const hub = await startHubDouble({
    repository: 'org/name',
    files,
    token: 'secret',
    spoilt,
    next: () => (random() < rate ? faults[pick(faults.length - 1)]! : null),
  });
  const directory = join(folder, String(seed));
  const store = memoryStore();
  const { id } = store.downloads.create({ model: 'm', repository: 'org/name', directory });
  const fullAt = random() < 0.1 ? pick(20_000) : Infinity;
  const doubles: string[] = [];
  let locked = 0;
  let written = 0;

  const sitting = async (signal: AbortSignal): Promise<void> => {
    const http = httpOf(store);
    try {
      await pull(id, {
        http,
        source: hubSource(hub.endpoint),
        token: 'secret',
        store: store.downloads,
        lock: lockDownload,
        signal,
        timing: { ...quick, random },
        pauses: new Pauses(() => {}),
        freeBytes: async () => (written > fullAt ? 0 : Infinity),
        onBytes: (_, here) => {
          written = Math.max(written, here);
          if (random() < 0.005) doubles.push(...doubleWriters(directory));
        },
      });
    } finally {
      await http.close();
    }
  };

  // Paused a few times, as by closing the window, and once begun twice.
  let ended: Outcome['ended'] = 'network_failed';
  let sittings = 0;
  for (; sittings < 6; sittings++) {
    const pause = new AbortController();
    const timer = sittings < 3 && random() < 0.4 ? setTimeout(() => pause.abort(new LoupeError('cancelled', 'Paused.')), pick(60)) : null;
    const second = random() < 0.1 ? sitting(pause.signal) : null;
    const results = await Promise.allSettled([sitting(pause.signal), ...(second ? [second] : [])]);
    if (timer) clearTimeout(timer);
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    for (const error of errors) {
      if (!(error instanceof LoupeError)) throw error;
      if (error.code !== 'cancelled' && !clear.includes(error.code)) throw new Error(`an unclear error: ${error.code} ${error.message}`);
    }
    locked += errors.filter((error) => (error as LoupeError).code === 'download_locked').length;
    // Whatever happened: under its name lies the right file or none.
    for (const [path, right] of wanted) {
      const target = join(directory, path);
      if (existsSync(target) && sha256(readFileSync(target)) !== sha256(right)) throw new Error(`a wrong ${path} was accepted`);
    }
    if (results.some(({ status }) => status === 'fulfilled')) {
      ended = 'verified';
      break;
    }
    const last = errors.find((error) => !['cancelled', 'download_locked'].includes((error as LoupeError).code)) as LoupeError | undefined;
    if (last) ended = last.code;
    if (last && last.code !== 'network_failed' && last.code !== 'hub_invalid') break;
  }
  await hub.close();
  if (doubles.length > 0) throw new Error(`two writers of ${doubles[0]}`);
  if (hub.leaks > 0) throw new Error('the token went to another host');
  if (ended === 'verified') {
    for (const [path] of wanted) if (!existsSync(join(directory, path))) throw new Error(`${path} is missing`);
    const left = readdirSync(directory).filter((name) => !wanted.some(([path]) => path === name) && name !== '.loupe.lock');
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
    if (spoilt.size > 0 && files.get('model-00000.safetensors')!.length > 0) throw new Error('a spoilt file was verified');
  }
  rmSync(directory, { recursive: true });
  return { ended, sittings, happened: hub.happened, locked };
}

test(`${runs} random runs end with verified files or a clear error`, { timeout: 300_000 }, async () => {
  const base = Number(process.env['LOUPE_SEED'] ?? Date.now() % 1_000_000_000);
  const seeds = Array.from({ length: runs }, (_, index) => base + index);
  const outcomes: Outcome[] = [];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        const number = seed;
        outcomes.push(
          await run(number).catch((error: unknown) => {
            throw new Error(`Run with LOUPE_SEED=${number}: ${(error as Error).message}`, { cause: error });
          }),
        );
      }
    }),
  );
  const count = (ended: Outcome['ended']): number => outcomes.filter((outcome) => outcome.ended === ended).length;
  const total = new Map(faults.map((fault) => [fault, outcomes.reduce((sum, { happened }) => sum + (happened.get(fault) ?? 0), 0)]));
  const locked = outcomes.reduce((sum, outcome) => sum + outcome.locked, 0);
  console.log(
    `LOUPE_SEED=${base}: ${(['verified', ...clear] as const).map((ended) => `${count(ended)} ${ended}`).join(', ')}; ` +
      `${[...total.values()].reduce((a, b) => a + b)} faults; ${locked} second writers refused`,
  );
  expect(outcomes).toHaveLength(runs);
  // A run that never fails, or never succeeds, would show nothing.
  expect(count('verified')).toBeGreaterThan(runs / 4);
  expect(count('verified')).toBeLessThan(runs);
  expect(locked).toBeGreaterThan(0);
  expect([...total].filter(([, times]) => times === 0)).toEqual([]);
});
