import { expect, test } from 'vitest';
import { backdrop, geometry, isDimmed, until } from './desktop.mjs';

test('what xdotool says of a window', () => {
  expect(geometry('8388611', 'WINDOW=8388611\nX=-50\nY=20\nWIDTH=1180\nHEIGHT=775\nSCREEN=0\n')).toEqual({
    id: '8388611',
    x: -50,
    y: 20,
    width: 1180,
    height: 775,
  });
  // It went between two questions.
  expect(geometry('8388611', '')).toBeNull();
});

test.each([
  ['the overlay darkens the frozen picture', 0x214385, true],
  ['the backdrop itself', backdrop, false],
  ['black', 0, false],
  ['the colour of the window', 0x171614, false],
  ['the page without its picture', 0x0f0e0d, false],
  ['the page in a light theme', 0xfbfaf7, false],
  ["the toolkit's colour", 0xf6f5f4, false],
])('%s', (_name, colour, dimmed) => {
  expect(isDimmed(colour)).toBe(dimmed);
});

test('what never comes is named', async () => {
  let looks = 0;
  await expect(until('overlay', () => ++looks > 3, { everyMs: 1 })).resolves.toBe(true);
  await expect(until('overlay', () => null, { everyMs: 1, patienceMs: 20 })).rejects.toThrow('there is no overlay after 0.02 s');
});
