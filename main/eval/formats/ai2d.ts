import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readRegularFile } from '../../regular-file.ts';
import { findFile, Fields, readJson } from './fields.ts';
import { parquetFiles, readParquet } from './parquet.ts';
import type { EvalRow, ReadSet } from './row.ts';

export const ai2dFiles = ['questions', 'ai2d/questions', 'test-*.parquet'];
const testIds = 'ai2d_test_ids.csv';

/**
 * AI2D as its authors publish it: questions/NAME.png.json, {"imageName", "questions": {TEXT: {"abcLabel", "answerTexts", "correctAnswer",
 * "questionId"}}}, images/, and ai2d_test_ids.csv, the names of the test set's pictures. Questions about letters in the picture need the
 * pictures with letters, in abc_images/. Or as on the Hub, in parquet files with "question", "options", "answer" and "image".
 */
export async function readAi2d(folder: string): Promise<ReadSet> {
  const published = await parquetFiles(folder, /^test-.*\.parquet$/);
  return published.length > 0 ? { rows: await readHub(published), notes: [] } : readAuthors(folder);
}

async function readAuthors(folder: string): Promise<ReadSet> {
  const questions = findFile(folder, ai2dFiles, 'AI2D');
  const base = join(questions, '..');
  const wanted = await testPictures([folder, base]);
  const names = (await readdir(questions)).filter((name) => name.endsWith('.json') && (!wanted || wanted.has(name.split('.')[0]!)));
  const rows: EvalRow[] = [];
  let leftOut = 0;
  for (const name of names.sort()) {
    const path = join(questions, name);
    const picture = new Fields(path, await readJson(path));
    const all = new Fields(`${path}, field questions`, picture.value('questions'));
    for (const question of all.names()) {
      const row = new Fields(`${path}, question "${question}"`, all.value(question));
      const hasLetters = row.value('abcLabel') === true;
      if (hasLetters && !existsSync(join(base, 'abc_images'))) {
        leftOut++;
        continue;
      }
      const options = row.texts('answerTexts');
      rows.push({
        id: row.text('questionId'),
        where: row.where,
        question,
        pictures: [{ places: picture.places('imageName', base, (image) => [join(hasLetters ? 'abc_images' : 'images', image)]) }],
        answers: [options[row.whole('correctAnswer', options.length)]!],
        options,
      });
    }
  }
  const notes = wanted ? [] : [`There is no ${testIds}, so questions of the training set are among them.`];
  if (leftOut > 0) notes.push(`${leftOut} questions about letters in the picture are left out: there is no folder abc_images.`);
  return { rows, notes };
}

/** Null where no list lies there: then every picture counts. */
async function testPictures(folders: readonly string[]): Promise<Set<string> | null> {
  const path = folders.map((folder) => join(folder, testIds)).find((file) => existsSync(file));
  if (path === undefined) return null;
  const lines = (await readRegularFile(path, { mostBytes: 10e6 })).toString('utf8').split(/\r?\n/);
  return new Set(lines.map((line) => line.trim()).filter((line) => line !== ''));
}

async function readHub(paths: readonly string[]): Promise<EvalRow[]> {
  const all: EvalRow[] = [];
  for (const path of paths) {
    const rows = await readParquet(path, ['question', 'options', 'answer'], ['image']);
    all.push(...rows.map((row, index) => hubRow(row, path, index)));
  }
  return all;
}

function hubRow(row: Fields, path: string, index: number): EvalRow {
  const options = row.texts('options');
  return {
    id: `${basename(path)} ${index + 1}`,
    where: row.where,
    question: row.text('question'),
    pictures: [{ parquet: path, column: 'image', index }],
    answers: [options[row.whole('answer', options.length)]!],
    options,
  };
}
