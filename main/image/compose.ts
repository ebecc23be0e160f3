/** Several pictures -> the layout of one, as pure geometry. Lengths in pixels. */
import type { Size } from '../tiles.ts';

export type ComposeLayout = 'row' | 'column' | 'grid';

export interface PicturePosition {
  /** Where the picture lies, and how large it is drawn. */
  x: number;
  y: number;
  width: number;
  height: number;
  /** The square above it that holds its letter; null without labels. */
  label: { x: number; y: number; size: number } | null;
}

export interface Composition extends Size {
  positions: PicturePosition[];
}

/** No side of a composition is longer: models see at most 2,240 pixels. */
export const longestSide = 4096;

/**
 * Pictures of a row share a height and pictures of a column a width, those of the largest; in a
 * grid (as square as it can be: the model's largest canvas is a square) each keeps its proportions in a cell of one size. Between them
 * lies a gap, so that a model does not read across; letters stand above, so that they hide nothing.
 */
export function layOutComposition(sizes: Size[], layout: ComposeLayout, labels: boolean): Composition {
  const tallest = Math.max(...sizes.map(({ height }) => height));
  const widest = Math.max(...sizes.map(({ width }) => width));
  const scaled = sizes.map((size) => scaleFor(size, layout, widest, tallest)).map((scale, index) => scaleSize(sizes[index]!, scale));
  const columns = layout === 'row' ? sizes.length : layout === 'column' ? 1 : squarestColumns(sizes.length, widest, tallest);
  const whole = arrange(scaled, columns, layout === 'grid', labels);
  const shrink = longestSide / Math.max(whole.width, whole.height);
  // Gaps and labels follow the pictures' size, so that one step may still be a little too large.
  return shrink >= 1
    ? whole
    : arrange(
        scaled.map((size) => scaleSize(size, shrink * 0.98)),
        columns,
        layout === 'grid',
        labels,
      );
}

function squarestColumns(count: number, width: number, height: number): number {
  const longest = (columns: number): number => Math.max(columns * width, Math.ceil(count / columns) * height);
  let best = 1;
  for (let columns = 2; columns <= count; columns++) if (longest(columns) < longest(best)) best = columns;
  return best;
}

function scaleFor({ width, height }: Size, layout: ComposeLayout, widest: number, tallest: number): number {
  switch (layout) {
    case 'row':
      return tallest / height;
    case 'column':
      return widest / width;
    case 'grid':
      return Math.min(widest / width, tallest / height);
    default:
      return layout satisfies never;
  }
}

function scaleSize({ width, height }: Size, scale: number): Size {
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

function arrange(sizes: Size[], columns: number, equalCells: boolean, labels: boolean): Composition {
  const largest = Math.max(...sizes.flatMap(({ width, height }) => [width, height]));
  const gap = Math.max(8, Math.round(largest / 50));
  const labelSize = labels ? Math.max(20, Math.round(largest / 16)) : 0;
  const cell = equalCells
    ? { width: Math.max(...sizes.map(({ width }) => width)), height: Math.max(...sizes.map(({ height }) => height)) }
    : null;

  const positions: PicturePosition[] = [];
  let width = 0;
  let y = gap;
  for (let first = 0; first < sizes.length; first += columns) {
    const row = sizes.slice(first, first + columns);
    const height = cell?.height ?? Math.max(...row.map((size) => size.height));
    let x = gap;
    for (const size of row) {
      // A narrow picture still has room for its letter.
      const cellWidth = Math.max(cell?.width ?? size.width, labelSize);
      const left = x + Math.floor((cellWidth - size.width) / 2);
      positions.push({
        ...size,
        x: left,
        y: y + labelSize,
        label: labels ? { x: Math.min(left, x + cellWidth - labelSize), y, size: labelSize } : null,
      });
      x += cellWidth + gap;
    }
    width = Math.max(width, x);
    y += labelSize + height + gap;
  }
  return { width, height: y, positions };
}
