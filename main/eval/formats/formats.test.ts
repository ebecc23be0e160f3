import { mkdtemp, rm, writeFile, readFile, symlink } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LoupeError } from '../../errors.ts';
import { checkPictures, pictureOf } from '../pictures.ts';
import { evalSets } from '../sets.ts';
import {
  makeAi2d,
  makeChartqa,
  makeDocvqa,
  makeHubAi2d,
  makeMathvista,
  makeMmmu,
  makeTextvqa,
  makeVqav2,
  mmmuColumns,
  putParquet,
  type SetMaker,
} from '../test/small-sets.ts';
import { pythonStrings } from './python-strings.ts';
import type { EvalRow } from './row.ts';

const picture = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0, 255, 254]);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loupe-eval-'));
});
afterEach(() => rm(folder, { recursive: true }));

const alone = { compose: () => Promise.reject(new Error('nothing to compose')) };

async function rowsOf(name: string, make: SetMaker): Promise<EvalRow[]> {
  await make(folder, picture);
  return (await evalSets[name]!.read(folder)).rows;
}

async function refusal(name: string): Promise<string> {
  const error: unknown = await evalSets[name]!.read(folder)
    .then(
      ({ rows }) => checkPictures(rows),
      (thrown: unknown) => Promise.reject(thrown as Error),
    )
    .catch((thrown: unknown) => thrown);
  if (!(error instanceof LoupeError)) throw new Error('not refused', { cause: error });
  expect(error.nextStep).not.toBe('');
  return error.message.replaceAll(folder, 'DIR');
}

/** As deep as a test looks. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- it is taken apart on purpose
type Json = any;

/** `change` of what a file of JSON holds. */
async function edit(name: string, change: (value: Json) => void): Promise<void> {
  const path = join(folder, name);
  const value = JSON.parse(await readFile(path, 'utf8')) as Json;
  change(value);
  await writeFile(path, JSON.stringify(value));
}

