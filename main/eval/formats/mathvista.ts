import { findFile, Fields, readJson } from './fields.ts';
import type { EvalRow, ReadSet } from './row.ts';

// The copy on the Hub has the questions in annot_testmini.json, where the authors' repository keeps other notes on them.
export const mathvistaFiles = ['testmini.json', 'data/testmini.json', 'annot_testmini.json'];

/** MathVista, testmini: an object of questions by their "pid", and images/. */
export async function readMathvista(folder: string): Promise<ReadSet> {
  const path = findFile(folder, mathvistaFiles, 'MathVista');
  const all = new Fields(path, await readJson(path));
  const rows = all.names().map((id): EvalRow => {
    const row = new Fields(`${path}, row ${id}`, all.value(id));
    const isChoice = row.oneOf('question_type', ['multi_choice', 'free_form']) === 'multi_choice';
    const precision = row.value('precision');
    if (precision !== null && precision !== undefined && !(typeof precision === 'number' && precision >= 0 && precision <= 20)) {
      throw row.wrong('precision', 'a number from 0 to 20, or null');
    }
    const options = isChoice ? row.texts('choices') : null;
    return {
      id,
      where: row.where,
      question: questionOf(row),
      pictures: [{ places: row.places('image', folder, (name) => [name]) }],
      answers: [row.text('answer')],
      options,
      math: {
        type: row.oneOf('answer_type', ['integer', 'float', 'list', 'text']),
        precision: typeof precision === 'number' ? Math.trunc(precision) : null,
      },
    };
  });
  const unanswerable = rows.filter(({ options, answers }) => options && !options.includes(answers[0]!)).length;
  return { rows, notes: unanswerable > 0 ? [`Of ${unanswerable} questions no option is the answer, so every reply is wrong.`] : [] };
}

/** The unit is a field of its own. */
function questionOf(row: Fields): string {
  const unit = row.value('unit');
  return typeof unit === 'string' && unit !== '' ? `${row.text('question')} (Unit: ${unit})` : row.text('question');
}
