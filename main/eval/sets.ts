/** The sets that `loupe eval` knows. One more is one more entry: how its folder is read, what is asked, and how a reply is judged. */
import { ai2dFiles, readAi2d } from './formats/ai2d.ts';
import { chartqaFiles, readChartqa } from './formats/chartqa.ts';
import { docvqaFiles, readDocvqa } from './formats/docvqa.ts';
import { mathvistaFiles, readMathvista } from './formats/mathvista.ts';
import { mmmuFiles, readMmmu } from './formats/mmmu.ts';
import type { EvalRow, ReadSet } from './formats/row.ts';
import { readTextvqa, textvqaFiles } from './formats/textvqa.ts';
import { readVqa, vqaFiles } from './formats/vqa.ts';
import { anls } from './metrics/anls.ts';
import { chosenOption, letterOf } from './metrics/choice.ts';
import { finalAnswer } from './metrics/final-answer.ts';
import { mathAccuracy } from './metrics/math-answer.ts';
import { openAccuracy } from './metrics/open-answer.ts';
import { relaxedAccuracy } from './metrics/relaxed-accuracy.ts';
import { vqaAccuracy } from './metrics/vqa-accuracy.ts';

export interface EvalSet {
  title: string;
  metric: string;
  /** Of the part that its files hold. */
  split: string;
  /** What is looked for in the folder; the first that is there counts. */
  files: readonly string[];
  read(folder: string): Promise<ReadSet>;
  /** What the model is asked, below the picture. */
  prompt(row: EvalRow): string;
  /** Tokens of a reply. */
  maxTokens: number;
  /** 0 .. 1. */
  score(reply: string, row: EvalRow): number;
  /** In percent, from Meta's model cards of Llama 3.2 Vision. */
  published: readonly Published[];
  /** Why the score may differ from the published ones though the engine loses nothing. */
  differs: readonly string[];
}

export interface Published {
  model: '11B' | '11B Instruct' | '90B' | '90B Instruct';
  percent: number;
  /** Absent: that of the set's title. */
  split?: string;
}

const whole = (read: (folder: string) => Promise<EvalRow[]>) => async (folder: string) => ({ rows: await read(folder), notes: [] });
const ownWords = 'The prompt is in words of our own: the cards state none.';
const others = 'The published figures of the instruction-tuned models are of the test set, whose answers are not public.';
const stepByStep = 'Reason step by step. Then end with a line that begins with "Answer:"';

const docvqa: EvalSet = {
  title: 'DocVQA',
  metric: 'ANLS',
  split: 'validation',
  files: docvqaFiles,
  read: whole(readDocvqa),
  prompt: ({ question }) => `${question}\nAnswer with the words as they stand in the document, and with nothing else.`,
  maxTokens: 96,
  score: (reply, { answers }) => anls(reply, answers),
  published: [
    { model: '11B', percent: 62.3, split: 'validation' },
    { model: '11B Instruct', percent: 88.4, split: 'test' },
    { model: '90B', percent: 70.7, split: 'validation' },
    { model: '90B Instruct', percent: 90.1, split: 'test' },
  ],
  differs: [others, ownWords],
};

const chartqa: EvalSet = {
  title: 'ChartQA',
  metric: 'relaxed accuracy',
  split: 'test',
  files: chartqaFiles,
  read: whole(readChartqa),
  prompt: ({ question }) => `Look at the chart. ${question}\n${stepByStep} and holds only the number or the few words that were asked for.`,
  maxTokens: 1024,
  score: (reply, { answers }) => Math.max(...answers.map((answer) => relaxedAccuracy(finalAnswer(reply), answer))),
  published: [
    { model: '11B Instruct', percent: 83.4 },
    { model: '90B', percent: 54.2 },
    { model: '90B Instruct', percent: 85.5 },
  ],
  differs: [ownWords, 'How the answer is taken out of the reasoning, and what a percent sign means, are rules of our own.'],
};

