import { afterEach, expect, test, vi } from 'vitest';
import { defaultSettings, type EngineState, type Settings } from '../contract.ts';
import { createFakeEngine, type FakeEngine, type FakeEngineOptions } from '../engine/test/fake-engine.ts';
import { createEngineService, type EngineService } from './engine-service.ts';
import { LoupeError } from '../errors.ts';
import type { KernelRecords } from './ports.ts';

let port: FakeEngine;
let service: EngineService;
let states: EngineState[];
let settings: Settings;
let missing = false;

afterEach(() => service.close());

function begin(options: FakeEngineOptions = {}, kernelRecords?: KernelRecords): void {
  states = [];
  settings = { ...defaultSettings };
  missing = false;
  port = createFakeEngine(options);
  service = createEngineService({
    engine: port,
    settings: () => settings,
    model: () => {
      if (missing) throw new LoupeError('model_missing', 'Gone.');
      return {
        choice: { id: settings.model, name: settings.model, kind: 'vision', bytes: 1000, present: true },
        place: async () => ({ directory: '/model' }),
      };
    },
    onChange: (state) => void states.push(state),
    kernelRecords,
  });
}

const use = <Result>(work: () => Promise<Result>, signal = new AbortController().signal): Promise<Result> => service.use(signal, work);

test('loads when it is first needed, once, and tells', async () => {
  begin();
  const load = vi.spyOn(port, 'load');
  expect(service.state().status).toBe('stopped');
  expect(await use(async () => 1)).toBe(1);
  expect(await use(async () => 2)).toBe(2);
  expect(load).toHaveBeenCalledTimes(1);
  expect(states.map(({ status }) => status)).toEqual(['loading', 'loading', 'loading', 'ready']);
  expect(service.state()).toMatchObject({
    model: { id: 'demo' },
    contextLength: 512,
    vision: { tileSize: 56, maxTiles: 4 },
    device: { name: 'Fake device' },
  });
});

test('kernels are timed before the first load on a device, and shown; later loads take them', async () => {
  const device = { name: 'Card', driver: 'maker 1.0' };
  begin({}, { find: () => null, keep: () => {}, forget: () => {} });
  const kernels = vi.spyOn(port, 'kernels').mockImplementation(async ({ measure }, { onProgress } = {}) => {
    if (measure) onProgress?.(1, 3);
    const times = measure ? [{ name: 'matvec_threads', chosen: 32, values: [] }] : [];
    return { device: device as never, questions: [{ name: 'matvec_threads', values: [64, 32] }], times };
  });
  const load = vi.spyOn(port, 'load');
  await use(async () => {});
  expect(states.map(({ timing }) => timing)).toContainEqual({ done: 1, total: 3 });
  expect(service.state()).toMatchObject({ status: 'ready', timing: null });
  settings.contextLength = 4096;
  await use(async () => {});
  expect(kernels).toHaveBeenCalledTimes(2);
  expect(load.mock.calls.map(([{ engine }]) => engine.kernels)).toEqual([{ matvec_threads: 32 }, { matvec_threads: 32 }]);
});

test('a load that is given up while kernels are timed ends the timing', async () => {
  begin({}, { find: () => null, keep: () => {}, forget: () => {} });
  const timing = Promise.withResolvers<void>();
  vi.spyOn(port, 'kernels').mockImplementation(async ({ measure }, { signal } = {}) => {
    const device = { name: 'Card', driver: 'maker 1.0' } as never;
    if (!measure) return { device, questions: [{ name: 'matvec_threads', values: [64, 32] }], times: [] };
    timing.resolve();
    await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new LoupeError('cancelled', 'Cancelled.'))));
    throw new Error('not reached');
  });
  const cancel = new AbortController();
  const asked = use(async () => {}, cancel.signal);
  await timing.promise;
  await service.close();
  await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
  expect(service.state().timing).toBeNull();
});

test('loads again when model, device or context were changed meanwhile', async () => {
  begin();
  const load = vi.spyOn(port, 'load');
  await use(async () => {});
  settings.contextLength = 4096;
  await use(async () => {});
  settings.theme = 'dark';
  await use(async () => {});
  expect(load.mock.calls.map(([request]) => request.contextLength)).toEqual([undefined, 4096]);
});

