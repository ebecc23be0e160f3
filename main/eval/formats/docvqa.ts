import { dirname, join, relative } from 'node:path';
import { findFile, readRows } from './fields.ts';
import type { EvalRow } from './row.ts';

export const docvqaFiles = ['val_v1.0_withQT.json', 'spdocvqa_qas/val_v1.0_withQT.json', 'val_v1.0.json', 'val/val_v1.0.json'];

/** DocVQA, task 1, as its challenge publishes it: {"data": [{"questionId", "question", "image", "answers"}]} and documents/*.png. */
export async function readDocvqa(folder: string): Promise<EvalRow[]> {
  const path = findFile(folder, docvqaFiles, 'DocVQA');
  const beside = relative(folder, dirname(path));
  const rows = await readRows(path, 'data');
  return rows.map((row) => ({
    id: row.text('questionId'),
    where: row.where,
    question: row.text('question'),
    // The field says documents/NAME; the newer archive of pictures unpacks as spdocvqa_images/NAME.
    pictures: [
      {
        places: row.places('image', folder, (name) => [
          name,
          join(beside, name),
          join('spdocvqa_images', name.replace(/^documents\//, '')),
        ]),
      },
    ],
    answers: row.texts('answers'),
    options: null,
  }));
}
