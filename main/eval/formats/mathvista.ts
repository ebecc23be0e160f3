import { findFile, Fields, readJson } from './fields.ts';
import type { EvalRow } from './row.ts';

export const mathvistaFiles = ['annot_testmini.json', 'data/annot_testmini.json', 'testmini.json', 'data/testmini.json'];

/** MathVista, testmini: an object of questions by their "pid", and images/. */
export async function readMathvista(folder: string): Promise<EvalRow[]> {
  const path = findFile(folder, mathvistaFiles, 'MathVista');
  const all = new Fields(path, await readJson(path));
  return all.names().map((id) => {
    const row = new Fields(`${path}, row ${id}`, all.value(id));
    const isChoice = row.oneOf('question_type', ['multi_choice', 'free_form']) === 'multi_choice';
    const precision = row.value('precision');
    if (precision !== null && precision !== undefined && !(typeof precision === 'number' && precision >= 0 && precision <= 20)) {
      throw row.wrong('precision', 'a number from 0 to 20, or null');
    }
    const options = isChoice ? row.texts('choices') : null;
    const answer = row.text('answer');
    if (options && !options.includes(answer)) throw row.wrong('answer', 'one of the choices');
    return {
      id,
      where: row.where,
      question: questionOf(row),
      pictures: [{ places: row.places('image', folder, (name) => [name]) }],
      answers: [answer],
      options,
      math: {
        type: row.oneOf('answer_type', ['integer', 'float', 'list', 'text']),
        precision: typeof precision === 'number' ? Math.trunc(precision) : null,
      },
    };
  });
}

/** The unit is a field of its own. */
function questionOf(row: Fields): string {
  const unit = row.value('unit');
  return typeof unit === 'string' && unit !== '' ? `${row.text('question')} (Unit: ${unit})` : row.text('question');
}
