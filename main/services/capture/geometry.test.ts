import { describe, expect, test } from 'vitest';
import type { Region } from '../../contract.ts';
import {
  clampRegion,
  displayAt,
  lastRegion,
  openQuickAsk,
  overlap,
  physicalSize,
  placeQuickAsk,
  quickAskHeight,
  quickAskWidth,
  restoreWindow,
  toDesktop,
  toFrame,
  union,
  wholeFrame,
  type Point,
  type Rect,
  type ScreenDisplay,
  type Size,
} from './geometry.ts';

/** x, y, width, height in DIP; scale; the panel's pixels as it is looked at; height of a panel at the bottom. */
type Monitor = [x: number, y: number, width: number, height: number, scale: number, pixels: [number, number], taskbar?: number];

interface Layout {
  name: string;
  monitors: Monitor[];
  union: Rect;
  /** A pointer, and the index of the display that it is on. */
  points: [x: number, y: number, display: number][];
}

const layouts: Layout[] = [
  {
    name: 'one plain monitor',
    monitors: [[0, 0, 1920, 1080, 1, [1920, 1080], 40]],
    union: rect(0, 0, 1920, 1080),
    points: [
      [0, 0, 0],
      [1919, 1079, 0],
      [1920, 1080, 0],
    ],
  },
  { name: 'one laptop at 200 %', monitors: [[0, 0, 1512, 982, 2, [3024, 1964]]], union: rect(0, 0, 1512, 982), points: [[1511, 981, 0]] },
  {
    name: '125 %: DIP rounded up',
    monitors: [[0, 0, 1093, 615, 1.25, [1366, 768], 32]],
    union: rect(0, 0, 1093, 615),
    points: [[1092, 614, 0]],
  },
  {
    name: '150 %: DIP rounded up',
    monitors: [[0, 0, 1707, 960, 1.5, [2560, 1440], 40]],
    union: rect(0, 0, 1707, 960),
    points: [[1706, 959, 0]],
  },
  {
    name: '175 %: DIP rounded down',
    monitors: [[0, 0, 2194, 1234, 1.75, [3840, 2160], 48]],
    union: rect(0, 0, 2194, 1234),
    points: [[2193, 1233, 0]],
  },
  {
    name: '175 %: DIP rounded up',
    monitors: [[0, 0, 2195, 1235, 1.75, [3840, 2160], 48]],
    union: rect(0, 0, 2195, 1235),
    points: [[2194, 0, 0]],
  },
  {
    name: 'plain monitor right of a laptop at 200 %',
    monitors: [
      [0, 0, 1440, 900, 2, [2880, 1800], 60],
      [1440, 0, 1920, 1080, 1, [1920, 1080]],
    ],
    union: rect(0, 0, 3360, 1080),
    points: [
      [1439, 899, 0],
      [1440, 0, 1],
      [3359, 1079, 1],
      [1000, 1000, 0],
    ],
  },
  {
    name: 'monitor left of the primary: negative x',
    monitors: [
      [0, 0, 1920, 1080, 1, [1920, 1080], 40],
      [-1280, 0, 1280, 1024, 1, [1280, 1024]],
    ],
    union: rect(-1280, 0, 3200, 1080),
    points: [
      [-1, 0, 1],
      [-1280, 1023, 1],
      [0, 0, 0],
      [-640, 1060, 1],
    ],
  },
  {
    name: 'monitor above the primary: negative y, at 150 %',
    monitors: [
      [0, 0, 1920, 1080, 1, [1920, 1080], 40],
      [-100, -960, 1707, 960, 1.5, [2560, 1440]],
    ],
    union: rect(-100, -960, 2020, 2040),
    points: [
      [-100, -960, 1],
      [0, -1, 1],
      [0, 0, 0],
      [1800, -1, 0],
    ],
  },
  {
    name: 'above and left at 175 %, and one below the primary',
    monitors: [
      [0, 0, 2560, 1440, 1, [2560, 1440]],
      [-2195, -1235, 2195, 1235, 1.75, [3840, 2160]],
      [400, 1440, 1280, 800, 1.5, [1920, 1200]],
    ],
    union: rect(-2195, -1235, 4755, 3475),
    points: [
      [-1, -1, 1],
      [-2195, -1235, 1],
      [401, 1441, 2],
      [400, 1439, 0],
    ],
  },
  {
    name: 'a rotated monitor beside a wide one',
    monitors: [
      [0, 0, 3440, 1440, 1, [3440, 1440], 40],
      [3440, -560, 1080, 1920, 1, [1080, 1920]],
    ],
    union: rect(0, -560, 4520, 2000),
    points: [
      [3440, -560, 1],
      [3439, 0, 0],
      [4519, 1359, 1],
    ],
  },
  {
    name: 'a rotated 4K monitor at 150 %, left, negative in both directions',
    monitors: [
      [0, 0, 1536, 864, 1.25, [1920, 1080], 40],
      [-1440, -800, 1440, 2560, 1.5, [2160, 3840]],
    ],
    union: rect(-1440, -800, 2976, 2560),
    points: [
      [-1, 0, 1],
      [-1440, -800, 1],
      [0, 0, 0],
      [-1, 1759, 1],
    ],
  },
  {
    name: 'three of different scales in a row',
    monitors: [
      [0, 0, 1920, 1080, 2, [3840, 2160]],
      [1920, 0, 1707, 1067, 1.5, [2560, 1600]],
      [3627, 0, 1280, 1024, 1, [1280, 1024]],
    ],
    union: rect(0, 0, 4907, 1080),
    points: [
      [1919, 0, 0],
      [1920, 0, 1],
      [3626, 1066, 1],
      [3627, 0, 2],
    ],
  },
  {
    name: 'corners that only touch, and a gap between',
    monitors: [
      [0, 0, 1000, 1000, 1, [1000, 1000]],
      [1000, 1000, 1000, 1000, 1, [1000, 1000]],
    ],
    union: rect(0, 0, 2000, 2000),
    points: [
      [999, 999, 0],
      [1000, 1000, 1],
      [1100, 100, 0],
      [1900, 900, 1],
    ],
  },
  {
    name: 'an 8K wall at 300 %',
    monitors: [[0, 0, 2560, 1440, 3, [7680, 4320]]],
    union: rect(0, 0, 2560, 1440),
    points: [[2559, 1439, 0]],
  },
];

