/** How well a model answers published questions, beside what its makers publish: `loupe eval`. `documents` is a set of our own. */
import { resolve } from 'node:path';
import { chooseRows, refuseDoubles } from '../eval/choose-rows.ts';
import type { EvalRow } from '../eval/formats/row.ts';
import { checkPictures, pictureOf } from '../eval/pictures.ts';
import { ResultsFile, type EvalResult } from '../eval/results.ts';
import { evalSets, type EvalSet } from '../eval/sets.ts';
import { summarise, type EvalSummary } from '../eval/summary.ts';
import { LoupeError, toLoupeError } from '../errors.ts';
import { demoModel } from '../host/paths.ts';
import { findModel } from '../services/models/local/find-model.ts';
import { loadPlanned } from '../services/models/fit/placement.ts';
import type { Engine, GenerateReply, LoadedModel, PictureWorker } from '../services/ports.ts';
import { evalDocuments } from './eval-documents.ts';
import { engineFlags, engineSettings, namedModel, needed, parseFlags, wholeNumber } from './options.ts';
import { exitCodes, lineWriter, type ExitCode, type Terminal } from './terminal.ts';
import { inTime } from './units.ts';

const listOfSets = Object.entries(evalSets)
  .map(([name, { title, metric, split }]) => `  ${name.padEnd(11)} ${title}, ${split}: ${metric}`)
  .join('\n');

export const evalHelp = `loupe eval SET --folder DIR [options]
loupe eval documents [options]

  Asks a model the questions of a published set, judges each reply, and shows the score beside the published ones (docs/eval.md).

${listOfSets}

  --folder DIR              the set as its authors publish it
  --model MODEL             as with loupe ask (default: the demo model)
  --rows N                  only N rows, chosen by the seed; a larger N goes on from a smaller one (default: all)
  --seed N                  which rows, and in which order (default 1); replies take the likeliest tokens, so nothing else is drawn
  --out FILE                results, a line each; a run that was ended goes on with its file (default: SET.jsonl)
  --context N  --device D  --activations f32|f16|auto  --memory-budget MB  --validation
  --json                    one JSON object instead of the table

  With "documents": asks twenty questions about forty pages whose answers are known, and counts: whether the words that the model names
  find the right page, whether its answers quote the page word by word, whether it reads a whole page or needs two halves, at 10 and at
  6 points, and whether its Yes tells the right page from three others. Takes as many looks as seven for each question. Keeps nothing;
  the demo model is far too small for it.

  --questions N             only so many
`;

const ownFlags = { documents: ['questions'], sets: ['folder', 'rows', 'seed', 'out'] } as const;