describe('reads as published', () => {
  test('DocVQA', async () => {
    const rows = await rowsOf('docvqa', makeDocvqa);
    expect(rows[0]).toMatchObject({ id: '49153', question: 'What is the date?', answers: ['1 May', 'May 1'], options: null });
    expect(rows).toHaveLength(2);
    expect(await pictureOf(rows[0]!, alone)).toEqual({ path: join(folder, 'documents/page_0.png') });
  });

  test('ChartQA, both halves', async () => {
    const rows = await rowsOf('chartqa', makeChartqa);
    expect(rows.map(({ id, question, answers }) => [id, question, answers])).toEqual([
      ['human 1', 'How many?', ['64']],
      ['augmented 1', 'Which colour?', ['red']],
    ]);
    expect(await pictureOf(rows[1]!, alone)).toEqual({ path: join(folder, 'test/png/41.png') });
  });

  test('AI2D: the test set, and of letters only where there are pictures with them', async () => {
    await makeAi2d(folder, picture);
    const { rows, notes } = await evalSets['ai2d']!.read(folder);
    expect(rows).toMatchObject([
      { id: '0.png-1', question: 'What is seen?', answers: ['face'], options: ['ears', 'nose', 'mouth', 'face'] },
    ]);
    expect(notes).toEqual(['1 questions about letters in the picture are left out: there is no folder abc_images.']);
    expect(evalSets['ai2d']!.prompt(rows[0]!)).toContain('What is seen?\nA. ears\nB. nose\nC. mouth\nD. face\n');
  });

  test('AI2D from the Hub', async () => {
    const [row] = await rowsOf('ai2d', makeHubAi2d);
    expect(row).toMatchObject({ id: 'test-00000-of-00001.parquet 1', answers: ['nose'], options: ['ears', 'nose'] });
    expect(await pictureOf(row!, alone)).toEqual({ bytes: picture, name: 'test-00000-of-00001.parquet 1, picture 1' });
  });

  test('VQAv2: questions and annotations', async () => {
    const [row] = await rowsOf('vqav2', makeVqav2);
    expect(row).toMatchObject({ id: '262148000', question: 'Is it day?', answers: [...Array<string>(7).fill('yes'), 'no', 'no', 'no'] });
    expect(await pictureOf(row!, alone)).toEqual({ path: join(folder, 'val2014/COCO_val2014_000000262148.jpg') });
    expect([evalSets['vqav2']!.score('Yes', row!), evalSets['vqav2']!.score('no', row!)]).toEqual([1, 0.9]);
  });

  test('TextVQA', async () => {
    const [row] = await rowsOf('textvqa', makeTextvqa);
    expect(row).toMatchObject({ id: '34602', question: 'What brand?', answers: Array<string>(10).fill('nokia') });
    expect(await pictureOf(row!, alone)).toEqual({ path: join(folder, 'train_images/003a8ae2ef43b901.jpg') });
  });

  test('MMMU: options as Python writes them, several pictures as one', async () => {
    const rows = await rowsOf('mmmu', makeMmmu);
    expect(rows.map(({ id, question, options, answers }) => ({ id, question, options, answers }))).toEqual([
      {
        id: 'validation_Art_1',
        question: 'What does [the picture] show?',
        options: ['a cat', "the artist's dog"],
        answers: ["the artist's dog"],
      },
      {
        id: 'validation_Art_2',
        question: 'Compare [picture A] with [picture B].',
        options: ['[picture A]', '[picture B]', 'none'],
        answers: ['[picture A]'],
      },
      { id: 'validation_Art_3', question: 'How many volts are in [the picture]?', options: null, answers: ['24/7', '3.429'] },
    ]);
    const composed: unknown[] = [];
    const compose = async (...args: unknown[]): Promise<Uint8Array> => {
      composed.push(args);
      return new Uint8Array([7]);
    };
    expect(await pictureOf(rows[1]!, { compose })).toEqual({ bytes: new Uint8Array([7]), name: 'validation_Art_2.png' });
    const name = (number: number): string => `validation_Art_2, picture ${number}`;
    expect(composed).toEqual([
      [
        [
          { bytes: picture, name: name(1) },
          { bytes: picture, name: name(2) },
        ],
        'grid',
        true,
      ],
    ]);
    expect(rows.map((row) => evalSets['mmmu']!.score('Answer: B', row))).toEqual([1, 0, 0]);
    expect(evalSets['mmmu']!.score('Answer: 3.43', rows[2]!)).toBe(1);
  });

  test('MathVista', async () => {
    const rows = await rowsOf('mathvista', makeMathvista);
    expect(rows).toMatchObject([
      { id: '1', question: 'How far? (Unit: cm)', options: null, answers: ['1.2'], math: { type: 'float', precision: 1 } },
      { id: '2', options: ['135°', '145°'], answers: ['145°'] },
    ]);
    const { prompt, score } = evalSets['mathvista']!;
    expect(prompt(rows[0]!)).toContain('holds only what was asked for, with one decimal.');
    expect([score('Answer: 1.24 cm', rows[0]!), score('Answer: B', rows[1]!)]).toEqual([1, 1]);
  });

  test('MathVista: a question whose answer is no option is kept, and told of', async () => {
    await makeMathvista(folder, picture);
    await edit('testmini.json', (value) => (value['2'].answer = '9'));
    const { rows, notes } = await evalSets['mathvista']!.read(folder);
    expect(rows.map((row) => evalSets['mathvista']!.score('Answer: B', row))).toEqual([0, 0]);
    expect(notes).toEqual(['Of 1 questions no option is the answer, so every reply is wrong.']);
  });
});