function rect(x: number, y: number, width: number, height: number): Rect {
  return { x, y, width, height };
}

function display([x, y, width, height, scaleFactor, , taskbar = 0]: Monitor, index: number): ScreenDisplay {
  return {
    id: String(index + 1),
    name: `Display ${index + 1}`,
    bounds: rect(x, y, width, height),
    workArea: rect(x, y, width, height - taskbar),
    scaleFactor,
  };
}

const size = ([width, height]: [number, number]): Size => ({ width, height });

/** A crop of every kind: corners, edges, one pixel, thin strips, large, everything. */
function crops({ width, height }: Size): Region[] {
  const third = { width: Math.floor(width / 3), height: Math.floor(height / 3) };
  return [
    rect(0, 0, 1, 1),
    rect(width - 1, height - 1, 1, 1),
    rect(0, 0, third.width, third.height),
    rect(width - third.width, 0, third.width, third.height),
    rect(0, height - third.height, third.width, third.height),
    rect(width - third.width, height - third.height, third.width, third.height),
    rect(third.width, third.height, third.width, third.height),
    rect(7, 13, width - 21, 17),
    rect(13, 7, 17, height - 21),
    rect(third.width, 3, third.width + 1, height - 7),
    rect(3, third.height, width - 7, third.height + 1),
    rect(40, 40, width - 80, height - 80),
    wholeFrame({ width, height }),
  ];
}

describe.each(layouts)('$name', ({ monitors, union: expectedUnion, points }) => {
  const displays = monitors.map(display);

  test('the union holds every display', () => {
    expect(union(displays.map(({ bounds }) => bounds))).toEqual(expectedUnion);
  });

  test.each(points)('the pointer at %i, %i is on display %i', (x, y, index) => {
    expect(displayAt(displays, { x, y })).toBe(displays[index]);
  });

  test.each(monitors.map((monitor, index) => ({ index, pixels: monitor[5] })))('display $index has $pixels pixels', ({ index, pixels }) => {
    expect(physicalSize(displays[index]!)).toEqual(size(pixels));
  });

  test('a region comes back from the desktop as it went, to the pixel', () => {
    for (const [index, monitor] of monitors.entries()) {
      const frame = size(monitor[5]);
      for (const region of crops(frame))
        expect(toFrame(displays[index]!, frame, toDesktop(displays[index]!, frame, region))).toEqual(region);
    }
  });

  test('every region lies on its own display', () => {
    for (const [index, monitor] of monitors.entries()) {
      const frame = size(monitor[5]);
      for (const region of crops(frame)) {
        const { x, y, width, height } = toDesktop(displays[index]!, frame, region);
        expect(displayAt(displays, { x: Math.floor(x + width / 2), y: Math.floor(y + height / 2) })).toBe(displays[index]);
      }
    }
  });

  test('the quick-ask window stays in the work area, and off the crop where there is room', () => {
    for (const [index, monitor] of monitors.entries()) {
      const { workArea } = displays[index]!;
      const frame = size(monitor[5]);
      for (const region of crops(frame)) {
        const crop = toDesktop(displays[index]!, frame, region);
        const window = placeQuickAsk(crop, workArea, { width: quickAskWidth, height: 560 });
        expect(Object.values(window).every(Number.isInteger)).toBe(true);
        expect(overlap(window, workArea)).toBe(window.width * window.height);
        expect(window.width).toBe(quickAskWidth);
        if (hasRoom(crop, workArea, window)) expect(overlap(window, crop)).toBe(0);
      }
    }
  });
});