test('following the settings loads once, and not again what is loaded', async () => {
  begin();
  const load = vi.spyOn(port, 'load');
  await Promise.all([service.follow(), service.follow()]);
  expect(load).toHaveBeenCalledTimes(1);
  settings.contextLength = 4096;
  await Promise.all([use(async () => {}), service.follow()]);
  expect(load).toHaveBeenCalledTimes(2);
});

test('the plan of what fits is handed to the engine', async () => {
  begin({ sizes: { deviceBudgetBytes: 1400 } });
  const load = vi.spyOn(port, 'load');
  await use(async () => {});
  expect(load.mock.calls[0]![0]).toMatchObject({ directory: '/model', hostLayers: [1], embeddingOnHost: true });
  expect(service.state().hostBytes).toBe(400);
});

test('what fits nowhere is refused before it is read, with what is missing', async () => {
  begin({ sizes: { deviceBudgetBytes: 100 } });
  const load = vi.spyOn(port, 'load');
  await expect(use(async () => {})).rejects.toMatchObject({
    code: 'device_out_of_memory',
    message: expect.stringContaining('are missing') as string,
  });
  expect(service.state()).toMatchObject({ status: 'failed', failure: { code: 'device_out_of_memory' } });
  expect(load).not.toHaveBeenCalled();
});

test('when the device is full in the middle of an answer, the next use begins with another plan', async () => {
  begin();
  const load = vi.spyOn(port, 'load');
  const fail = (code: 'device_out_of_memory' | 'context_full') => use(() => Promise.reject(new LoupeError(code, 'Full.')));
  await expect(fail('context_full')).rejects.toMatchObject({ code: 'context_full' });
  await use(async () => {});
  expect(load).toHaveBeenCalledTimes(1);
  await expect(fail('device_out_of_memory')).rejects.toMatchObject({ code: 'device_out_of_memory' });
  await use(async () => {});
  expect(load).toHaveBeenCalledTimes(2);
});

test('one use at a time, in order, and a load waits for its turn', async () => {
  begin();
  const order: string[] = [];
  const work = (name: string) => async (): Promise<void> => {
    order.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    order.push(`${name} ends`);
  };
  const first = use(work('a'));
  const load = service.load().then(() => order.push('loaded'));
  const second = use(work('b'));
  await Promise.all([first, load, second]);
  expect(order).toEqual(['a begins', 'a ends', 'loaded', 'b begins', 'b ends']);
});

test('a load that is not wanted any more is given up; who waits gets the model that is', async () => {
  begin();
  const load = port.load.bind(port);
  const begun: (number | undefined)[] = [];
  port.load = (request, listeners) => {
    begun.push(request.contextLength);
    // A driver that hangs, until it is told to stop.
    if (request.contextLength === undefined)
      return new Promise((_resolve, reject) =>
        listeners!.signal!.addEventListener('abort', () => reject(new LoupeError('cancelled', 'Stopped.'))),
      );
    return load(request, listeners);
  };
  const answer = use(async () => service.state().contextLength);
  await vi.waitFor(() => expect(service.state().status).toBe('loading'));
  settings.contextLength = 4096;
  await service.follow();
  expect(await answer).toBe(4096);
  expect(begun).toEqual([undefined, 4096]);
  expect(states.some(({ status }) => status === 'failed')).toBe(false);
});

