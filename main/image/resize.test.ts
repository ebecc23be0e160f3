import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { resizeBilinear } from './resize.ts';

interface ResizeCase {
  seed: number;
  from: [number, number];
  to: [number, number];
  sha256: string;
  bytes?: number[];
}

const { cases } = JSON.parse(readFileSync(new URL('../../fixtures/resize/resize.json', import.meta.url), 'utf8')) as {
  cases: ResizeCase[];
};

/** The generator of fixtures/resize/make.py. */
function noise(count: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

describe('resizeBilinear equals Pillow', () => {
  test.each(cases)('$from -> $to', ({ seed, from: [width, height], to, sha256, bytes }) => {
    const resized = resizeBilinear({ width, height, data: noise(width * height * 3, seed) }, { width: to[0], height: to[1] });
    expect([resized.width, resized.height]).toEqual(to);
    if (bytes) expect(Array.from(resized.data)).toEqual(bytes);
    expect(createHash('sha256').update(resized.data).digest('hex')).toBe(sha256);
  });
});
