/** Files of a set -> rows, whose fields are checked as they are read: what is wrong is named by file, row and field. */
import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { LoupeError } from '../../errors.ts';
import { readRegularFile } from '../../regular-file.ts';

/** The largest, the annotations of VQA v2, have some 380 MB. */
const mostBytes = 500e6;
const again = 'Download the file again, or correct it.';

/** The first of `names` that the folder holds; `set` for the message. */
export function findFile(folder: string, names: readonly string[], set: string): string {
  const found = names.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new LoupeError('file_missing', `${folder} has no file of ${set}.`, `Loupe looks for ${names.join(', ')}.`);
}

export async function readJson(path: string): Promise<unknown> {
  const text = (await readRegularFile(path, { mostBytes })).toString('utf8').replace(/^\uFEFF/, '');
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new LoupeError('request_invalid', `${path} is no JSON: ${(error as Error).message}.`, again, { cause: error });
  }
}

/** Of a list in the field `field` of a file's object, or of a file that is a list where `field` is null. */
export async function readRows(path: string, field: string | null): Promise<Fields[]> {
  const value = await readJson(path);
  const list = field === null ? value : new Fields(path, value).value(field);
  if (!Array.isArray(list)) {
    const what = field === null ? 'holds no list of rows' : `has no list of rows in the field ${field}`;
    throw new LoupeError('request_invalid', `${path} ${what}.`, again);
  }
  return list.map((row, index) => new Fields(`${path}, row ${index + 1}`, row));
}

export class Fields {
  readonly where: string;
  readonly #object: Record<string, unknown>;

  constructor(where: string, value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new LoupeError('request_invalid', `${where}: this is no object with fields.`, again);
    }
    this.where = where;
    this.#object = value as Record<string, unknown>;
  }

  value(field: string): unknown {
    return Object.hasOwn(this.#object, field) ? this.#object[field] : undefined;
  }

  names(): string[] {
    return Object.keys(this.#object);
  }

  /** Numbers count as texts: the sets write names and answers either way. */
  text(field: string): string {
    const value = this.value(field);
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
    if (typeof value === 'string' && value.trim() !== '') return value;
    throw this.wrong(field, 'a text');
  }

  /** What people typed may be empty. */
  textOrNothing(field: string): string {
    return this.value(field) === '' ? '' : this.text(field);
  }

  /** At least one. */
  texts(field: string): string[] {
    const value = this.value(field);
    if (!Array.isArray(value) || value.length === 0) throw this.wrong(field, 'a list of texts');
    return value.map((entry: unknown) => {
      if (typeof entry === 'number' || typeof entry === 'bigint') return String(entry);
      if (typeof entry !== 'string') throw this.wrong(field, 'a list of texts');
      return entry;
    });
  }

  whole(field: string, below: number): number {
    const value = Number(this.value(field));
    if (!Number.isInteger(value) || value < 0 || value >= below) throw this.wrong(field, `a whole number from 0 to ${below - 1}`);
    return value;
  }

  oneOf<const Choice extends string>(field: string, choices: readonly Choice[]): Choice {
    const found = choices.find((choice) => choice === this.value(field));
    if (found === undefined) throw this.wrong(field, choices.join(' or '));
    return found;
  }

  rows(field: string): Fields[] {
    const value = this.value(field);
    if (!Array.isArray(value) || value.length === 0) throw this.wrong(field, 'a list');
    return value.map((entry, index) => new Fields(`${this.where}, ${field} ${index + 1}`, entry));
  }

  wrong(field: string, wanted: string): LoupeError {
    const found = this.value(field);
    const state = found === undefined ? 'is missing' : `is not ${wanted}`;
    return new LoupeError('request_invalid', `${this.where}: the field ${field} ${state}.`, again);
  }

  /** Where the file that the field names may lie; none of the places is outside of `folder`. */
  places(field: string, folder: string, names: (name: string) => string[]): string[] {
    return names(this.text(field)).map((name) => {
      const path = resolve(folder, name);
      const inside = relative(folder, path);
      if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) {
        throw new LoupeError('request_invalid', `${this.where}: the field ${field} names a file outside of the folder.`, again);
      }
      return path;
    });
  }
}
