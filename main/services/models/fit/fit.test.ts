import { describe, expect, test } from 'vitest';
import { catalogueModel } from '../catalogue.ts';
import { adviceFor, bandwidth, deviceBudget, fit, fitFiles, layerPlan, placeLayers, recommend, type FitDevice } from './fit.ts';
import { crossKvBytes, parts, quantisations, selfKvBytes, weightBytes } from './sizes.ts';

const GB = 1e9;
const shape = (id: string) => catalogueModel(id).architecture;
const small = shape('llama-3.2-11b-vision-instruct');
const large = shape('llama-3.2-90b-vision-instruct');
const rtx4090: FitDevice = {
  name: 'NVIDIA GeForce RTX 4090',
  kind: 'discrete',
  memoryBytes: 24 * GB,
  budgetBytes: null,
  features: { cooperativeMatrix: true },
};
const rtx3060: FitDevice = {
  name: 'NVIDIA GeForce RTX 3060',
  kind: 'discrete',
  memoryBytes: 12 * GB,
  budgetBytes: 11.3 * GB,
  features: { cooperativeMatrix: true },
};
const integrated: FitDevice = {
  name: 'AMD Radeon 780M Graphics',
  kind: 'integrated',
  memoryBytes: 16 * GB,
  budgetBytes: null,
  features: { cooperativeMatrix: true },
};
const software: FitDevice = {
  name: 'llvmpipe (LLVM 15.0.6, 256 bits)',
  kind: 'cpu',
  memoryBytes: 16 * GB,
  budgetBytes: null,
  features: { cooperativeMatrix: false },
};
const host = { memoryBytes: 64 * GB };

describe('bytes', () => {
  /** Of one decoded token, a picture in force or not: key and value weights of cross-attention layers are not read. */
  const read = (id: string, quantisation: 'bf16' | 'q8_0' | 'q4_k_m', picture: boolean) => {
    const { text } = shape(id);
    const { selfLayer, crossLayer, output } = weightBytes(shape(id), quantisation);
    const keyValues =
      (2 * text.hidden * text.kvHeads * text.headSize) /
      (2 * text.hidden * (text.heads + text.kvHeads) * text.headSize + 3 * text.hidden * text.feedForward);
    return ((text.layers - text.crossLayers) * selfLayer + (picture ? text.crossLayers * crossLayer * (1 - keyValues) : 0) + output) / GB;
  };

  test.each([
    ['llama-3.2-11b-vision-instruct', 'bf16', 15.0, 18.4],
    ['llama-3.2-11b-vision-instruct', 'q8_0', 7.97, 9.76],
    ['llama-3.2-11b-vision-instruct', 'q4_k_m', 4.62, 5.62],
    ['llama-3.2-90b-vision-instruct', 'q4_k_m', 41.9, 51.9],
  ] as const)('%s as %s reads %d GB a token, %d with a picture', (id, quantisation, without, withPicture) => {
    expect(read(id, quantisation, false) / without).toBeCloseTo(1, 1.7);
    expect(read(id, quantisation, true) / withPicture).toBeCloseTo(1, 1.7);
  });

  test('layers have the published parameters', () => {
    const { selfLayer } = parts(small);
    expect((selfLayer.matrix! + selfLayer.precise!) / 1e6).toBeCloseTo(218.1, 1);
    expect(parts(small).output.output! / 1e6).toBeCloseTo(525.3, 1);
  });

  test('caches', () => {
    expect(selfKvBytes(small, 1000, 2) / 1e6).toBeCloseTo(131, 0);
    expect(selfKvBytes(large, 1000, 2) / 1e6).toBeCloseTo(328, 0);
    expect(crossKvBytes(small, 2) / 1e6).toBeCloseTo(210, 0);
    expect(crossKvBytes(large, 2) / 1e6).toBeCloseTo(525, 0);
    expect(crossKvBytes(shape('llama-3.2-3b'), 2)).toBe(0);
  });

  test('11B in four bits with a picture takes at most 9 GB at 1,000 tokens', () => {
    const { totalBytes, weightBytes: weights } = fit({ architecture: small, quantisation: 'q4_k_m', context: 1000, device: rtx3060, host });
    expect(totalBytes).toBeLessThanOrEqual(9 * GB);
    expect(totalBytes - weights).toBeGreaterThan(0.6 * GB);
  });
});

