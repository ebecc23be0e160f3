/** A process that stands still, wherever it does: what is lost, what goes on, and that nothing is left behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import type { ChatMessage, Engine, EngineLoss } from '../services/ports.ts';
import { forkHost, type HostProcess } from '../process/channel.ts';
import { createEngineClient } from './client.ts';
import { beatEnvironment } from '../process/lifeline.ts';
import { addonDouble, allStops, demo, openBench, wholeAnswer, type Stop } from './test/standing-still.ts';
import type { WorkStage } from '../protocol.ts';
import { usualLimits, type Limits } from './limits.ts';

const { seeds } = createRequire(import.meta.url)(addonDouble) as { seeds: Record<'stream' | 'hang', number> };
const messages: ChatMessage[] = [{ role: 'user', content: [{ type: 'text', text: 'Hello?' }] }];
/** Short, and yet longer than a busy machine keeps a process waiting. */
const still = { first: 30, floor: 30 };
const short: Limits = {
  ...usualLimits,
  beatMs: 100,
  birth: { first: 100, floor: 100 },
  start: { first: 100, floor: 100 },
  silent: 30,
  busy: { none: 30, prompt: 30, language: 100, result: 100 },
  work: Object.fromEntries(Object.keys(usualLimits.work).map((stage) => [stage, still])) as Record<WorkStage, typeof still>,
};
const patient = { timeout: 60_000 };

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

interface Started {
  engine: Engine;
  hosts: HostProcess[];
  losses: EngineLoss[];
  [Symbol.asyncDispose](): Promise<void>;
}

function start({ env = {}, limits = short }: { env?: NodeJS.ProcessEnv; limits?: Limits | null } = {}): Started {
  const hosts: HostProcess[] = [];
  const losses: EngineLoss[] = [];
  const engine = createEngineClient({
    spawn: () => {
      const host = forkHost({ env: { LOUPE_ADDON: addonDouble, [beatEnvironment.beatMs]: String(short.beatMs), ...env } });
      hosts.push(host);
      return host;
    },
    firstPauseMs: 5,
    limits,
  });
  engine.onLost((loss) => losses.push(loss));
  return { engine, hosts, losses, [Symbol.asyncDispose]: () => engine.close() };
}

const load = (engine: Engine): Promise<unknown> => engine.load({ directory: demo, engine: {} });

describe.concurrent('in mid-answer, the answer goes on', () => {
  const stops: Stop[] = [
    { at: 'decode', how: 'stop', person: 'waits' },
    { at: 'decode', how: 'spin', person: 'waits' },
    { at: 'decode', how: 'never', person: 'waits' },
    { at: 'request countTokens', how: 'stop', person: 'waits' },
    { at: 'load', how: 'never', person: 'waits' },
  ];
  test.for(stops)('$how at $at', patient, async (stop, { expect }) => {
    const bench = openBench(short);
    try {
      expect((await bench.ask()).text).toBe(wholeAnswer);
      const { answer, losses, spawned } = await bench.stand(stop);
      expect(answer).toMatchObject({ state: 'complete', finish: 'stop', text: wholeAnswer, failure: null });
      expect(losses.at(-1)).toMatchObject({ code: 'engine_crashed', exit: expect.stringContaining('stood still') as string });
      expect(spawned).toBe(stop.at === 'load' ? 2 : 1);
    } finally {
      await bench.close();
    }
  });
});

describe.concurrent('and the person does not wait', () => {
  test.for<Stop>([
    { at: 'request countTokens', how: 'spin', person: 'asks again' },
    { at: 'prefill', how: 'never', person: 'asks again' },
  ])('$how at $at: the answer is stopped, and the next question is answered', patient, async (stop, { expect }) => {
    const bench = openBench(short);
    try {
      await bench.ask();
      const { answer, stopped, spawned } = await bench.stand(stop);
      expect(stopped).toMatchObject({ state: 'stopped', failure: null });
      expect(answer).toMatchObject({ state: 'complete', text: wholeAnswer });
      expect(spawned).toBe(1);
    } finally {
      await bench.close();
    }
  });
});

test('every place is stood still at in every way that it can be', () => {
  expect(new Set(allStops.map(({ at }) => at)).size).toBe(13);
  expect(allStops).toHaveLength(46);
});

