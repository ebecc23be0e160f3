/** A picture that is pinned to the screen. */
export const pin = {
  title: (width: number, height: number) => `Pinned picture, ${width} × ${height}`,
  loading: 'Pinned picture',
  copied: 'Copied',
  keys:
    'Arrow keys move it, plus and minus resize it, 0 is its actual size, brackets change its opacity, ' +
    'N goes to the next one, Control C copies it, and Escape closes it.',
};