describe('placement', () => {
  const layers = layerPlan(small, { selfLayer: 10, crossLayer: 9 });

  test('cross-attention layers are where the model has them', () => {
    expect(layers.flatMap(({ cross }, index) => (cross ? [index] : []))).toEqual([3, 8, 13, 18, 23, 28, 33, 38]);
  });

  test('nothing moves while all fits, then the embedding, then pictures’ layers, then the last ones', () => {
    const all = 32 * 10 + 8 * 9 + 50 + 20;
    const place = (room: number) => placeLayers({ layers, embedding: 50, fixed: 20, room });
    expect(place(all)).toEqual({ hostLayers: [], embeddingOnHost: false, deviceBytes: all, hostBytes: 0 });
    expect(place(all - 1)).toMatchObject({ hostLayers: [], embeddingOnHost: true, hostBytes: 50 });
    expect(place(all - 51)).toMatchObject({ hostLayers: [38], hostBytes: 59 });
    expect(place(all - 50 - 8 * 9 - 1)).toMatchObject({ hostLayers: [3, 8, 13, 18, 23, 28, 33, 38, 39] });
    expect(place(20)).toMatchObject({ deviceBytes: 20 });
    expect(place(19)).toBeNull();
  });

  test('whatever the room: it is kept to, and nothing is lost', () => {
    for (let room = 0; room <= 470; room++) {
      const placement = placeLayers({ layers, embedding: 50, fixed: 20, room });
      if (!placement) {
        expect(room).toBeLessThan(20);
        continue;
      }
      expect(placement.deviceBytes).toBeLessThanOrEqual(room);
      expect(placement.deviceBytes + placement.hostBytes).toBe(462);
      const moved = placement.hostLayers.reduce((sum, index) => sum + layers[index]!.bytes, placement.embeddingOnHost ? 50 : 0);
      expect(placement.hostBytes).toBe(moved);
    }
  });
});

describe('outcomes', () => {
  test('11B on a 4090: precise and quick', () => {
    const { recommended, all } = recommend({ architecture: small, context: 8192, device: rtx4090, host });
    expect(recommended).toMatchObject({ quantisation: 'q8_0', outcome: 'fits' });
    expect(all.map(({ quantisation }) => quantisation)).toEqual([...quantisations]);
    // Above the limit of the device would be a fault of the formula.
    const q4 = all.find(({ quantisation }) => quantisation === 'q4_k_m')!;
    expect(q4.tokensPerSecond).toBeGreaterThan(60);
    expect(q4.tokensPerSecond).toBeLessThan(168);
  });

  test('11B on a 12 GB card wants four bits', () => {
    const { recommended, all } = recommend({ architecture: small, context: 4096, device: rtx3060, host });
    expect(recommended).toMatchObject({ quantisation: 'q4_k_m', outcome: 'fits' });
    expect(all[0]).toMatchObject({ quantisation: 'bf16', outcome: 'slow' });
    expect(recommended!.tokensPerSecond).toBeLessThan(60);
  });

  test('90B on a 24 GB card runs, and it is said how slowly', () => {
    const result = fit({ architecture: large, quantisation: 'q4_k_m', context: 4096, device: rtx4090, host: { memoryBytes: 64 * GB } });
    expect(result.outcome).toBe('slow');
    expect(result.placement!.deviceBytes).toBeLessThanOrEqual(deviceBudget(rtx4090));
    expect(result.placement!.hostLayers.length).toBeGreaterThan(40);
    // 30 to 35 GB over a bus of 22 GB/s.
    expect(result.tokensPerSecond).toBeGreaterThan(0.5);
    expect(result.tokensPerSecond).toBeLessThan(1);
    expect(result.reason).toMatch(/layers stay in the computer’s memory and are read over the bus: about one token in 1\.\d seconds/);
  });

  test('90B with 32 GB of memory does not run, and why', () => {
    const { recommended, all } = recommend({ architecture: large, context: 4096, device: rtx4090, host: { memoryBytes: 32 * GB } });
    expect(recommended).toBeNull();
    expect(all.at(-1)!.reason).toMatch(
      /It needs 56\.\d GB: 3\d\.\d GB more than NVIDIA GeForce RTX 4090 holds, and the computer's own memory can take 22\.4 GB/,
    );
  });

  test('on memory that is shared with the processor', () => {
    const result = fit({ architecture: small, quantisation: 'q4_k_m', context: 4096, device: integrated, host: { memoryBytes: 32 * GB } });
    expect(result).toMatchObject({ outcome: 'fits' });
    expect(result.tokensPerSecond).toBeLessThan(17);
    expect(
      fit({ architecture: large, quantisation: 'q4_k_m', context: 4096, device: integrated, host: { memoryBytes: 32 * GB } }),
    ).toMatchObject({ outcome: 'no' });
  });

  test('software Vulkan is slow even where it fits', () => {
    const result = fit({ architecture: small, quantisation: 'q4_k_m', context: 4096, device: software, host: { memoryBytes: 32 * GB } });
    expect(result).toMatchObject({ outcome: 'slow', reason: expect.stringContaining('Without a graphics card') as string });
    expect(result.tokensPerSecond).toBeLessThan(0.5);
  });

  test('a card that cannot even hold the encoder is refused', () => {
    const tiny: FitDevice = {
      name: 'Old card',
      kind: 'discrete',
      memoryBytes: 2 * GB,
      budgetBytes: 1.5 * GB,
      features: { cooperativeMatrix: false },
    };
    expect(fit({ architecture: small, quantisation: 'q4_k_m', context: 1024, device: tiny, host })).toMatchObject({
      outcome: 'no',
      placement: null,
      tokensPerSecond: null,
    });
    expect(fit({ architecture: shape('llama-3.2-1b'), quantisation: 'q8_0', context: 1024, device: tiny, host })).toMatchObject({
      outcome: 'slow',
    });
  });

  test('a longer conversation takes more', () => {
    const at = (context: number) => fit({ architecture: small, quantisation: 'q8_0', context, device: rtx4090, host }).totalBytes;
    expect(at(9192) - at(8192)).toBe(selfKvBytes(small, 1000, 2));
  });

  test('without matrix units for halves, caches take twice the bytes', () => {
    const on = (device: FitDevice) => fit({ architecture: small, quantisation: 'q8_0', context: 8192, device, host });
    const [halves, singles] = [on(rtx4090), on({ ...rtx4090, features: { cooperativeMatrix: false } })];
    expect(singles.selfKvBytes).toBe(2 * halves.selfKvBytes);
    expect(singles.crossKvBytes).toBe(2 * halves.crossKvBytes);
    // Matrix units that software imitates are not used.
    expect(on({ ...rtx4090, kind: 'cpu' }).selfKvBytes).toBe(singles.selfKvBytes);
    expect(singles.totalBytes - halves.totalBytes).toBe(halves.selfKvBytes + halves.crossKvBytes);
  });
});

