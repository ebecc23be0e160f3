import { LoupeError } from '../../errors.ts';
import type { Fields } from './fields.ts';
import { parquetFiles, readParquet } from './parquet.ts';
import { pythonStrings } from './python-strings.ts';
import type { EvalRow } from './row.ts';

export const mmmuFiles = ['SUBJECT/validation-*.parquet'];
const columns = ['id', 'question', 'options', 'answer', 'question_type'];

/** MMMU, validation, as on the Hub: a folder a subject, with "options" as Python writes a list, and pictures in "image_1" .. "image_7". */
export async function readMmmu(folder: string): Promise<EvalRow[]> {
  const paths = await parquetFiles(folder, /^validation-.*\.parquet$/);
  if (paths.length === 0) {
    throw new LoupeError('file_missing', `${folder} has no file of MMMU.`, `Loupe looks for ${mmmuFiles.join(', ')}.`);
  }
  const all: EvalRow[] = [];
  for (const path of paths) {
    const rows = await readParquet(path, columns, ['image_1']);
    all.push(...rows.map((row, index) => rowOf(row, path, index)));
  }
  return all;
}

function rowOf(row: Fields, path: string, index: number): EvalRow {
  const isChoice = row.oneOf('question_type', ['multiple-choice', 'open']) === 'multiple-choice';
  const written = isChoice ? listOf(row, 'options') : null;
  const { numbers, rename } = picturesNamed([row.text('question'), ...(written ?? [])].join('\n'));
  const options = written?.map(rename) ?? null;
  return {
    id: row.text('id'),
    where: row.where,
    question: rename(row.text('question')),
    pictures: numbers.map((number) => ({ parquet: path, column: `image_${number}`, index })),
    answers: options ? [options[indexOf(row, options.length)]!] : answersOf(row),
    options,
  };
}

/** The pictures that a text names as <image 1>, in order, and how it names them where it is shown beside their sheet. */
function picturesNamed(text: string): { numbers: number[]; rename: (text: string) => string } {
  const named = [...text.matchAll(/<image (\d)>/g)].map(([, number]) => Number(number));
  const numbers = named.length === 0 ? [1] : [...new Set(named)].sort((one, other) => one - other);
  const nameOf = (number: number): string =>
    numbers.length === 1 ? 'the picture' : `picture ${String.fromCharCode(0x41 + numbers.indexOf(number))}`;
  return { numbers, rename: (one) => one.replace(/<image (\d)>/g, (_, number: string) => `[${nameOf(Number(number))}]`) };
}

function listOf(row: Fields, field: string): string[] {
  const found = pythonStrings(row.text(field));
  if (!found || found.length === 0) throw row.wrong(field, 'a list of texts, as Python writes it');
  return found;
}

function indexOf(row: Fields, count: number): number {
  const index = row.text('answer').charCodeAt(0) - 0x41;
  if (row.text('answer').length !== 1 || index < 0 || index >= count) throw row.wrong('answer', 'the letter of an option');
  return index;
}

/** One, or a list of several that are right. */
function answersOf(row: Fields): string[] {
  const answer = row.text('answer');
  const several = answer.startsWith('[') ? pythonStrings(answer) : null;
  return several && several.length > 0 ? several : [answer];
}
