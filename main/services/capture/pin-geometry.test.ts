import { expect, test } from 'vitest';
import type { Rect } from './geometry.ts';
import { movePin, placePin, reachable, resizePin } from './pin-geometry.ts';

/** A laptop, and a screen right of it and higher. */
const areas: Rect[] = [
  { x: 0, y: 0, width: 1280, height: 760 },
  { x: 1280, y: -300, width: 1920, height: 1080 },
];
const crop = { x: 400, y: 300, width: 200.5, height: 100 };

test('a pin lies where its picture was, as large as that was', () => {
  expect(placePin(crop, areas)).toMatchObject({ bounds: { x: 400, y: 300, width: 201, height: 100 }, step: 0 });
});

test('a speck gets a window that can be held, around its own place', () => {
  expect(placePin({ x: 400, y: 300, width: 4, height: 200 }, areas).bounds).toEqual({ x: 378, y: 300, width: 48, height: 200 });
});

test('it grows and shrinks by a tenth around its middle, within bounds, and comes back to its size', () => {
  const natural = { width: 200, height: 100 };
  const placed = placePin({ ...crop, ...natural }, areas);
  const larger = resizePin(placed, 'larger', natural, areas);
  expect(larger).toMatchObject({ bounds: { x: 390, y: 295, width: 220, height: 110 }, step: 1 });
  expect(resizePin(larger, 'smaller', natural, areas)).toEqual(placed);
  let small = placed;
  let large = placed;
  for (let time = 0; time < 100; time++) {
    small = resizePin(small, 'smaller', natural, areas);
    large = resizePin(large, 'larger', natural, areas);
  }
  expect(small.bounds).toMatchObject({ width: 48, height: 48 });
  expect(large.bounds).toMatchObject({ width: 759, height: 380 });
  expect(resizePin(large, 'actual', natural, areas).bounds).toMatchObject(natural);
});

test('however often it grows and shrinks, it comes back to where it was', () => {
  const natural = { width: 301, height: 151 };
  let place = placePin({ ...crop, ...natural }, areas);
  const before = place.bounds;
  for (const to of ['larger', 'larger', 'larger', 'smaller', 'larger', 'smaller', 'actual'] as const)
    place = resizePin(place, to, natural, areas);
  expect(place.bounds).toEqual(before);
});

test('it moves from one display to the other, and off none', () => {
  const placed = placePin(crop, areas);
  expect(movePin(placed, { x: 1000, y: -400 }, areas).bounds).toMatchObject({ x: 1400, y: -100 });
  expect(movePin(placed, { x: -5000, y: 0 }, areas).bounds).toMatchObject({ x: 40 - 201, y: 300 });
  expect(movePin(placed, { x: 0, y: 5000 }, areas).bounds).toMatchObject({ x: 400, y: 720 });
  // Above the left display is nothing.
  expect(movePin(placed, { x: -300, y: -400 }, areas).bounds).toMatchObject({ x: 100, y: 0 });
});

test('one on a display that is gone comes to one that is there', () => {
  expect(reachable({ x: 3000, y: -200, width: 200, height: 100 }, [areas[0]!])).toEqual({ x: 1240, y: 0, width: 200, height: 100 });
  expect(reachable({ x: 3000, y: -200, width: 200, height: 100 }, [])).toMatchObject({ x: 3000 });
});
