import { describe, expect, test, vi } from 'vitest';
import type { ModelSizes } from '../../../native-surface.ts';
import { createFakeEngine } from '../../../engine/test/fake-engine.ts';
import { LoupeError } from '../../../errors.ts';
import { loadPlanned, planLoad } from './placement.ts';

const GB = 1e9;

/** 11B in four bits: 8 of 40 layers are cross-attention layers. */
const sizes: ModelSizes = {
  layers: Array.from({ length: 40 }, (_, index) => ({ cross: index % 5 === 3, bytes: 0.13 * GB })),
  embeddingBytes: 0.3 * GB,
  outputBytes: 0.43 * GB,
  visionBytes: 1.9 * GB,
  contextLength: 8192,
  selfKvBytesPerToken: 131_072,
  crossKvBytes: 0.21 * GB,
  scratchBytes: 0.4 * GB,
  deviceBudgetBytes: 12 * GB,
  hostBudgetBytes: 30 * GB,
  hostIsApart: true,
};

function plan(change: Partial<ModelSizes>, contextLength?: number, hostMemoryBytes = 32 * GB): ReturnType<typeof planLoad> {
  return planLoad({
    sizes: { ...sizes, ...change, contextLength: contextLength ?? sizes.contextLength },
    model: 'Llama 11B',
    device: 'Card',
    contextLength,
    hostMemoryBytes,
  });
}