/** Independent of the code under test: tries every strip beside the crop. */
function hasRoom(crop: Rect, area: Rect, window: Size): boolean {
  const leftOf = Math.floor(crop.x) - area.x;
  const rightOf = area.x + area.width - Math.ceil(crop.x + crop.width);
  const aboveIt = Math.floor(crop.y) - area.y;
  const belowIt = area.y + area.height - Math.ceil(crop.y + crop.height);
  return Math.max(leftOf, rightOf) >= window.width || Math.max(aboveIt, belowIt) >= window.height;
}

describe('DIP and frame pixels', () => {
  const left = { bounds: rect(-1440, -800, 1440, 2560) };
  const frame = { width: 2160, height: 3840 };

  test.each<[string, Rect, Region | null]>([
    ['the corner', rect(-1440, -800, 10, 10), rect(0, 0, 15, 15)],
    ['a part of a pixel counts whole', rect(-1439, -799, 1, 1), rect(1, 1, 2, 2)],
    ['poking out to the left and above', rect(-1500, -900, 100, 200), rect(0, 0, 60, 150)],
    ['poking out to the right', rect(-10, 0, 500, 10), rect(2145, 1200, 15, 15)],
    ['larger than the display', rect(-9000, -9000, 99_999, 99_999), rect(0, 0, 2160, 3840)],
    ['on another display', rect(0, 0, 100, 100), null],
    ['nothing', rect(-1000, 0, 0, 10), null],
  ])('%s', (_name, desktop, region) => {
    expect(toFrame(left, frame, desktop)).toEqual(region);
  });

  test('a frame of another size than the scale promises is believed', () => {
    expect(toFrame({ bounds: rect(0, 0, 1707, 960) }, { width: 1707, height: 960 }, rect(100, 100, 50, 50))).toEqual(
      rect(100, 100, 50, 50),
    );
  });
});

test.each<[string, Region, Region | null]>([
  ['inside', rect(1, 2, 3, 4), rect(1, 2, 3, 4)],
  ['over the right and lower edges', rect(90, 40, 20, 20), rect(90, 40, 10, 10)],
  ['over the left and upper edges', rect(-5, -5, 10, 10), rect(0, 0, 5, 5)],
  ['outside', rect(100, 0, 10, 10), null],
  ['empty', rect(10, 10, 0, 5), null],
  ['fractions', rect(0.5, 0.5, 1, 1), rect(0, 0, 2, 2)],
])('a region %s is clamped', (_name, region, expected) => {
  expect(clampRegion(region, { width: 100, height: 50 })).toEqual(expected);
});

describe('the last region', () => {
  const last = { region: rect(10, 20, 300, 200), frame: { width: 1920, height: 1080 } };
  test.each<[string, Size, Region | null]>([
    ['the same display', { width: 1920, height: 1080 }, last.region],
    ['turned', { width: 1080, height: 1920 }, null],
    ['another resolution', { width: 2560, height: 1440 }, null],
  ])('%s', (_name, frame, expected) => {
    expect(lastRegion(last, frame)).toEqual(expected);
  });
  test('nothing captured yet', () => {
    expect(lastRegion(undefined, { width: 1, height: 1 })).toBeNull();
  });
  test('a record that contradicts itself is not believed', () => {
    expect(lastRegion({ region: rect(1900, 0, 100, 10), frame: last.frame }, last.frame)).toBeNull();
  });
});

describe('the quick-ask window', () => {
  const area = rect(0, 0, 1920, 1040);
  const wanted = { width: quickAskWidth, height: 560 };
  test.each<[string, Rect, Point]>([
    ['right of the crop', rect(100, 100, 400, 300), { x: 512, y: 100 }],
    ['left where the right is full', rect(1400, 100, 500, 300), { x: 968, y: 100 }],
    ['below a strip', rect(20, 20, 1880, 200), { x: 20, y: 232 }],
    ['above a strip at the bottom', rect(20, 800, 1880, 200), { x: 20, y: 228 }],
    ['not below the work area', rect(100, 900, 400, 100), { x: 512, y: 480 }],
    ['whole pixels beside a crop that has none', rect(100.5, 99.5, 400.25, 300), { x: 513, y: 100 }],
    ['without the gap where there is none', rect(0, 0, 1500, 1040), { x: 1500, y: 0 }],
    ['in a corner over the whole display', rect(0, 0, 1920, 1040), { x: 1500, y: 0 }],
  ])('%s', (_name, crop, place) => {
    expect(placeQuickAsk(crop, area, wanted)).toEqual({ ...place, ...wanted });
  });
  test('shrinks with the work area', () => {
    expect(placeQuickAsk(rect(0, 0, 10, 10), rect(0, 0, 400, 300), wanted)).toEqual(rect(0, 0, 400, 300));
  });
});

