import { expect, test } from 'vitest';
import { begun, dragged, moved, within } from './marking.ts';
import type { Keys } from './selection.ts';

const selection = { x: 100, y: 200, width: 90, height: 60 };
/** As in a page: what an event says is not its own property. */
const key = (name: string, more: Partial<{ shiftKey: boolean; altKey: boolean }> = {}): Keys =>
  Object.create({ key: name, shiftKey: false, altKey: false, ctrlKey: false, metaKey: false, ...more }) as Keys;

test('a drag holds both pixels, whichever way it goes; an arrow points where it ends', () => {
  expect(dragged('redact', { x: 9, y: 8 }, { x: 5, y: 6 })).toEqual({ kind: 'redact', region: { x: 5, y: 6, width: 5, height: 3 } });
  expect(dragged('arrow', { x: 9, y: 8 }, { x: 5, y: 6 })).toEqual({ kind: 'arrow', from: { x: 9, y: 8 }, to: { x: 5, y: 6 } });
});

test('keys begin in the middle of what is selected, and stay inside of it', () => {
  let mark = begun('redact', selection);
  expect(mark).toEqual({ kind: 'redact', region: { x: 130, y: 220, width: 30, height: 20 } });
  mark = moved(mark, key('ArrowRight'), selection)!;
  expect(mark).toEqual({ kind: 'redact', region: { x: 131, y: 220, width: 30, height: 20 } });
  mark = moved(mark, key('ArrowDown', { altKey: true, shiftKey: true }), selection)!;
  expect(mark).toEqual({ kind: 'redact', region: { x: 131, y: 220, width: 30, height: 30 } });
  for (let n = 0; n < 20; n++) mark = moved(mark, key('ArrowLeft', { shiftKey: true }), selection)!;
  expect(mark).toMatchObject({ region: { x: 100 } });
  for (let n = 0; n < 20; n++) mark = moved(mark, key('ArrowRight', { altKey: true, shiftKey: true }), selection)!;
  expect(mark).toMatchObject({ region: { x: 100, width: 90 } });
  expect(moved(mark, key('q'), selection)).toBeNull();
});

test('an arrow moves as a whole, or its tip alone', () => {
  const arrow = begun('arrow', selection);
  expect(arrow).toEqual({ kind: 'arrow', from: { x: 130, y: 220 }, to: { x: 159, y: 239 } });
  expect(moved(arrow, key('ArrowUp'), selection)).toEqual({ kind: 'arrow', from: { x: 130, y: 219 }, to: { x: 159, y: 238 } });
  expect(moved(arrow, key('ArrowUp', { altKey: true }), selection)).toEqual({
    kind: 'arrow',
    from: { x: 130, y: 220 },
    to: { x: 159, y: 238 },
  });
  // At the edge it keeps its shape.
  expect(moved({ kind: 'arrow', from: { x: 100, y: 220 }, to: { x: 150, y: 220 } }, key('ArrowLeft'), selection)).toEqual({
    kind: 'arrow',
    from: { x: 100, y: 220 },
    to: { x: 150, y: 220 },
  });
});

test('a pointer that leaves the selection stays at its edge', () => {
  expect(within(selection, { x: 0, y: 1000 })).toEqual({ x: 100, y: 259 });
  expect(within(selection, { x: 150, y: 230 })).toEqual({ x: 150, y: 230 });
});