test('files that are here: by what they take, whatever they are called', () => {
  const request = { architecture: small, context: 4096, device: rtx3060, host };
  const published = fit({ ...request, quantisation: 'bf16' });
  expect(fitFiles({ ...request, precision: 'BF16', bytes: published.weightBytes })).toMatchObject({
    outcome: 'slow',
    totalBytes: published.totalBytes,
    placement: published.placement,
  });
  const q5 = fitFiles({ ...request, precision: 'Q5_K', bytes: 9e9 });
  expect(q5).toMatchObject({ weightBytes: 9e9, outcome: 'fits' });
  expect(fitFiles({ ...request, precision: 'Q3_K', bytes: published.weightBytes }).outcome).toBe('slow');
});

test('what would help', () => {
  const of = (precision: string, bytes: number, change: Partial<Parameters<typeof adviceFor>[0]> = {}) =>
    adviceFor({ architecture: small, context: 4096, device: rtx3060, host, precision, bytes, ...change });
  expect(of('BF16', 21.3e9)).toEqual({ words: expect.stringMatching(/^In 4 bits it fits \(8\.\d GB\)\.$/) as string, form: 'q4_k_m' });
  // 128 kB of keys and values a token: 32,768 tokens are 4.3 GB.
  expect(of('Q4_K', 7.8e9, { context: 32_768 })).toEqual({
    words: 'With a context of 2,048 tokens it fits; set that in the settings first.',
    form: null,
  });
  expect(of('BF16', 177e9, { architecture: large, device: rtx4090 })).toEqual({
    words: expect.stringMatching(/^In 4 bits it is quicker, about one token in .* \(5\d\.\d GB\)\.$/) as string,
    form: 'q4_k_m',
  });
  expect(of('Q4_K', 54.6e9, { architecture: large })).toBeNull();
});

test('bandwidths: the longer name first, and a guess says that it is one', () => {
  expect(bandwidth({ name: 'NVIDIA GeForce RTX 4090 Laptop GPU', kind: 'discrete' })).toEqual({
    bytesPerSecond: 576e9,
    source: 'data sheet',
  });
  expect(bandwidth({ name: 'Apple M2 Max', kind: 'integrated' }).bytesPerSecond).toBe(400e9);
  expect(bandwidth({ name: 'Apple M4 Pro', kind: 'integrated' }).bytesPerSecond).toBe(273e9);
  expect(bandwidth({ name: 'AMD Radeon RX 7900 XTX (RADV NAVI31)', kind: 'discrete' }).bytesPerSecond).toBe(960e9);
  expect(bandwidth({ name: 'Something', kind: 'discrete' }).source).toBe('assumed');
});
