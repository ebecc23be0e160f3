import { describe, expect, test } from 'vitest';
import {
  beginDrag,
  between,
  clampRegion,
  dragTo,
  fit,
  handles,
  hit,
  middle,
  moveBy,
  pressKey,
  resizeTo,
  stretchBy,
  toCss,
  toPixel,
  whole,
  type Handle,
  type Keys,
  type Projection,
} from './selection.ts';

/** A display of `width` x `height` CSS pixels, its frame `scale` times as large (rounded, as screens are). */
function shownAt(width: number, height: number, scale: number, x = 0, y = 0): Projection {
  return { frame: { width: Math.round(width * scale), height: Math.round(height * scale) }, shown: { x, y, width, height } };
}

const displays: [string, Projection][] = [
  ['1920x1080 at 1', shownAt(1920, 1080, 1)],
  ['1536x864 at 1.25', shownAt(1536, 864, 1.25)],
  ['1280x720 at 1.5', shownAt(1280, 720, 1.5)],
  ['1440x900 at 2', shownAt(1440, 900, 2)],
  ['1097x617 at 1.75', shownAt(1097, 617, 1.75)],
  ['1366x768 at 1', shownAt(1366, 768, 1)],
  ['1093x615 at 1.25 (frame 1366x769)', shownAt(1093, 615, 1.25)],
  ['911x513 at 1.5 (frame 1367x770)', shownAt(911, 513, 1.5)],
  ['853x481 at 2.25', shownAt(853, 481, 2.25)],
  [
    'shown smaller than it is, and off the corner',
    { frame: { width: 3001, height: 1999 }, shown: { x: 37.5, y: 12.25, width: 320, height: 213.156 } },
  ],
  ['shown larger than it is', { frame: { width: 64, height: 48 }, shown: { x: 0, y: 0, width: 701, height: 525.75 } }],
];

describe.each(displays)('%s', (_, projection) => {
  const { frame, shown } = projection;

  test('every pixel is found at its own upper left corner and in its middle', () => {
    for (let x = 0; x < frame.width; x++) {
      const css = toCss(projection, { x, y: 0, width: 1, height: 1 });
      expect(toPixel(projection, { x: css.x, y: shown.y }).x).toBe(x);
      expect(toPixel(projection, { x: css.x + css.width / 2, y: shown.y }).x).toBe(x);
    }
    for (let y = 0; y < frame.height; y++) {
      const css = toCss(projection, { x: 0, y, width: 1, height: 1 });
      expect(toPixel(projection, { x: shown.x, y: css.y }).y).toBe(y);
      expect(toPixel(projection, { x: shown.x, y: css.y + css.height / 2 }).y).toBe(y);
    }
  });

  test('the whole frame covers exactly what is shown', () => {
    const css = toCss(projection, whole(frame));
    expect(css.x).toBe(shown.x);
    expect(css.y).toBe(shown.y);
    expect(css.width).toBeCloseTo(shown.width, 9);
    expect(css.height).toBeCloseTo(shown.height, 9);
  });

  test('a drag from corner to corner selects everything, from any corner', () => {
    const corners = [0, 1].flatMap((right) =>
      [0, 1].map((bottom) => ({ x: shown.x + right * shown.width, y: shown.y + bottom * shown.height })),
    );
    for (const [index, from] of corners.entries()) {
      const to = corners[3 - index]!;
      const drag = beginDrag(projection, null, from, 8);
      expect(dragTo(drag, toPixel(projection, to), frame)).toEqual(whole(frame));
    }
  });

  test('positions outside count as the nearest pixel', () => {
    expect(toPixel(projection, { x: -1e4, y: -1e4 })).toEqual({ x: 0, y: 0 });
    expect(toPixel(projection, { x: 1e4, y: 1e4 })).toEqual({ x: frame.width - 1, y: frame.height - 1 });
  });
});

const frame = { width: 200, height: 100 };

test('a drag holds both of its ends, whichever way it goes', () => {
  const region = { x: 10, y: 20, width: 31, height: 11 };
  expect(between({ x: 10, y: 20 }, { x: 40, y: 30 })).toEqual(region);
  expect(between({ x: 40, y: 30 }, { x: 10, y: 20 })).toEqual(region);
  expect(between({ x: 40, y: 20 }, { x: 10, y: 30 })).toEqual(region);
  expect(between({ x: 5, y: 5 }, { x: 5, y: 5 })).toEqual({ x: 5, y: 5, width: 1, height: 1 });
});

