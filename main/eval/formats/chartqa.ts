import { dirname, join, relative } from 'node:path';
import { findFile, readRows } from './fields.ts';
import type { EvalRow } from './row.ts';

const folders = ['test', 'ChartQA Dataset/test', '.'];
/** Questions that people wrote, and questions made from summaries that people wrote; the published figure takes both. */
const halves = ['human', 'augmented'];
export const chartqaFiles = folders.map((folder) => join(folder, 'test_human.json'));

/** ChartQA: test/test_human.json and test/test_augmented.json, [{"imgname", "query", "label"}], and test/png/. */
export async function readChartqa(folder: string): Promise<EvalRow[]> {
  const all: EvalRow[] = [];
  for (const half of halves) {
    const path = findFile(
      folder,
      folders.map((name) => join(name, `test_${half}.json`)),
      'ChartQA',
    );
    const beside = relative(folder, dirname(path));
    const rows = await readRows(path, null);
    const found = rows.map((row, index) => ({
      // The set numbers no questions.
      id: `${half} ${index + 1}`,
      where: row.where,
      question: row.text('query'),
      pictures: [{ places: row.places('imgname', folder, (name) => [join(beside, 'png', name)]) }],
      answers: [row.text('label')],
      options: null,
    }));
    all.push(...found);
  }
  return all;
}
