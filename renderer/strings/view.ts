import type { ModelView } from '../../main/contract.ts';

type Sharpness = ModelView['sharpness'];

const sharpnesses: Record<Sharpness, string> = {
  sharp: 'text reads well',
  soft: 'small text may blur',
  blurred: 'most text will blur',
};

function percent(scale: number): string {
  return `${Math.round(scale * 100)} %`;
}

function tiles({ columns, rows }: ModelView['grid']): string {
  return columns * rows === 1 ? '1 tile' : `${columns} × ${rows} tiles`;
}

/** What the model sees of a picture. */
export const view = {
  goesTo: (host: string) => `The picture and your question go to ${host}.`,
  title: 'What the model sees',
  percent,
  tiles,
  /** One line, under a picture. */
  line: (seen: ModelView) => `${tiles(seen.grid)} · ${sharpnesses[seen.sharpness]}`,
  sharpness: {
    sharp: 'Text reads well',
    soft: 'Small text may blur',
    blurred: 'Most text will blur',
  } satisfies Record<Sharpness, string>,
  explain: (seen: ModelView) => {
    const height = Math.ceil(seen.smallestText);
    if (seen.sharpness === 'sharp') return `Text at least ${height} px high stays legible.`;
    return `The picture is reduced to ${percent(seen.scale)}: text less than ${height} px high is not legible.`;
  },
  numbers: ({ picture, canvas, grid, scale }: ModelView) =>
    `${picture.width} × ${picture.height} px at ${percent(scale)} on a canvas of ${canvas.width} × ${canvas.height} px, ${tiles(grid)}.`,
  /** Which part of the canvas no picture lies on; empty where that is next to nothing. */
  unused: ({ canvas, resized }: ModelView) => {
    const right = 1 - resized.width / canvas.width;
    const below = 1 - resized.height / canvas.height;
    const bands = [right >= 0.05 ? `${percent(right)} on the right` : '', below >= 0.05 ? `${percent(below)} at the bottom` : ''].filter(
      Boolean,
    );
    return bands.length > 0 ? `Unused by the pictures: ${bands.join(', ')}.` : '';
  },
  size: ({ width, height }: { width: number; height: number }) => `${width} × ${height} px`,
};