describe('says what is wrong by file, row and field', () => {
  test('no file of the set', async () => {
    for (const [name, { title }] of Object.entries(evalSets)) expect(await refusal(name)).toBe(`DIR has no file of ${title}.`);
  });

  test('fields of JSON', async () => {
    await makeDocvqa(folder, picture);
    const file = 'val_v1.0_withQT.json';
    await edit(file, ({ data }) => delete data[1].answers);
    expect(await refusal('docvqa')).toBe(`DIR/${file}, row 2: the field answers is missing.`);
    await edit(file, ({ data }) => (data[1].answers = [null]));
    expect(await refusal('docvqa')).toBe(`DIR/${file}, row 2: the field answers is not a list of texts.`);
    await edit(file, ({ data }) => (data[1] = 5));
    expect(await refusal('docvqa')).toBe(`DIR/${file}, row 2: this is no object with fields.`);
    await edit(file, (value) => (value.data = {}));
    expect(await refusal('docvqa')).toBe(`DIR/${file} has no list of rows in the field data.`);
    await writeFile(join(folder, file), '{"data": [');
    expect(await refusal('docvqa')).toContain(`DIR/${file} is no JSON: `);
  });

  test('pictures that are missing, or lie outside of the folder', async () => {
    await makeDocvqa(folder, picture);
    const file = 'val_v1.0_withQT.json';
    await rm(join(folder, 'documents/page_1.png'));
    expect(await refusal('docvqa')).toBe(`DIR/${file}, row 2: the picture DIR/documents/page_1.png is missing.`);
    for (const image of ['../page.png', '/etc/passwd', 'documents/../../page.png', '.']) {
      await edit(file, ({ data }) => (data[1].image = image));
      expect(await refusal('docvqa')).toBe(`DIR/${file}, row 2: the field image names a file outside of the folder.`);
    }
  });

  test.skipIf(process.platform === 'win32')('devices and FIFOs are no pictures and no sets', async () => {
    await makeDocvqa(folder, picture);
    await rm(join(folder, 'documents/page_1.png'));
    execFileSync('mkfifo', [join(folder, 'documents/page_1.png')]);
    expect(await refusal('docvqa')).toContain('page_1.png is missing.');
    await rm(join(folder, 'val_v1.0_withQT.json'));
    await symlink('/dev/zero', join(folder, 'val_v1.0_withQT.json'));
    expect(await refusal('docvqa')).toContain('val_v1.0_withQT.json is not a regular file.');
  });

  test('answers that are no option', async () => {
    await makeAi2d(folder, picture);
    await edit('questions/0.png.json', ({ questions }) => (questions['What is seen?'].correctAnswer = 4));
    expect(await refusal('ai2d')).toBe(
      'DIR/questions/0.png.json, question "What is seen?": the field correctAnswer is not a whole number from 0 to 3.',
    );
  });

  test('annotations that lack a question', async () => {
    await makeVqav2(folder, picture);
    await edit('v2_mscoco_val2014_annotations.json', ({ annotations }) => (annotations[0].question_id = 1));
    expect(await refusal('vqav2')).toBe(
      'DIR/v2_OpenEnded_mscoco_val2014_questions.json, row 1: the annotations have no question_id 262148000.',
    );
  });

  test('parquet files', async () => {
    const name = 'Art/validation-00000-of-00001.parquet';
    const { question_type: _, ...some } = mmmuColumns(picture);
    await putParquet(folder, name, some);
    expect(await refusal('mmmu')).toBe(`DIR/${name}: the field question_type is missing.`);
    await putParquet(folder, name, { ...mmmuColumns(picture), options: ['[]', "['a', b]", '[]'], answer: ['A', 'A', '1'] });
    expect(await refusal('mmmu')).toBe(`DIR/${name}, row 1: the field options is not a list of texts, as Python writes it.`);
    await putParquet(folder, name, { ...mmmuColumns(picture), answer: ['C', 'A', '1'] });
    expect(await refusal('mmmu')).toBe(`DIR/${name}, row 1: the field answer is not the letter of an option.`);
    await writeFile(join(folder, name), 'PAR1 but no more');
    expect(await refusal('mmmu')).toContain(`DIR/${name} cannot be read as parquet: `);
  });
});

test.each([
  [`['a', "it's", 'say "x"']`, ['a', "it's", 'say "x"']],
  [`['\\\\alpha', '\\'q\\'', '\\u00e9\\n', 3.5]`, ['\\alpha', "'q'", 'é\n', '3.5']],
  ['[]', []],
  ["['a',]", ['a']],
  ["['a' 'b']", null],
  ["['a", null],
  ['a', null],
])('Python’s list %s', (text, list) => {
  expect(pythonStrings(text)).toEqual(list);
});
