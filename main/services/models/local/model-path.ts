/**
 * One text that names a model of several files. A comma may stand in the name of any folder and file, so a text is
 * cut only where the whole does not exist; what is stored, and what programs pass on, is a list that needs no such check.
 */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { modelPaths } from '../../../contract.ts';
import { LoupeError } from '../../../errors.ts';

/** More commas than this are part of a name. */
const mostPieces = 32;

/** As records and windows name a model of these files; `modelPaths` reads it. */
export function joinPaths(paths: readonly string[]): string {
  return paths.length === 1 ? paths[0]! : JSON.stringify(paths);
}

/**
 * The paths that a person or a record means: what exists under the whole name, else the list that it is, else files with
 * commas between them, as older versions stored them, too. Where nothing exists it stays one path, unless one side of a comma is
 * a file: then the other is what is missing. Throws `model_missing` where there is more than one way to read it.
 */
export function pathsNamed(named: string): string[] {
  if (existsSync(resolve(named))) return [named];
  const listed = modelPaths(named);
  if (listed.length > 1) return listed;
  const pieces = named.split(',');
  if (pieces.length === 1 || pieces.length > mostPieces) return [named];
  const [only, other] = waysToRead(pieces, 0);
  if (only && other) {
    throw new LoupeError(
      'model_missing',
      `${named} can be read as ${only.join(' and ')}, and as ${other.join(' and ')}.`,
      'Pass each file with its own --model, or as its own argument.',
    );
  }
  return only ?? halfThere(pieces) ?? [named];
}

/** Every way to take the pieces together so that each name is a file's; two are enough. */
function waysToRead(pieces: readonly string[], from: number, memo = new Map<number, string[][]>()): string[][] {
  if (from === pieces.length) return [[]];
  const known = memo.get(from);
  if (known) return known;
  const ways: string[][] = [];
  for (let end = from + 1; end <= pieces.length && ways.length < 2; end++) {
    const file = fileNamed(pieces.slice(from, end).join(','));
    if (file !== null) ways.push(...waysToRead(pieces, end, memo).map((rest) => [file, ...rest]));
  }
  const found = ways.slice(0, 2);
  memo.set(from, found);
  return found;
}

function halfThere(pieces: readonly string[]): string[] | null {
  for (let at = 1; at < pieces.length; at++) {
    const [before, after] = [pieces.slice(0, at).join(','), pieces.slice(at).join(',')];
    const [first, second] = [fileNamed(before), fileNamed(after)];
    if ((first !== null || second !== null) && before.trim() !== '' && after.trim() !== '')
      return [first ?? before.trim(), second ?? after.trim()];
  }
  return null;
}

/** With or without the spaces around it, as it is; null for what is not a file. */
function fileNamed(text: string): string | null {
  return [text, text.trim()].find((name) => name !== '' && isFile(resolve(name))) ?? null;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
