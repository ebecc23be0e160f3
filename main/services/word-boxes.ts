/** Words that were read in a picture, with upright boxes around them. */
import type { PageWord, TextLine } from '../contract.ts';

/** In the order of the text. `across` and `down`: units of the result for a pixel of the picture. */
export function wordBoxes(lines: readonly TextLine[], { across, down } = { across: 1, down: 1 }): PageWord[] {
  return lines.flatMap(({ words }) =>
    words.map(({ text, quad }): PageWord => {
      const xs = quad.map(([x]) => x * across);
      const ys = quad.map(([, y]) => y * down);
      return { text, box: [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] };
    }),
  );
}