test('after a crash the next use loads the model where it can be seen', async () => {
  begin();
  const load = vi.spyOn(port, 'load');
  const generate = (): Promise<unknown> =>
    use(() => port.generate({ messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello?' }] }], maxTokens: 5 }));
  await generate();
  port.crash();
  await expect(generate()).rejects.toMatchObject({ code: 'engine_crashed' });
  expect(service.state()).toMatchObject({ status: 'stopped', contextLength: null });
  states = [];
  await generate();
  expect(load).toHaveBeenCalledTimes(2);
  expect(states.map(({ status }) => status)).toContain('loading');
});

test('a guard that hangs while it loads is given up with what it was wanted for, and by whoever asks for a load', async () => {
  begin();
  const load = port.load.bind(port);
  let hangs = true;
  port.load = (request, listeners) =>
    hangs
      ? new Promise((_resolve, reject) =>
          listeners!.signal!.addEventListener('abort', () => reject(new LoupeError('cancelled', 'Stopped.'))),
        )
      : load(request, listeners);
  for (const giveUp of [(stop: AbortController) => stop.abort(), () => ((hangs = false), void service.load())]) {
    hangs = true;
    const stop = new AbortController();
    const check = service.use(stop.signal, async () => {}, { other: 'guard' });
    const refused = expect(check).rejects.toMatchObject({ code: 'cancelled' });
    await vi.waitFor(() => expect(service.state().status).toBe('loading'));
    // Another choice of model does not hurry it.
    hangs = false;
    const followed = service.follow();
    giveUp(stop);
    await refused;
    await followed;
    expect(await use(async () => 'an answer')).toBe('an answer');
  }
});

test('asking for a load while one is under way reads the model once more, not twice', async () => {
  begin();
  const load = port.load.bind(port);
  let begun = 0;
  port.load = (request, listeners) => {
    begun++;
    if (begun > 1) return load(request, listeners);
    return new Promise((_resolve, reject) =>
      listeners!.signal!.addEventListener('abort', () => reject(new LoupeError('cancelled', 'Stopped.'))),
    );
  };
  const answer = use(async () => 'an answer');
  await vi.waitFor(() => expect(begun).toBe(1));
  await service.load();
  expect(await answer).toBe('an answer');
  expect(begun).toBe(2);
});

test('a failure to load is told, reaches who asked, and does not stand in the way of the next', async () => {
  begin();
  missing = true;
  await expect(use(async () => 1)).rejects.toMatchObject({ code: 'model_missing' });
  expect(service.state()).toMatchObject({ status: 'failed', failure: { code: 'model_missing', message: 'Gone.' } });
  await service.load();
  missing = false;
  expect(await use(async () => 2)).toBe(2);
  expect(service.state()).toMatchObject({ status: 'ready', failure: null });
});

test('a drive that is taken away, while loading or later, is said to be gone', async () => {
  begin();
  vi.spyOn(port, 'load').mockImplementation(async () => {
    missing = true;
    throw new LoupeError('engine_crashed', 'The engine stopped during load (request 1): signal SIGBUS.');
  });
  await service.load();
  expect(service.state()).toMatchObject({ status: 'failed', failure: { code: 'model_missing', message: 'Gone.' } });
  missing = false;
  vi.restoreAllMocks();

  // What is on the device answers without its files.
  await use(async () => {});
  missing = true;
  expect(await use(async () => 'an answer')).toBe('an answer');
  const broken = (error: LoupeError): Promise<unknown> => use(() => Promise.reject(error));
  await expect(broken(new LoupeError('context_full', 'Full.'))).rejects.toMatchObject({ code: 'context_full' });
  await expect(broken(new LoupeError('engine_crashed', 'Crashed.'))).rejects.toMatchObject({ code: 'model_missing', message: 'Gone.' });
  // Back again, it is loaded again.
  missing = false;
  const load = vi.spyOn(port, 'load');
  expect(await use(async () => 1)).toBe(1);
  expect(load).toHaveBeenCalledTimes(1);
});

test('idle work: with the loaded model while nobody wants it, aborted when somebody does', async () => {
  begin();
  expect(await service.whileIdle(async () => 1)).toBeNull();
  await use(async () => {
    expect(await service.whileIdle(async () => 1)).toBeNull();
  });
  expect(service.lastUsed()).toBeGreaterThan(0);
  await service.load();
  expect(service.lastUsed()).toBeNull();
  expect(await service.whileIdle(async (_, { model }) => model.contextLength)).toBe(512);

  const order: string[] = [];
  const idle = service.whileIdle(async (_, __, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    order.push('idle work ends');
    signal.throwIfAborted();
  });
  expect(await service.whileIdle(async () => 1)).toBeNull();
  await use(async () => void order.push('use'));
  await expect(idle).rejects.toMatchObject({ code: 'cancelled' });
  expect(order).toEqual(['idle work ends', 'use']);
});

test('what was stopped before its turn never runs', async () => {
  begin();
  const abort = new AbortController();
  const long = use(() => new Promise((resolve) => setTimeout(resolve, 20)));
  const work = vi.fn(async () => {});
  const waiting = use(work, abort.signal);
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  await long;
  expect(work).not.toHaveBeenCalled();
});
