import { expect, test } from 'vitest';
import { convexHull, heightOf, quadOf, slice, smallestRectangle, turn, widthOf } from './quad.ts';

test('a rectangle that was turned is found again, within 45 degrees of upright', () => {
  for (const degrees of [0, 7, -30, 44, -44]) {
    const rectangle = { centre: [100, 60] as [number, number], width: 80, height: 12, angle: (degrees * Math.PI) / 180 };
    const corners = quadOf(rectangle);
    const inside = Array.from({ length: 20 }, (_, index): [number, number] => [100 + Math.cos(index) * 3, 60 + Math.sin(index) * 3]);
    const found = smallestRectangle(convexHull([...corners, ...inside]));
    expect(found.centre[0]).toBeCloseTo(100, 6);
    expect(found.centre[1]).toBeCloseTo(60, 6);
    expect(found.width).toBeCloseTo(80, 6);
    expect(found.height).toBeCloseTo(12, 6);
    expect(found.angle).toBeCloseTo(rectangle.angle, 6);
  }
});

test('text that stands is as high as it is long', () => {
  const { width, height, angle } = smallestRectangle([
    [10, 0],
    [20, 0],
    [20, 100],
    [10, 100],
  ]);
  expect([width, height]).toEqual([10, 100]);
  expect(angle).toBeCloseTo(0, 9);
});

test('the hull leaves out what is inside and on its sides', () => {
  const hull = convexHull([
    [0, 0],
    [2, 0],
    [4, 0],
    [4, 4],
    [2, 2],
    [0, 4],
  ]);
  expect(hull).toHaveLength(4);
  expect(new Set(hull.map(String))).toEqual(new Set(['0,0', '4,0', '4,4', '0,4']));
});

test('a part of a line, and the line read from another side', () => {
  const quad = quadOf({ centre: [50, 10], width: 100, height: 20, angle: 0 });
  expect(slice(quad, 0.25, 0.5)).toEqual([
    [25, 0],
    [50, 0],
    [50, 20],
    [25, 20],
  ]);
  const turned = turn(quad, 1);
  expect(turned[0]).toEqual([100, 0]);
  expect([widthOf(turned), heightOf(turned)]).toEqual([20, 100]);
  expect(turn(turned, 3)).toEqual(quad);
});