export async function evaluate(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, {
    ...engineFlags,
    model: { type: 'string', multiple: true },
    questions: { type: 'string' },
    folder: { type: 'string' },
    rows: { type: 'string' },
    seed: { type: 'string' },
    out: { type: 'string' },
    context: { type: 'string' },
    json: { type: 'boolean' },
  });
  const isDocuments = positionals[0] === 'documents' && positionals.length === 1;
  const stray = ownFlags[isDocuments ? 'sets' : 'documents'].find((flag) => values[flag] !== undefined);
  if (isDocuments) {
    if (stray) throw new LoupeError('usage', `eval documents has no option --${stray}.`);
    return evalDocuments(values, terminal);
  }
  const { name, set } = namedSet(positionals);
  if (stray) throw new LoupeError('usage', `eval ${name} has no option --${stray}.`);
  const folder = resolve(needed('--folder', values.folder));
  const seed = wholeNumber('--seed', values.seed, 0) ?? 1;
  const count = wholeNumber('--rows', values.rows, 1);
  const engine = engineSettings(values);
  const contextLength = wholeNumber('--context', values.context, 1);
  if (values.model === undefined) {
    terminal.err('loupe: no --model given; the small demo model answers. It only reads short text in simple screenshots.\n');
  }
  const place = await findModel(namedModel(values.model) ?? demoModel);
  const model = values.model?.join(' and ') ?? 'The demo model';

  const { rows, notes } = await set.read(folder);
  if (rows.length === 0) throw new LoupeError('request_invalid', `${folder} holds no question of ${set.title}.`, 'Download the set again.');
  refuseDoubles(rows);
  const chosen = chooseRows(rows, seed, count);
  const file = await ResultsFile.open(resolve(values.out ?? `${name}.jsonl`));
  try {
    file.check({ set: name, model, seed });
    const judged = resultsOf(file, set, chosen, rows);
    const left = chosen.filter(({ id }) => !judged.has(id));
    await checkPictures(left);
    if (left.length > 0) {
      const client = terminal.startEngine();
      const pictures = terminal.startPictures();
      try {
        const loaded = await loadPlanned(client, { ...place, engine, contextLength }, { model, signal: terminal.interrupted });
        refuseUnfit(loaded, model);
        const { parameters, weightBytes } = loaded.model;
        const header = { set: name, model, seed, parameters, weightBytes, device: loaded.device.name, paths: loaded.paths };
        file.check(header);
        await file.begin(header);
        const run = new Run({ client, pictures, set, file, terminal, quiet: values.json === true });
        await run.ask(left, chosen.length, [...judged.values()]);
      } finally {
        await Promise.all([client.close(), pictures.close()]);
      }
    }
    const summary = summarise({ set, name, model, seed, out: file.path, notes, chosen, all: rows.length, file });
    if (values.json) terminal.out(`${JSON.stringify(summary)}\n`);
    else print(summary, lineWriter(terminal));
    return terminal.interrupted.aborted ? exitCodes.interrupted : exitCodes.ok;
  } finally {
    await file.close();
  }
}

function namedSet([name, surplus]: string[]): { name: string; set: EvalSet } {
  const known = `Known: ${Object.keys(evalSets).join(', ')}, documents.`;
  if (name === undefined) throw new LoupeError('usage', 'The set is missing.', known);
  if (surplus !== undefined) throw new LoupeError('usage', `"${surplus}" belongs to no option.`);
  const set = Object.hasOwn(evalSets, name) ? evalSets[name] : undefined;
  if (!set) throw new LoupeError('usage', `There is no set "${name}".`, known);
  return { name, set };
}

/** Of the chosen rows. Refuses those of another folder, and of questions that were put in other words. */
function resultsOf(file: ResultsFile, set: EvalSet, chosen: readonly EvalRow[], all: readonly EvalRow[]): Map<string, EvalResult> {
  const rowOf = new Map(all.map((row) => [row.id, row]));
  for (const { id, question, answers } of file.results) {
    const row = rowOf.get(id);
    const isSame = row && set.prompt(row) === question && row.answers.join('\n') === answers.join('\n');
    if (isSame) continue;
    const what = row ? 'whose question or answers were others' : 'which is not in the folder';
    throw new LoupeError(
      'usage',
      `${file.path} holds a result of ${id}, ${what}.`,
      'Name the folder that the run began with, or another file with --out.',
    );
  }
  const results = new Map(file.results.map((one) => [one.id, one]));
  return new Map(chosen.flatMap(({ id }) => (results.has(id) ? [[id, results.get(id)!]] : [])));
}

function refuseUnfit({ model, promptFormat }: LoadedModel, name: string): void {
  if (!model.vision)
    throw new LoupeError('image_unseen', `${name} reads text only, and the questions are about pictures.`, 'Choose a vision model.');
  if (promptFormat === 'guard')
    throw new LoupeError('usage', `${name} is a guard, which answers no questions.`, 'Choose a model that answers.');
}

interface RunParts {
  client: Engine;
  pictures: Pick<PictureWorker, 'compose'>;
  set: EvalSet;
  file: ResultsFile;
  terminal: Terminal;
  quiet: boolean;
}

const likeliest = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 };