test('moving stops at the edges and keeps the size', () => {
  const region = { x: 10, y: 20, width: 50, height: 30 };
  expect(moveBy(region, { x: -30, y: 5 }, frame)).toEqual({ x: 0, y: 25, width: 50, height: 30 });
  expect(moveBy(region, { x: 500, y: 500 }, frame)).toEqual({ x: 150, y: 70, width: 50, height: 30 });
});

test('a region of another display is made to fit', () => {
  expect(clampRegion({ x: 1800, y: 40, width: 100, height: 100 }, frame)).toEqual({ x: 100, y: 0, width: 100, height: 100 });
  expect(clampRegion({ x: 0, y: 0, width: 5000, height: 1 }, frame)).toEqual({ x: 0, y: 0, width: 200, height: 1 });
});

test.each<[Handle, { x: number; y: number; width: number; height: number }]>([
  ['nw', { x: 5, y: 6, width: 55, height: 44 }],
  ['n', { x: 10, y: 6, width: 50, height: 44 }],
  ['ne', { x: 5, y: 6, width: 6, height: 44 }],
  ['e', { x: 5, y: 20, width: 6, height: 30 }],
  ['se', { x: 5, y: 6, width: 6, height: 15 }],
  ['s', { x: 10, y: 6, width: 50, height: 15 }],
  ['sw', { x: 5, y: 6, width: 55, height: 15 }],
  ['w', { x: 5, y: 20, width: 55, height: 30 }],
])('handle %s taken to pixel 5, 6', (handle, expected) => {
  expect(resizeTo({ x: 10, y: 20, width: 50, height: 30 }, handle, { x: 5, y: 6 })).toEqual(expected);
});

test('resizing with the lower right corner never leaves the frame or less than a pixel', () => {
  const region = { x: 150, y: 90, width: 20, height: 5 };
  expect(stretchBy(region, { x: 10, y: 10 }, frame)).toEqual({ x: 150, y: 90, width: 30, height: 10 });
  expect(stretchBy(region, { x: 100, y: 0 }, frame)).toEqual({ x: 150, y: 90, width: 50, height: 5 });
  expect(stretchBy(region, { x: -100, y: -100 }, frame)).toEqual({ x: 150, y: 90, width: 1, height: 1 });
});

describe('the pointer', () => {
  const projection: Projection = { frame, shown: { x: 0, y: 0, width: 100, height: 50 } };
  const selection = { x: 40, y: 20, width: 80, height: 60 };

  test.each<[number, number, Handle | 'inside' | 'outside']>([
    [20, 10, 'nw'],
    [40, 10, 'n'],
    [60, 10, 'ne'],
    [60, 25, 'e'],
    [63, 43, 'se'],
    [40, 40, 's'],
    [17, 40, 'sw'],
    [20, 25, 'w'],
    [40, 25, 'inside'],
    [14, 25, 'outside'],
    [40, 46, 'outside'],
  ])('at %d, %d it is over %s', (x, y, expected) => {
    expect(hit(projection, selection, { x, y }, 4)).toBe(expected);
  });

  test('a region smaller than the handles can still be moved by its middle', () => {
    const small = { x: 40, y: 20, width: 8, height: 8 };
    expect(hit(projection, small, { x: 22, y: 12 }, 8)).toBe('inside');
    expect(hit(projection, small, { x: 26, y: 16 }, 8)).toBe('se');
    expect(hit(projection, null, { x: 22, y: 12 }, 8)).toBe('outside');
  });

  test('every handle that is drawn can be taken hold of', () => {
    const css = toCss(projection, selection);
    for (const handle of handles) {
      const x = css.x + (handle.includes('w') ? 0 : handle.includes('e') ? css.width : css.width / 2);
      const y = css.y + (handle.includes('n') ? 0 : handle.includes('s') ? css.height : css.height / 2);
      expect(beginDrag(projection, selection, { x, y }, 4)).toEqual({ kind: 'resize', handle, origin: selection });
    }
  });

  test('outside it draws anew, inside it moves', () => {
    const draw = beginDrag(projection, selection, { x: 2, y: 2 }, 4);
    expect(dragTo(draw, { x: 9, y: 9 }, frame)).toEqual({ x: 4, y: 4, width: 6, height: 6 });
    const move = beginDrag(projection, selection, { x: 40, y: 25 }, 4);
    expect(dragTo(move, { x: 85, y: 45 }, frame)).toEqual({ x: 45, y: 15, width: 80, height: 60 });
  });
});

