/** How large a page is drawn, and what can be seen on the drawing. */

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** [height, width, 3]; `scale` is pixels a point. */
export interface Drawing {
  data: Uint8Array;
  width: number;
  height: number;
  scale: number;
}

/** Pixels of a drawing: a page of 200 inches at 72 dpi would take 900 MB. */
const mostPixels = 16_000_000;
const longestSide = 4096;
/** Pixels of a picture on a page; what is larger pdfium leaves out without a word. */
export const largestPicture = 100_000_000;
/** Less between the lightest and the darkest pixel below a word, and nobody sees it. */
const leastContrast = 40;
/** Less than this anywhere on a page, and nothing is on it. */
const leastMark = 8;

/** Points at a resolution -> pixels, smaller where they are too many. */
export function fitDrawing(width: number, height: number, dpi: number): { width: number; height: number; scale: number } {
  const wide = Math.max(width, 1);
  const high = Math.max(height, 1);
  const scale = Math.min(dpi / 72, (longestSide - 1) / Math.max(wide, high), Math.sqrt(mostPixels / (wide * high)) * 0.999);
  return { width: Math.max(1, Math.ceil(wide * scale)), height: Math.max(1, Math.ceil(high * scale)), scale };
}

/** A point of it gets less than a pixel. */
export function isTooLarge(width: number, height: number): boolean {
  return fitDrawing(width, height, 72).scale < 1;
}

/** Whether the lightest and the darkest value of some channel in a box are `least` apart; outside the drawing there is nothing. */
function hasContrast({ data, width, height }: Drawing, box: Box, least: number): boolean {
  const left = Math.max(0, Math.floor(box.left));
  const right = Math.min(width, Math.ceil(box.right));
  const top = Math.max(0, Math.floor(box.top));
  const bottom = Math.min(height, Math.ceil(box.bottom));
  const low = [255, 255, 255];
  const high = [0, 0, 0];
  for (let y = top; y < bottom; y++) {
    for (let at = (y * width + left) * 3, end = (y * width + right) * 3, channel = 0; at < end; at++, channel = (channel + 1) % 3) {
      const value = data[at]!;
      if (value < low[channel]!) low[channel] = value;
      if (value > high[channel]!) high[channel] = value;
    }
    // Most words are seen in their first rows, and most pages are not blank.
    if (high.some((value, channel) => value - low[channel]! >= least)) return true;
  }
  return false;
}

export function isSeen(drawing: Drawing, box: Box): boolean {
  return hasContrast(drawing, box, leastContrast);
}

/** Whether ink of this colour would be seen on what lies at the box. */
export function wouldBeSeen(drawing: Drawing, box: Box, colour: readonly [number, number, number]): boolean {
  const x = Math.floor((box.left + box.right) / 2);
  const y = Math.floor((box.top + box.bottom) / 2);
  if (x < 0 || y < 0 || x >= drawing.width || y >= drawing.height) return false;
  const at = (y * drawing.width + x) * 3;
  return Math.max(...colour.map((value, channel) => Math.abs(value - drawing.data[at + channel]!))) >= leastContrast;
}

/** Nothing is on it. */
export function isBlank(drawing: Drawing): boolean {
  return !hasContrast(drawing, { left: 0, top: 0, right: drawing.width, bottom: drawing.height }, leastMark);
}