class Run {
  readonly #parts: RunParts;

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  /** Row by row, until all are judged or somebody interrupts; `before`: what is judged of the `total` already. */
  async ask(rows: readonly EvalRow[], total: number, before: readonly EvalResult[]): Promise<void> {
    const { terminal, file } = this.#parts;
    let points = before.reduce((sum, { score }) => sum + score, 0);
    const began = performance.now();
    for (const [index, row] of rows.entries()) {
      const done = before.length + index;
      this.#progress(done, total, points, index === 0 ? null : ((performance.now() - began) / index) * (rows.length - index));
      const result = await this.#judge(row);
      if (!result) break;
      await file.add(result);
      points += result.score;
    }
    if (terminal.errIsTerminal && !this.#parts.quiet) terminal.err('\r\x1b[K');
  }

  /** Null where it was interrupted. A row that cannot be asked counts as wrong, and says why; an engine that fails ends the run. */
  async #judge(row: EvalRow): Promise<EvalResult | null> {
    const { set, terminal } = this.#parts;
    if (terminal.interrupted.aborted) return null;
    const began = performance.now();
    const { id, answers } = row;
    const question = set.prompt(row);
    const seconds = (): number => Math.round(performance.now() - began) / 1000;
    try {
      const { text, finish, tokens } = await this.#reply(row, question);
      if (finish === 'cancelled') return null;
      const cut = finish === 'length' || finish === 'context' ? { cut: true } : {};
      return { id, question, answers, reply: text, score: set.score(text, row), seconds: seconds(), tokens: tokens.length, ...cut };
    } catch (thrown) {
      const error = toLoupeError(thrown);
      if (terminal.interrupted.aborted) return null;
      if (!error.code.startsWith('image_') && error.code !== 'context_full') throw error;
      return { id, question, answers, reply: '', score: 0, seconds: seconds(), tokens: 0, failure: error.message };
    }
  }

  async #reply(row: EvalRow, question: string): Promise<GenerateReply> {
    const { client, pictures, set, terminal } = this.#parts;
    const image = await pictureOf(row, pictures);
    const content = [
      { type: 'image' as const, image },
      { type: 'text' as const, text: question },
    ];
    const request = { messages: [{ role: 'user' as const, content }], maxTokens: set.maxTokens, sampling: likeliest };
    return client.generate(request, { signal: terminal.interrupted });
  }

  #progress(done: number, total: number, points: number, leftMs: number | null): void {
    const { terminal, quiet } = this.#parts;
    if (!terminal.errIsTerminal || quiet) return;
    const score = done === 0 ? '' : `, ${((100 * points) / done).toFixed(1)} so far`;
    const left = leftMs === null ? '' : `, ${inTime(leftMs / 1000)} left`;
    terminal.err(`\r\x1b[K${done} of ${total} rows${score}${left}`);
  }
}

function print(
  { title, metric, split, model, device, rows, percent, error, published, differs, out }: EvalSummary,
  line: (text: string) => void,
): void {
  line(`${title}, ${split}: ${metric} in percent`);
  line('');
  const own = rows.judged === rows.all ? `all ${rows.all} rows` : `${rows.judged} of ${rows.all} rows`;
  const entries = [
    [model, percent === null ? '-' : percent.toFixed(1), error === null ? own : `± ${error.toFixed(1)}, ${own}`],
    ...published.map((one) => [`Llama 3.2 Vision ${one.model}`, one.percent.toFixed(1), `published, ${one.split}`]),
  ];
  const width = Math.max(...entries.map(([name]) => name!.length));
  for (const [name, score, what] of entries) line(`  ${name!.padEnd(width)}  ${score!.padStart(5)}  ${what}`);
  line('');
  if (device !== null) line(`On ${device}. ± is one standard error of the mean.`);
  if (rows.failed > 0) line(`${rows.failed} could not be asked and count as wrong; the file of results says why.`);
  if (rows.cut > 0) line(`${rows.cut} replies were cut off at the most tokens.`);
  line('What differs from the published figures:');
  for (const what of differs) line(`  - ${what}`);
  line(`Results: ${out}`);
  if (rows.judged < rows.chosen) line(`${rows.chosen - rows.judged} rows are left. The same command goes on.`);
}