describe('the keyboard', () => {
  const press = (
    key: string,
    selection: ReturnType<typeof whole> | null,
    held: Partial<Keys> = {},
    last: ReturnType<typeof whole> | null = null,
  ) => pressKey({ key, shiftKey: false, altKey: false, ctrlKey: false, metaKey: false, ...held }, selection, frame, last);
  const region = { x: 50, y: 40, width: 20, height: 10 };

  test('the first arrow makes a selection, the next ones move it by one or ten pixels', () => {
    expect(press('ArrowLeft', null)).toEqual({ kind: 'select', region: middle(frame), changed: { x: 50, y: 25 } });
    expect(press('ArrowLeft', region)).toMatchObject({ region: { ...region, x: 49 }, changed: { x: 49, y: 40 } });
    expect(press('ArrowDown', region, { shiftKey: true })).toMatchObject({ region: { ...region, y: 50 } });
  });

  test.each<Partial<Keys>>([{ altKey: true }, { ctrlKey: true }])('with %o arrows move the lower right corner', (held) => {
    expect(press('ArrowRight', region, held)).toMatchObject({ region: { ...region, width: 21 }, changed: { x: 70, y: 49 } });
    expect(press('ArrowUp', region, { ...held, shiftKey: true })).toMatchObject({ region: { ...region, height: 1 } });
  });

  test('Enter takes the selection, or the whole display', () => {
    expect(press('Enter', region)).toEqual({ kind: 'finish', region });
    expect(press('Enter', null)).toEqual({ kind: 'finish', region: whole(frame) });
    expect(press('f', region)).toEqual({ kind: 'finish', region: whole(frame) });
    expect(press('a', region, { ctrlKey: true })).toMatchObject({ kind: 'select', region: whole(frame) });
  });

  test('R takes the last region again, made to fit, and nothing without one', () => {
    expect(press('R', null, { shiftKey: true }, { x: 190, y: 0, width: 20, height: 20 })).toEqual({
      kind: 'finish',
      region: { x: 180, y: 0, width: 20, height: 20 },
    });
    expect(press('r', null)).toBeNull();
    expect(press('r', null, { ctrlKey: true }, region)).toBeNull();
  });

  test('Esc leaves whatever is selected; Backspace drops the selection first', () => {
    expect(press('Escape', region)).toEqual({ kind: 'cancel' });
    expect(press('Escape', null)).toEqual({ kind: 'cancel' });
    expect(press('Backspace', region)).toEqual({ kind: 'clear' });
    expect(press('Backspace', null)).toBeNull();
    expect(press('q', region)).toBeNull();
  });
});

test.each([
  [
    { width: 1, height: 1 },
    { x: 0, y: 0, width: 1, height: 1 },
  ],
  [
    { width: 3, height: 5 },
    { x: 0, y: 1, width: 2, height: 3 },
  ],
  [
    { width: 1920, height: 1080 },
    { x: 480, y: 270, width: 960, height: 540 },
  ],
])('the middle of %o', (size, expected) => {
  expect(middle(size)).toEqual(expected);
});

test.each([
  [
    'a display whose size was rounded fills its window',
    { width: 1367, height: 770 },
    { width: 911, height: 513 },
    { x: 0, y: 0, width: 911, height: 513 },
  ],
  [
    'a wider one leaves room above and below',
    { width: 2000, height: 500 },
    { width: 1000, height: 800 },
    { x: 0, y: 275, width: 1000, height: 250 },
  ],
  ['a smaller one is enlarged', { width: 100, height: 100 }, { width: 300, height: 200 }, { x: 50, y: 0, width: 200, height: 200 }],
])('%s', (_, size, area, expected) => {
  expect(fit(size, area)).toEqual(expected);
});
