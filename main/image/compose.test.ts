import { expect, test } from 'vitest';
import { layOutComposition, longestSide, type Composition, type ComposeLayout } from './compose.ts';

const portrait = { width: 300, height: 600 };
const landscape = { width: 800, height: 200 };
const icon = { width: 16, height: 16 };

/** Everything inside, nothing over anything else. */
function expectTidy({ width, height, positions }: Composition): void {
  const boxes = positions.flatMap(({ label, ...picture }) =>
    label ? [picture, { x: label.x, y: label.y, width: label.size, height: label.size }] : [picture],
  );
  for (const box of boxes) {
    expect(box.x).toBeGreaterThanOrEqual(0);
    expect(box.y).toBeGreaterThanOrEqual(0);
    expect(box.x + box.width).toBeLessThanOrEqual(width);
    expect(box.y + box.height).toBeLessThanOrEqual(height);
  }
  for (const [index, a] of boxes.entries()) {
    for (const b of boxes.slice(index + 1)) {
      const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
      expect(apart, JSON.stringify([a, b])).toBe(true);
    }
  }
}

test.each<[ComposeLayout, boolean]>([
  ['row', true],
  ['row', false],
  ['column', true],
  ['column', false],
  ['grid', true],
  ['grid', false],
])('%s, labels %s: two to six pictures, none over another', (layout, labels) => {
  const sizes = [portrait, landscape, icon, portrait, { width: 5000, height: 40 }, landscape];
  for (let count = 2; count <= 6; count++) {
    const composition = layOutComposition(sizes.slice(0, count), layout, labels);
    expect(composition.positions).toHaveLength(count);
    expect(Math.max(composition.width, composition.height)).toBeLessThanOrEqual(longestSide);
    expectTidy(composition);
  }
});

test('a row shares the height, a column the width, and proportions stay', () => {
  const row = layOutComposition([portrait, landscape], 'row', true).positions;
  expect(row[0]!.height).toBe(row[1]!.height);
  expect(row[1]!.width / row[1]!.height).toBeCloseTo(4, 1);
  expect(row[0]!.x).toBeLessThan(row[1]!.x);
  const column = layOutComposition([portrait, landscape], 'column', true).positions;
  expect(column[0]!.width).toBe(column[1]!.width);
  expect(column[0]!.y + column[0]!.height).toBeLessThan(column[1]!.y);
});

test('a grid is as square as it can be', () => {
  const columns = (size: { width: number; height: number }, count: number): number =>
    new Set(
      layOutComposition(
        Array.from({ length: count }, () => size),
        'grid',
        false,
      ).positions.map(({ x }) => x),
    ).size;
  expect(columns({ width: 1600, height: 400 }, 6)).toBe(1);
  expect(columns({ width: 1600, height: 900 }, 6)).toBe(2);
  expect(columns({ width: 400, height: 1600 }, 3)).toBe(3);
});

test('a grid of four is two by two', () => {
  const { positions } = layOutComposition([icon, icon, icon, icon], 'grid', false);
  expect(new Set(positions.map(({ x }) => x)).size).toBe(2);
  expect(new Set(positions.map(({ y }) => y)).size).toBe(2);
});
