import type { CheckState, Judgement, Verdict } from '../../main/contract.ts';
import { seconds } from '../format.ts';

/** The categories of Llama Guard 3. */
const categories: Record<string, string> = {
  S1: 'violent crimes',
  S2: 'non-violent crimes',
  S3: 'sex-related crimes',
  S4: 'sexual exploitation of children',
  S5: 'defamation',
  S6: 'specialised advice',
  S7: 'privacy',
  S8: 'intellectual property',
  S9: 'indiscriminate weapons',
  S10: 'hate',
  S11: 'suicide and self-harm',
  S12: 'sexual content',
  S13: 'elections',
  S14: 'abuse of code interpreters',
};

const findings: Record<Verdict['finding'], string> = { safe: 'safe', unsafe: 'not safe', unclear: 'no clear verdict' };
const category = (name: string): string => (categories[name] ? `${categories[name]} (${name})` : name);
const verdict = (subject: 'Question' | 'Answer', { finding, categories }: Verdict): string =>
  `${subject}: ${findings[finding]}${categories.length > 0 ? `, ${categories.map(category).join(', ')}` : ''}`;

/** Llama Guard: verdicts and the check of answers. */
export const guard = {
  name: 'Verdict',
  verdict,
  judged: ({ question, answer }: Judgement) =>
    `${[verdict('Question', question), ...(answer ? [verdict('Answer', answer)] : [])].join('. ')}.`,
  by: ({ by, ms }: Judgement) => `${by}, ${seconds(ms)}`,
  wrote: 'It wrote neither “safe” nor “unsafe”:',
  phase: {
    waiting: 'Waiting to be checked by Llama Guard',
    judging: 'Llama Guard is checking the question and the answer',
  } satisfies Record<Exclude<CheckState['phase'], 'failed'>, string>,
  notChecked: (why: string) => `This answer was not checked. ${why}`,

  // A guard or a base model in use
  judges: (model: string) => `${model} says whether your question is safe. It does not answer it.`,
  continues: (model: string) => `${model} is a base model: it continues your text and does not answer questions.`,
  chooseInstruct: 'For answers, choose a model with “Instruct” in its name.',
  placeholderJudge: 'A question to judge, with a picture',
  placeholderContinue: 'Text to continue',

  // Settings
  check: 'Check answers with Llama Guard',
  checkHint: (name: string) =>
    `${name} judges the picture, the question and the answer, in English. ` +
    'Only one model is loaded at a time, so after each answer Loupe loads the guard, then your model again. ' +
    'The next answer waits for both; each verdict says how long they took.',
  checkNone: 'Llama Guard 3 11B Vision is not among your models. Add it on the Models page first.',
  checkGone: (name: string) => `${name} is selected, but its files are no longer there.`,
};
