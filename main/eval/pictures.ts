import { stat } from 'node:fs/promises';
import { LoupeError } from '../errors.ts';
import type { ImageSource, PictureWorker } from '../services/ports.ts';
import { parquetPicture } from './formats/parquet.ts';
import type { EvalRow, RowPicture } from './formats/row.ts';

/** Rejects for the first row that names a file which is not there. */
export async function checkPictures(rows: readonly EvalRow[]): Promise<void> {
  for (const { where, pictures } of rows) for (const picture of pictures) if ('places' in picture) await fileOf(picture.places, where);
}

/** The one that the model is shown: the row's own, or all of them composed, with letters. */
export async function pictureOf({ id, where, pictures }: EvalRow, worker: Pick<PictureWorker, 'compose'>): Promise<ImageSource> {
  const sources = await Promise.all(pictures.map((picture, index) => load(picture, where, `${id}, picture ${index + 1}`)));
  return sources.length === 1 ? sources[0]! : { bytes: await worker.compose(sources, 'grid', true), name: `${id}.png` };
}

async function load(picture: RowPicture, where: string, name: string): Promise<ImageSource> {
  if ('places' in picture) return { path: await fileOf(picture.places, where) };
  return { bytes: await parquetPicture(picture.parquet, picture.column, picture.index), name };
}

async function fileOf(places: readonly string[], where: string): Promise<string> {
  for (const path of places) if ((await stat(path).catch(() => null))?.isFile()) return path;
  throw new LoupeError(
    'image_missing',
    `${where}: the picture ${places[0]} is missing.`,
    'Unpack the pictures of the set into the folder.',
  );
}
