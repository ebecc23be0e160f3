/** Small pages in one column, each in a row of the same height. Lengths in CSS pixels. */

/** Of a row. */
const height = 136;

export const thumbnails = {
  height,

  /** Indices of the rows in sight and two more on either side; `to` is not one of them. */
  inSight(count: number, scrolled: number, seen: number): { from: number; to: number } {
    return {
      from: Math.max(0, Math.min(count, Math.floor(scrolled / height)) - 2),
      to: Math.min(count, Math.ceil((scrolled + seen) / height) + 2),
    };
  },

  /** As far as it has to be scrolled to see all of a row, and no further. */
  scrolledTo(index: number, scrolled: number, seen: number): number {
    const top = index * height;
    return Math.min(top, Math.max(scrolled, top + height - seen));
  },
};
