import { describe, expect, test } from 'vitest';
import type { Region } from '../../main/contract.ts';
import { movedSides, nextWindow, pictureLines, snapped, windowAt, type Snap } from './snap.ts';

const frame = { width: 800, height: 600 };
const front: Region = { x: 100, y: 100, width: 200, height: 150 };
const behind: Region = { x: 50, y: 50, width: 400, height: 300 };
/** Wholly under the one in front. */
const covered: Region = { x: 120, y: 120, width: 40, height: 40 };
const windows = [front, covered, behind];

/** Light, but for dark rectangles. */
function picture(...dark: Region[]): { snap: Snap; reads: Region[] } {
  const reads: Region[] = [];
  const lines = pictureLines((part) => {
    reads.push(part);
    const bytes = new Uint8ClampedArray(4 * part.width * part.height).fill(240);
    for (let y = 0; y < part.height; y++)
      for (let x = 0; x < part.width; x++)
        if (windowAt(dark, { x: part.x + x, y: part.y + y })) bytes.fill(40, 4 * (y * part.width + x), 4 * (y * part.width + x) + 3);
    return bytes;
  }, frame);
  return { snap: { windows: [], lines }, reads };
}

const all = ['w', 'e', 'n', 's'] as const;
const empty = picture().snap;

describe('windows', () => {
  test('the one that is seen at a place', () => {
    expect(windowAt(windows, { x: 130, y: 130 })).toBe(front);
    expect(windowAt(windows, { x: 299, y: 249 })).toBe(front);
    expect(windowAt(windows, { x: 300, y: 249 })).toBe(behind);
    expect(windowAt(windows, { x: 700, y: 500 })).toBeNull();
  });

  test('keys go from the front to the back and begin again; what is covered is left out', () => {
    expect(nextWindow(windows, null)).toBe(front);
    expect(nextWindow(windows, front)).toBe(behind);
    expect(nextWindow(windows, { ...behind })).toBe(front);
    expect(nextWindow(windows, covered)).toBe(front);
    expect(nextWindow([], null)).toBeNull();
  });

  test('a selection around a window becomes the window', () => {
    const snap = { ...empty, windows };
    expect(snapped({ x: 104, y: 97, width: 193, height: 157 }, all, frame, snap, 6)).toEqual(front);
    // Further away it stays as it was drawn.
    const loose = { x: 115, y: 85, width: 170, height: 190 };
    expect(snapped(loose, all, frame, snap, 6)).toEqual(loose);
  });

  test('only what was moved snaps', () => {
    const snap = { ...empty, windows };
    expect(snapped({ x: 104, y: 97, width: 193, height: 157 }, ['e'], frame, snap, 6)).toEqual({ x: 104, y: 97, width: 196, height: 157 });
  });

  test('an edge behind another window, and one beside the selection, are no edges', () => {
    const hidden = { x: 123, y: 130, width: 60, height: 60 };
    expect(snapped(hidden, all, frame, { ...empty, windows }, 6)).toEqual(hidden);
    const below = { x: 103, y: 400, width: 60, height: 60 };
    expect(snapped(below, all, frame, { ...empty, windows: [front] }, 6)).toEqual(below);
  });

  test('the edges of the screen are edges, and nothing snaps to nothing', () => {
    expect(snapped({ x: 4, y: 3, width: 100, height: 100 }, all, frame, empty, 6)).toEqual({ x: 0, y: 0, width: 104, height: 103 });
    const thin = { x: 97, y: 300, width: 4, height: 40 };
    expect(snapped(thin, all, frame, { ...empty, windows: [{ x: 99, y: 200, width: 300, height: 300 }] }, 6)).toEqual(thin);
  });
});

describe('lines of the picture', () => {
  const card: Region = { x: 200, y: 150, width: 320, height: 180 };

  test('a selection around a card becomes the card', () => {
    expect(snapped({ x: 203, y: 146, width: 314, height: 188 }, all, frame, picture(card).snap, 6)).toEqual(card);
  });

  test('of two lines the nearer one', () => {
    const { snap } = picture(card, { x: 196, y: 0, width: 2, height: 600 });
    expect(snap.lines.near('x', 199, [160, 300], 6)).toBe(198);
    expect(snap.lines.near('x', 200, [160, 300], 6)).toBe(200);
    expect(snap.lines.near('x', 190, [160, 300], 3)).toBeNull();
  });

  test('what goes along a part of the side is no line, nor is a short one', () => {
    const { snap } = picture(card);
    expect(snap.lines.near('x', 200, [0, 330], 6)).toBeNull();
    expect(snap.lines.near('x', 200, [155, 330], 6)).toBe(200);
    expect(snap.lines.near('x', 200, [160, 180], 6)).toBeNull();
    expect(snap.lines.near('y', 332, [210, 500], 6)).toBe(330);
  });

  test('only what is beside the side is read, and at the edges of the picture nothing beyond it', () => {
    const { snap, reads } = picture();
    snap.lines.near('x', 2, [100, 200], 6);
    snap.lines.near('y', 598, [100, 200], 6);
    expect(reads).toEqual([
      { x: 0, y: 100, width: 9, height: 100 },
      { x: 100, y: 591, width: 100, height: 9 },
    ]);
  });
});

test('the sides that a drag moves', () => {
  const origin = { x: 10, y: 10, width: 20, height: 20 };
  expect(movedSides({ kind: 'move', from: { x: 0, y: 0 }, origin }, { ...origin, x: 15 })).toEqual([]);
  expect(movedSides({ kind: 'draw', from: { x: 0, y: 0 } }, origin)).toEqual(all);
  expect(movedSides({ kind: 'resize', handle: 'e', origin }, { ...origin, width: 25 })).toEqual(['e']);
  // Over the left side, which stays where the right one begins.
  expect(movedSides({ kind: 'resize', handle: 'w', origin }, { x: 29, y: 10, width: 8, height: 20 })).toEqual(['w', 'e']);
});
