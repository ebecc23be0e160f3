/** A few rows of each set, in the layouts in which their authors publish them, made here. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';

async function put(folder: string, name: string, content: unknown): Promise<void> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content instanceof Uint8Array || typeof content === 'string' ? content : JSON.stringify(content));
}

export type SetMaker = (folder: string, picture: Uint8Array) => Promise<void>;

export interface DocvqaRow {
  question: string;
  answers: string[];
  picture: Uint8Array;
}

/** `rows`: in place of two about `picture`. */
export async function makeDocvqa(folder: string, picture: Uint8Array, rows: DocvqaRow[] = []): Promise<void> {
  const usual = ['What is the date?', 'Who signed?'].map((question) => ({ question, answers: ['1 May', 'May 1'], picture }));
  const all = rows.length > 0 ? rows : usual;
  const data = all.map(({ question, answers }, index) => ({
    questionId: 49_153 + index,
    question,
    question_types: ['form'],
    image: `documents/page_${index}.png`,
    docId: 1,
    ucsf_document_id: 'a',
    ucsf_document_page_no: '1',
    answers,
    data_split: 'val',
  }));
  await put(folder, 'val_v1.0_withQT.json', { dataset_name: 'SP-DocVQA', dataset_split: 'val', data });
  for (const [index, row] of all.entries()) await put(folder, `documents/page_${index}.png`, row.picture);
}

export const makeChartqa: SetMaker = async (folder, picture) => {
  await put(folder, 'test/test_human.json', [{ imgname: '41.png', query: 'How many?', label: '64' }]);
  await put(folder, 'test/test_augmented.json', [{ imgname: '41.png', query: 'Which colour?', label: 'red' }]);
  await put(folder, 'test/png/41.png', picture);
};

export const makeAi2d: SetMaker = async (folder, picture) => {
  const question = (id: number, abcLabel: boolean): object => ({
    abcLabel,
    answerTexts: ['ears', 'nose', 'mouth', 'face'],
    correctAnswer: 3,
    questionId: `0.png-${id}`,
  });
  await put(folder, 'questions/0.png.json', {
    imageName: '0.png',
    questions: { 'What is A?': question(0, true), 'What is seen?': question(1, false) },
  });
  await put(folder, 'questions/7.png.json', { imageName: '7.png', questions: { 'Of the training set?': question(2, false) } });
  await put(folder, 'ai2d_test_ids.csv', '0\n');
  await put(folder, 'images/0.png', picture);
};

export const makeVqav2: SetMaker = async (folder, picture) => {
  await put(folder, 'v2_OpenEnded_mscoco_val2014_questions.json', {
    questions: [{ image_id: 262_148, question: 'Is it day?', question_id: 262_148_000 }],
  });
  const answers = Array.from({ length: 10 }, (_, index) => ({
    answer: index < 7 ? 'yes' : 'no',
    answer_confidence: 'yes',
    answer_id: index + 1,
  }));
  await put(folder, 'v2_mscoco_val2014_annotations.json', {
    annotations: [
      {
        question_type: 'is it',
        multiple_choice_answer: 'yes',
        answers,
        image_id: 262_148,
        answer_type: 'yes/no',
        question_id: 262_148_000,
      },
    ],
  });
  await put(folder, 'val2014/COCO_val2014_000000262148.jpg', picture);
};

export const makeTextvqa: SetMaker = async (folder, picture) => {
  const row = {
    question: 'What brand?',
    image_id: '003a8ae2ef43b901',
    question_id: 34_602,
    set_name: 'val',
    answers: Array(10).fill('nokia'),
  };
  await put(folder, 'TextVQA_0.5.1_val.json', { dataset_type: 'val', dataset_version: '0.5.1', data: [row] });
  await put(folder, 'train_images/003a8ae2ef43b901.jpg', picture);
};

type Leaf = Parameters<typeof parquetWriteBuffer>[0]['schema'] & object;

const textColumn = (name: string): Leaf => [{ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }];
/** As the Hub stores pictures. */
const pictureColumn = (name: string): Leaf => [
  { name, num_children: 2, repetition_type: 'OPTIONAL' },
  { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
  ...textColumn('path'),
];
const listColumn = (name: string): Leaf => [
  { name, num_children: 1, repetition_type: 'OPTIONAL', converted_type: 'LIST' },
  { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
  ...textColumn('element'),
];

/** Columns in the order of their names in `columns`: texts, lists of texts or pictures. */
export async function putParquet(folder: string, name: string, columns: Record<string, unknown[]>): Promise<void> {
  const schema = Object.entries(columns).flatMap(([column, values]) => {
    const some = values.find((value) => value !== null);
    if (typeof some === 'string') return textColumn(column);
    return Array.isArray(some) ? listColumn(column) : pictureColumn(column);
  });
  const columnData = Object.entries(columns).map(([column, data]) => ({ name: column, data }));
  const root = { name: 'root', num_children: columnData.length };
  await put(folder, name, new Uint8Array(parquetWriteBuffer({ columnData, schema: [root, ...schema] })));
}

export const mmmuColumns = (image: Uint8Array): Record<string, unknown[]> => {
  const cell = { bytes: image, path: 'a.png' };
  return {
    id: ['validation_Art_1', 'validation_Art_2', 'validation_Art_3'],
    question: ['What does <image 1> show?', 'Compare <image 1> with <image 2>.', 'How many volts are in <image 1>?'],
    options: [`['a cat', "the artist's dog"]`, `['<image 1>', '<image 2>', 'none']`, '[]'],
    answer: ['B', 'A', "['24/7', '3.429']"],
    question_type: ['multiple-choice', 'multiple-choice', 'open'],
    image_1: [cell, cell, cell],
    image_2: [null, cell, null],
  };
};

export const makeMmmu: SetMaker = async (folder, image) => {
  await putParquet(folder, 'Art/validation-00000-of-00001.parquet', mmmuColumns(image));
  // Of another split, and not asked.
  await putParquet(folder, 'Art/dev-00000-of-00001.parquet', { id: ['dev_Art_1'] });
};

export const makeHubAi2d: SetMaker = async (folder, image) => {
  await putParquet(folder, 'data/test-00000-of-00001.parquet', {
    question: ['What is B?'],
    options: [['ears', 'nose']],
    answer: ['1'],
    image: [{ bytes: image, path: null }],
  });
};

export const makeMathvista: SetMaker = async (folder, image) => {
  const common = { image: 'images/1.png', unit: null, precision: null, choices: null, query: 'unused', metadata: { split: 'testmini' } };
  await put(folder, 'testmini.json', {
    '1': {
      ...common,
      pid: '1',
      question: 'How far?',
      precision: 1,
      answer: '1.2',
      question_type: 'free_form',
      answer_type: 'float',
      unit: 'cm',
    },
    '2': {
      ...common,
      pid: '2',
      question: 'Which angle?',
      choices: ['135°', '145°'],
      answer: '145°',
      question_type: 'multi_choice',
      answer_type: 'text',
    },
  });
  await put(folder, 'images/1.png', image);
};