const ai2d: EvalSet = {
  title: 'AI2D',
  metric: 'accuracy',
  split: 'test',
  files: ai2dFiles,
  read: readAi2d,
  prompt: (row) => `Look at the diagram. ${withOptions(row)}\nAnswer with the letter of the right option alone.`,
  maxTokens: 32,
  score: choiceAccuracy,
  published: [
    { model: '11B', percent: 62.4 },
    { model: '11B Instruct', percent: 91.1 },
    { model: '90B', percent: 75.3 },
    { model: '90B Instruct', percent: 92.3 },
  ],
  differs: [ownWords],
};

const vqav2: EvalSet = {
  title: 'VQAv2',
  metric: 'VQA accuracy',
  split: 'validation',
  files: vqaFiles,
  read: whole(readVqa),
  prompt: ({ question }) => `${question}\nAnswer with one word or a few.`,
  maxTokens: 32,
  score: (reply, { answers }) => vqaAccuracy(reply, answers),
  published: [
    { model: '11B', percent: 66.8, split: 'validation' },
    { model: '11B Instruct', percent: 75.2, split: 'test' },
    { model: '90B', percent: 73.6, split: 'validation' },
    { model: '90B Instruct', percent: 78.1, split: 'test' },
  ],
  differs: [others, ownWords],
};

const textvqa: EvalSet = {
  title: 'TextVQA',
  metric: 'VQA accuracy',
  split: 'validation',
  files: textvqaFiles,
  read: whole(readTextvqa),
  prompt: ({ question }) => `${question}\nRead the picture and answer with one word or a few.`,
  maxTokens: 32,
  score: (reply, { answers }) => vqaAccuracy(reply, answers),
  published: [],
  differs: ['The figures that this comparison goes by hold none for TextVQA.'],
};

const mmmu: EvalSet = {
  title: 'MMMU',
  metric: 'accuracy',
  split: 'validation',
  files: mmmuFiles,
  read: whole(readMmmu),
  prompt: (row) =>
    row.options
      ? `${withOptions(row)}\n${stepByStep} and holds only the letter of the right option.`
      : `${row.question}\n${stepByStep} and holds only the number or the few words that were asked for.`,
  maxTokens: 2048,
  score: (reply, row) => (row.options ? choiceAccuracy(reply, row) : openAccuracy(reply, row.answers)),
  published: [
    { model: '11B', percent: 41.7 },
    { model: '11B Instruct', percent: 50.7 },
    { model: '90B', percent: 49.3 },
    { model: '90B Instruct', percent: 60.3 },
  ],
  differs: [
    ownWords,
    'The model sees one picture: where a question has several they are composed into one, with letters.',
    'A reply that chooses nothing is wrong; the authors of the set draw an option at random.',
  ],
};

const mathvista: EvalSet = {
  title: 'MathVista',
  metric: 'accuracy',
  split: 'testmini',
  files: mathvistaFiles,
  read: readMathvista,
  prompt: (row) =>
    row.options
      ? `${withOptions(row)}\n${stepByStep} and holds only the letter of the right option.`
      : `${row.question}\n${stepByStep} and holds only what was asked for${decimals(row)}.`,
  maxTokens: 2048,
  score: (reply, { answers, math, options }) => mathAccuracy(reply, { answer: answers[0]!, ...math!, choices: options }),
  published: [
    { model: '11B Instruct', percent: 51.5 },
    { model: '90B Instruct', percent: 57.3 },
  ],
  differs: [ownWords, 'A rule takes the answer out of the reply; the authors of the set have another language model do it.'],
};

export const evalSets: Readonly<Record<string, EvalSet>> = { docvqa, chartqa, ai2d, vqav2, textvqa, mmmu, mathvista };

function choiceAccuracy(reply: string, { options, answers }: EvalRow): number {
  const chosen = chosenOption(reply, options!);
  return chosen !== null && options![chosen] === answers[0] ? 1 : 0;
}

function withOptions({ question, options }: EvalRow): string {
  return [question, ...options!.map((option, index) => `${letterOf(index)}. ${option}`)].join('\n');
}

function decimals({ math }: EvalRow): string {
  if (math?.type === 'integer') return ', as a whole number';
  if (math?.type === 'list') return ', as a list in square brackets';
  if (math?.type !== 'float') return '';
  const count = math.precision ?? 2;
  return `, with ${count === 1 ? 'one decimal' : `${count} decimals`}`;
}