describe.concurrent('a request', () => {
  test('whose device never answers is reported as what it is', patient, async ({ expect }) => {
    await using started = start();
    await load(started.engine);
    const lost = started.engine.generate({ messages, maxTokens: 50, sampling: { seed: seeds.hang } });
    await expect(lost).rejects.toMatchObject({
      code: 'device_lost',
      message: expect.stringContaining('double stood still during decode') as string,
    });
    expect((await started.engine.generate({ messages, maxTokens: 50, sampling: { seed: seeds.stream } })).text).toBe(wholeAnswer);
    expect(started.hosts).toHaveLength(2);
  });

  test('that takes no turn ends when it is aborted, whatever the engine does, and the next one works', patient, async ({ expect }) => {
    // Nothing is ended here for standing still.
    await using started = start({ limits: null });
    const { engine, hosts } = started;
    await load(engine);
    process.kill(hosts[0]!.pid!, 'SIGSTOP');
    for (const ask of [engine.devices, engine.memory, (options: { signal: AbortSignal }) => engine.countTokens({ messages }, options)]) {
      const stop = new AbortController();
      const asked = ask({ signal: stop.signal });
      stop.abort();
      await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    }
    process.kill(hosts[0]!.pid!, 'SIGCONT');
    expect((await engine.countTokens({ messages })).tokens).toBeGreaterThan(0);
    expect(hosts).toHaveLength(1);
  });

  test('of every kind is refused when its signal was aborted before', patient, async ({ expect }) => {
    await using started = start();
    const { engine } = started;
    await load(engine);
    const options = { signal: AbortSignal.abort() };
    const place = { directory: demo, engine: {} };
    const kinds = [
      engine.devices(options),
      engine.estimate(place, options),
      engine.load(place, options),
      engine.generate({ messages, maxTokens: 1 }, options),
      engine.countTokens({ messages }, options),
      engine.trace({ tokens: Int32Array.of(1), images: [], continueFor: 0 }, options),
      engine.score({ messages: null, texts: ['a'] }, options),
      engine.quantise({ directory: demo, target: '/nowhere', text: 'q8_0', vision: 'f16' }, options),
      engine.selfTest({ engine: {} }, options),
      engine.memory(options),
    ];
    expect(
      (await Promise.allSettled(kinds)).map((settled) => settled.status === 'rejected' && (settled.reason as { code: string }).code),
    ).toEqual(kinds.map(() => 'cancelled'));
  });

  test('that brings the model back with it does not take along who waits for the same', patient, async ({ expect }) => {
    await using started = start();
    const { engine, hosts } = started;
    await load(engine);
    hosts[0]!.kill();
    await vi.waitFor(() => expect(isAlive(hosts[0]!.pid!)).toBe(false));
    const stop = new AbortController();
    const first = engine.countTokens({ messages }, { signal: stop.signal });
    const second = engine.countTokens({ messages });
    stop.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    expect((await second).tokens).toBeGreaterThan(0);
  });
});

describe.concurrent('a process', () => {
  test.for(['stop', 'spin'])('that hangs before it is ready (%s) is replaced unseen', patient, async (how, { expect }) => {
    const bench = openBench(short);
    try {
      await bench.ask();
      const { answer, spawned, losses } = await bench.stand({ at: 'start', how: how as 'stop', person: 'waits' });
      expect(answer).toMatchObject({ state: 'complete', text: wholeAnswer });
      // The one that hung, and the one after.
      expect(spawned).toBe(2);
      expect(losses.filter(({ exit }) => exit.includes('stood still'))).toEqual([]);
    } finally {
      await bench.close();
    }
  });

  test('that stands still while nobody asks anything is gone before the next question', patient, async ({ expect }) => {
    await using started = start();
    const { engine, hosts, losses } = started;
    await load(engine);
    process.kill(hosts[0]!.pid!, 'SIGSTOP');
    await vi.waitFor(() => expect(isAlive(hosts[0]!.pid!)).toBe(false), { timeout: 30_000 });
    expect((await engine.generate({ messages, maxTokens: 50, sampling: { seed: seeds.stream } })).text).toBe(wholeAnswer);
    expect(hosts).toHaveLength(2);
    expect(losses).toEqual([]);
  });

  test.for(['stop', 'spin'])('that hangs when it is told to end (%s) is ended', patient, async (how, { expect }) => {
    const bench = openBench(short);
    await bench.ask();
    bench.set({ at: 'exit', how });
    const pid = bench.pid();
    await bench.close();
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 30_000 });
  });

  // One that is stopped needs the addon, to be woken: engine.driver.test.ts.
  test.for(['engine', 'pictures'] as const)('ends with its parent, also when it is busy (%s)', patient, async (which, { expect }) => {
    const parent = spawn(process.execPath, [fileURLToPath(new URL('./test/orphan.ts', import.meta.url)), which], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, LOUPE_ADDON: addonDouble },
    });
    const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
    const pid = Number(line);
    expect(isAlive(pid)).toBe(true);
    // Its main thread never hears that the channel closed.
    process.kill(pid, 'SIGUSR2');
    parent.kill('SIGKILL');
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 30_000 });
  });
});