describe('a window that opens again', () => {
  const home = rect(0, 0, 1920, 1040);
  const right = rect(1920, 0, 1920, 1080);
  const wanted = { width: 1120, height: 760 };
  const least = { width: 480, height: 400 };
  test.each<[string, Rect | null, Rect[], Rect]>([
    ['the first time', null, [home], rect(400, 140, 1120, 760)],
    ['where it was', rect(100, 50, 900, 700), [home], rect(100, 50, 900, 700)],
    ['on the second display', rect(2000, 50, 900, 700), [home, right], rect(2000, 50, 900, 700)],
    ['the second display is gone', rect(2000, 50, 900, 700), [home], rect(400, 140, 1120, 760)],
    ['on a display left of the primary', rect(-1200, -80, 900, 700), [home, rect(-1280, -100, 1280, 1024)], rect(-1200, -80, 900, 700)],
    ['half out is still in hand', rect(1700, 100, 900, 700), [home], rect(1700, 100, 900, 700)],
    ['hardly a corner is left', rect(1850, 100, 900, 700), [home], rect(400, 140, 1120, 760)],
    ['its upper edge is above every display', rect(100, -300, 900, 700), [home], rect(400, 140, 1120, 760)],
    ['its upper edge is slightly above', rect(100, -10, 900, 700), [home], rect(100, 0, 900, 700)],
    ['larger than the display', rect(0, 0, 4000, 3000), [home], rect(0, 0, 1920, 1040)],
    ['smaller than usable', rect(100, 100, 200, 100), [home], rect(100, 100, 480, 400)],
  ])('%s', (_name, saved, areas, expected) => {
    expect(
      restoreWindow(
        saved,
        areas.map((workArea) => ({ workArea })),
        home,
        wanted,
        least,
      ),
    ).toEqual(expected);
  });
});

test('no display, no rectangle', () => {
  expect(union([])).toBeNull();
  expect(displayAt([], { x: 0, y: 0 })).toBeNull();
});

describe('the quick-ask window opens as high as what it holds', () => {
  test.each<[string, Size, number]>([
    ['a small picture as it is', { width: 60, height: 40 }, 238],
    ['a wide one made smaller', { width: 1980, height: 500 }, 298],
    ['a high one up to 240', { width: 300, height: 3000 }, 438],
  ])('%s', (_name, picture, height) => {
    expect(quickAskHeight(picture)).toBe(height);
  });

  const area: Rect = { x: 0, y: 0, width: 1280, height: 800 };
  test.each<[string, Rect, Rect, { bounds: Rect; most: number }]>([
    [
      'beside the crop, and grows to 12 px above the lower edge',
      { x: 100, y: 100, width: 300, height: 200 },
      area,
      { bounds: { x: 412, y: 100, width: 420, height: 300 }, most: 688 },
    ],
    [
      'high enough on the screen for an answer',
      { x: 100, y: 700, width: 300, height: 50 },
      area,
      { bounds: { x: 412, y: 228, width: 420, height: 300 }, most: 560 },
    ],
    [
      '12 px from the edges of a display that lies elsewhere',
      { x: -1000, y: -500, width: 990, height: 700 },
      { x: -1000, y: -500, width: 1000, height: 700 },
      { bounds: { x: -432, y: -488, width: 420, height: 300 }, most: 676 },
    ],
    [
      'at the edge where there is no room to spare',
      { x: 0, y: 0, width: 10, height: 10 },
      { x: 0, y: 0, width: 400, height: 280 },
      { bounds: { x: 0, y: 0, width: 400, height: 280 }, most: 280 },
    ],
  ])('%s', (_name, crop, workArea, expected) => {
    expect(openQuickAsk(crop, workArea, 300)).toEqual(expected);
  });
});

test('a display beside another one at 150 %, which loses a part of a DIP at both edges, has its own size', () => {
  expect(physicalSize({ bounds: { x: 854, y: 0, width: 1279, height: 720 }, scaleFactor: 1.5 })).toEqual({ width: 1920, height: 1080 });
});
