import { describe, expect, test } from 'vitest';
import { arrowShapes, drawMarks, type Mark } from './marks.ts';

const of = { x: 100, y: 50, width: 40, height: 30 };

function drawn(all: Mark[], order: 'rgb' | 'bgr' = 'rgb') {
  const pixels = new Uint8Array(of.width * of.height * 4).fill(200);
  drawMarks(pixels, of, all, order);
  /** At a place of the display. */
  const at = (x: number, y: number): number[] => [...pixels.slice(4 * ((y - of.y) * of.width + x - of.x)).slice(0, 4)];
  return { pixels, at };
}

const untouched = [200, 200, 200, 200];

describe('redacting', () => {
  test('every pixel of the region is one colour, and no other is touched', () => {
    const { at } = drawn([{ kind: 'redact', region: { x: 110, y: 60, width: 5, height: 4 } }]);
    for (let y = of.y; y < of.y + of.height; y++)
      for (let x = of.x; x < of.x + of.width; x++) {
        const isInside = x >= 110 && x < 115 && y >= 60 && y < 64;
        expect(at(x, y)).toEqual(isInside ? [0, 0, 0, 255] : untouched);
      }
  });

  test.each([
    [
      'over the upper left corner',
      { x: 0, y: 0, width: 102, height: 51 },
      [
        [100, 50],
        [101, 50],
      ],
      [
        [102, 50],
        [100, 51],
      ],
    ],
    [
      'over the lower right corner',
      { x: 138, y: 79, width: 500, height: 500 },
      [
        [138, 79],
        [139, 79],
      ],
      [
        [137, 79],
        [138, 78],
      ],
    ],
    [
      'over all of it',
      { x: 0, y: 0, width: 4000, height: 4000 },
      [
        [100, 50],
        [139, 79],
      ],
      [],
    ],
    [
      'beside it',
      { x: 0, y: 0, width: 100, height: 4000 },
      [],
      [
        [100, 50],
        [100, 79],
      ],
    ],
  ] as const)('%s', (_name, region, black, left) => {
    const { at } = drawn([{ kind: 'redact', region }]);
    for (const [x, y] of black) expect(at(x, y)).toEqual([0, 0, 0, 255]);
    for (const [x, y] of left) expect(at(x, y)).toEqual(untouched);
  });

  test('what is drawn later lies above', () => {
    const arrow: Mark = { kind: 'arrow', from: { x: 102, y: 65 }, to: { x: 136, y: 65 } };
    const redact: Mark = { kind: 'redact', region: { x: 100, y: 50, width: 40, height: 30 } };
    expect(drawn([arrow, redact]).at(110, 65)).toEqual([0, 0, 0, 255]);
    expect(drawn([redact, arrow]).at(110, 65)).toEqual([214, 40, 40, 255]);
  });
});

describe('an arrow', () => {
  const arrow: Mark = { kind: 'arrow', from: { x: 104, y: 65 }, to: { x: 128, y: 65 } };

  test('is red within white, and touches nothing that is far from it', () => {
    const { at } = drawn([arrow]);
    expect(at(107, 65)).toEqual([214, 40, 40, 255]);
    // The shaft is 4 pixels wide around 65.5, its edge 2 more on each side.
    expect(at(107, 62)).toEqual([255, 255, 255, 255]);
    expect(at(107, 60)).toEqual(untouched);
    expect(at(107, 68)).toEqual([255, 255, 255, 255]);
    expect(at(107, 70)).toEqual(untouched);
    expect(at(137, 65)).toEqual(untouched);
  });

  test('systems have the bytes the other way round', () => {
    expect(drawn([arrow], 'bgr').at(107, 65)).toEqual([40, 40, 214, 255]);
  });

  test.each([
    ['down', { x: 120, y: 54 }, { x: 120, y: 74 }],
    ['up and left', { x: 134, y: 74 }, { x: 108, y: 56 }],
    ['of one pixel', { x: 120, y: 65 }, { x: 120, y: 65 }],
    ['that leaves the part', { x: 90, y: 40 }, { x: 400, y: 300 }],
  ])('%s: its middle is red, its shapes lie around it', (_name, from, to) => {
    const [shaft, head] = arrowShapes(from, to);
    expect(shaft).toHaveLength(4);
    const middle = (points: readonly { x: number; y: number }[]) => ({
      x: points.reduce((sum, { x }) => sum + x, 0) / points.length,
      y: points.reduce((sum, { y }) => sum + y, 0) / points.length,
    });
    expect(Math.hypot(head![1]!.x - to.x - 0.5, head![1]!.y - to.y - 0.5)).toBeLessThan(1.01);
    const { at } = drawn([{ kind: 'arrow', from, to }]);
    const { x, y } = middle(head!);
    const isInside = x > of.x + 1 && x < of.x + of.width - 1 && y > of.y + 1 && y < of.y + of.height - 1;
    if (isInside && Math.hypot(to.x - from.x, to.y - from.y) > 5) expect(at(Math.floor(x), Math.floor(y))).toEqual([214, 40, 40, 255]);
  });

  test('grown shapes hold those that they were grown from', () => {
    const far = (points: readonly { x: number; y: number }[], k: 'x' | 'y'): [number, number] => [
      Math.min(...points.map((point) => point[k])),
      Math.max(...points.map((point) => point[k])),
    ];
    for (const to of [
      { x: 10, y: 90 },
      { x: 90, y: 10 },
      { x: 50, y: 3 },
      { x: 3, y: 50 },
    ]) {
      const plain = arrowShapes({ x: 50, y: 50 }, to).flat();
      const larger = arrowShapes({ x: 50, y: 50 }, to, 2).flat();
      for (const k of ['x', 'y'] as const) {
        expect(far(larger, k)[0]).toBeLessThanOrEqual(far(plain, k)[0] - 1);
        expect(far(larger, k)[1]).toBeGreaterThanOrEqual(far(plain, k)[1] + 1);
      }
    }
  });
});
