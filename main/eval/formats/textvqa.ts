import { join } from 'node:path';
import { findFile, readRows } from './fields.ts';
import type { EvalRow } from './row.ts';

export const textvqaFiles = ['TextVQA_0.5.1_val.json'];

/** TextVQA, validation: {"data": [{"question_id", "question", "image_id", "answers"}]} and train_images/ID.jpg. */
export async function readTextvqa(folder: string): Promise<EvalRow[]> {
  const rows = await readRows(findFile(folder, textvqaFiles, 'TextVQA'), 'data');
  return rows.map((row) => ({
    id: row.text('question_id'),
    where: row.where,
    question: row.text('question'),
    pictures: [
      {
        places: row.places('image_id', folder, (image) => [
          join('train_images', `${image}.jpg`),
          join('train_val_images', 'train_images', `${image}.jpg`),
        ]),
      },
    ],
    answers: row.texts('answers'),
    options: null,
  }));
}