function refusal(change: Partial<ModelSizes>, contextLength?: number, hostMemoryBytes?: number): LoupeError {
  try {
    plan(change, contextLength, hostMemoryBytes);
  } catch (error) {
    if (error instanceof LoupeError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('the plan of a load', () => {
  test('all on the device where it fits', () => {
    expect(plan({})).toEqual({ contextLength: undefined, hostLayers: [], embeddingOnHost: false });
    expect(plan({}, 8192)).toEqual({ contextLength: 8192, hostLayers: [], embeddingOnHost: false });
  });

  test('a usual context rather than layers over the bus, unless a context was asked for', () => {
    // 8.44 GB and 1.07 GB of keys and values for 8,192 tokens, 0.54 GB for 4,096.
    expect(plan({ deviceBudgetBytes: 9.1 * GB })).toEqual({ contextLength: 4096, hostLayers: [], embeddingOnHost: false });
    expect(plan({ deviceBudgetBytes: 9.1 * GB }, 8192).embeddingOnHost).toBe(true);
  });

  test('what is read least goes first, and a little room is left for what blocks of memory waste', () => {
    const { contextLength, hostLayers, embeddingOnHost } = plan({ deviceBudgetBytes: 8 * GB });
    expect({ contextLength, embeddingOnHost }).toEqual({ contextLength: 4096, embeddingOnHost: true });
    // 8.98 GB, less 0.3 of the embedding and 0.13 a layer, are to be at most 8 less 0.07.
    expect(hostLayers).toEqual([13, 18, 23, 28, 33, 38]);
  });

  test('90B-like: more layers on the host than on the device', () => {
    const layers = sizes.layers.map((layer) => ({ ...layer, bytes: 0.5 * GB }));
    expect(plan({ layers }).hostLayers.length).toBeGreaterThan(20);
  });

  test('what does not fit the device with all layers elsewhere is refused, with what is missing', () => {
    const error = refusal({ deviceBudgetBytes: 2.5 * GB });
    expect(error.code).toBe('device_out_of_memory');
    // 0.43 + 1.9 + 0.54 + 0.21 + 0.4 GB
    expect(error.message).toBe(
      'Llama 11B needs 3.5 GB of Card for its output, its picture encoder and a conversation of 4,096 tokens, even with ' +
        'all its layers in the computer’s memory. There is room for 2.5 GB: 977 MB are missing.',
    );
    expect(error.nextStep).toContain('shorter context');
    expect(refusal({ deviceBudgetBytes: 0.5 * GB, visionBytes: 0, crossKvBytes: 0 }).message).toContain(
      'for its output and a conversation',
    );
  });

  test('what does not fit both is refused, with what is missing', () => {
    const error = refusal({ deviceBudgetBytes: 4 * GB }, 4096, 4 * GB);
    expect(error.code).toBe('host_out_of_memory');
    const [takes, ...room] = error.message.split(/(?<=\.) /);
    expect(takes).toBe('Llama 11B takes 9.0 GB with a conversation of 4,096 tokens.');
    expect(room.join(' ')).toMatch(/^Card has room for 4\.0 GB, the computer’s memory for 2\.8 GB: 2\.\d GB are missing\.$/);
    expect(refusal({ deviceBudgetBytes: 4 * GB, hostBudgetBytes: GB }).message).toContain('memory for 1.0 GB');
  });

  test('one memory for both has no second half', () => {
    const error = refusal({ deviceBudgetBytes: 8 * GB, hostBudgetBytes: 0, hostIsApart: false });
    expect(error.code).toBe('device_out_of_memory');
    expect(error.message).toContain('This computer can give it 8.0 GB');
    expect(plan({ deviceBudgetBytes: 8 * GB, hostBudgetBytes: 2 * GB, hostIsApart: false }).embeddingOnHost).toBe(true);
  });
});

describe('loading with a plan', () => {
  const request = { directory: '/model', engine: {} };

  test('tells the engine the plan', async () => {
    const engine = createFakeEngine({ sizes: { deviceBudgetBytes: 1300 } });
    const load = vi.spyOn(engine, 'load');
    // 1,000 of weights, 512 of keys and values, 200 of the rest: the embedding, then the cross-attention layer, then the other.
    const { model } = await loadPlanned(engine, request, { model: 'Tiny', hostMemoryBytes: 10_000 });
    expect(load.mock.calls.map(([asked]) => asked)).toEqual([
      { ...request, contextLength: undefined, hostLayers: [0, 1], embeddingOnHost: true },
    ]);
    expect(model.placement).toMatchObject({ hostLayers: [0, 1], embeddingOnHost: true });
  });

  test('a device that had less than it said is planned for once more', async () => {
    const engine = createFakeEngine();
    const { load, estimate } = engine;
    const full = new LoupeError('device_out_of_memory', 'Full.');
    const asked: (number[] | undefined)[] = [];
    let budget = 10_000;
    const learning = {
      estimate: vi.fn(async (...of: Parameters<typeof estimate>) => ({ ...(await estimate(...of)), deviceBudgetBytes: budget })),
      load: vi.fn(async (...[of, options]: Parameters<typeof load>) => {
        asked.push(of.hostLayers);
        if (budget === 10_000) {
          budget = 1400;
          throw full;
        }
        return load(of, options);
      }),
    };
    await loadPlanned(learning, request, { model: 'Tiny', hostMemoryBytes: 10_000 });
    expect(asked).toEqual([[], [1]]);

    const hopeless = { estimate, load: vi.fn(() => Promise.reject(full)) };
    await expect(loadPlanned(hopeless, request, { model: 'Tiny' })).rejects.toBe(full);
    expect(hopeless.load).toHaveBeenCalledTimes(2);
    const cancelled = { estimate, load: vi.fn(() => Promise.reject(new LoupeError('cancelled', 'Stopped.'))) };
    await expect(loadPlanned(cancelled, request, { model: 'Tiny' })).rejects.toMatchObject({ code: 'cancelled' });
    expect(cancelled.load).toHaveBeenCalledTimes(1);
  });

  test('nothing is loaded where nothing fits', async () => {
    const engine = createFakeEngine({ sizes: { deviceBudgetBytes: 100 } });
    const load = vi.spyOn(engine, 'load');
    const estimate = vi.spyOn(engine, 'estimate');
    await expect(loadPlanned(engine, request, { model: 'Tiny', hostMemoryBytes: 10_000 })).rejects.toMatchObject({
      code: 'device_out_of_memory',
      message: expect.stringContaining('Fake device') as string,
    });
    expect(estimate).toHaveBeenCalledTimes(1);
    expect(load).not.toHaveBeenCalled();
  });
});
