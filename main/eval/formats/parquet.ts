/** Parquet files as the Hub publishes sets, read row by row: the text of all rows first, a picture when its turn comes. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AsyncBuffer } from 'hyparquet';
import { LoupeError } from '../../errors.ts';
import { openRegularFile } from '../../regular-file.ts';
import { Fields } from './fields.ts';

const again = 'Download the file again.';

/** Those in the folder whose names match, and in the folders in it, two deep: a folder a subject, or data/. In order of their paths. */
export async function parquetFiles(folder: string, name: RegExp, depth = 2): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && depth > 0) found.push(...(await parquetFiles(path, name, depth - 1)));
    else if (name.test(entry.name)) found.push(path);
  }
  return found.sort();
}

/** `columns` of every row; `pictures` have to be there and are read later. */
export async function readParquet(path: string, columns: string[], pictures: string[]): Promise<Fields[]> {
  const rows = await withFile(path, async (file) => {
    const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet');
    const found = parquetSchema(await parquetMetadataAsync(file)).children.map(({ element }) => element.name);
    const missing = [...columns, ...pictures].find((name) => !found.includes(name));
    if (missing !== undefined) throw new LoupeError('request_invalid', `${path}: the field ${missing} is missing.`, again);
    return parquetReadObjects({ file, columns });
  });
  return rows.map((row, index) => new Fields(`${path}, row ${index + 1}`, row));
}

/** The bytes of a picture file, as the Hub keeps them: {bytes, path}. */
export async function parquetPicture(path: string, column: string, index: number): Promise<Uint8Array> {
  const [row] = await withFile(path, async (file) => {
    const { parquetReadObjects } = await import('hyparquet');
    // What is not marked as text stays bytes.
    return parquetReadObjects({ file, utf8: false, columns: [column], rowStart: index, rowEnd: index + 1 });
  });
  const cell: unknown = row?.[column];
  const bytes: unknown = typeof cell === 'object' && cell !== null && 'bytes' in cell ? cell.bytes : null;
  if (!(bytes instanceof Uint8Array)) {
    throw new LoupeError('request_invalid', `${path}, row ${index + 1}: the field ${column} holds no picture.`, again);
  }
  return bytes;
}

async function withFile<T>(path: string, use: (file: AsyncBuffer) => Promise<T>): Promise<T> {
  const handle = await openRegularFile(path);
  try {
    const { size } = await handle.stat();
    const slice = async (start: number, end = size): Promise<ArrayBuffer> => {
      const [from, to] = [Math.max(0, start), Math.min(end, size)];
      const { bytesRead, buffer } = await handle.read(new Uint8Array(Math.max(0, to - from)), 0, Math.max(0, to - from), from);
      return buffer.buffer.slice(0, bytesRead);
    };
    return await use({ byteLength: size, slice });
  } catch (error) {
    if (error instanceof LoupeError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new LoupeError('request_invalid', `${path} cannot be read as parquet: ${why}.`, again, { cause: error });
  } finally {
    await handle.close();
  }
}
