import { join } from 'node:path';
import { LoupeError } from '../../errors.ts';
import { findFile, readRows } from './fields.ts';
import type { EvalRow } from './row.ts';

const questions = 'v2_OpenEnded_mscoco_val2014_questions.json';
const annotations = 'v2_mscoco_val2014_annotations.json';
export const vqaFiles = [questions, join('Questions', questions)];

/** VQA v2, validation: questions and annotations in a file each, joined by "question_id", and the pictures of COCO in val2014/. */
export async function readVqa(folder: string): Promise<EvalRow[]> {
  const asked = await readRows(findFile(folder, vqaFiles, 'VQAv2'), 'questions');
  const told = await readRows(findFile(folder, [annotations, join('Annotations', annotations)], 'VQAv2'), 'annotations');
  const annotationOf = new Map(told.map((row) => [row.text('question_id'), row]));
  return asked.map((row) => {
    const id = row.text('question_id');
    const annotation = annotationOf.get(id);
    if (!annotation) {
      throw new LoupeError(
        'request_invalid',
        `${row.where}: the annotations have no question_id ${id}.`,
        'Take both files of one release.',
      );
    }
    const name = (image: string): string => `COCO_val2014_${image.padStart(12, '0')}.jpg`;
    return {
      id,
      where: row.where,
      question: row.text('question'),
      pictures: [
        {
          places: row.places('image_id', folder, (image) => [
            join('val2014', name(image)),
            join('Images', 'val2014', name(image)),
            name(image),
          ]),
        },
      ],
      answers: annotation.rows('answers').map((answer) => answer.textOrNothing('answer')),
      options: null,
    };
  });
}
