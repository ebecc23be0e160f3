/** `loupe eval documents`: for whoever has a model and wants to know what it does with documents. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluationDirectory, wordVectorsDirectory } from '../host/paths.ts';
import { evaluateDocuments, type Evaluation, type KnownQuestion, type PagePart, type Rate } from '../services/documents/evaluate.ts';
import { seenWidth } from '../services/documents/ask.ts';
import type { ImageSource, PictureWorker } from '../services/ports.ts';
import { wordVectorsOf } from '../word-vectors/word-vectors.ts';
import { modelOf } from './ask-document.ts';
import { wholeNumber } from './options.ts';
import { exitCodes, lineWriter, type ExitCode, type Terminal } from './terminal.ts';

/** What of the flags of `loupe eval` counts here. */
export type DocumentsValues = Parameters<typeof modelOf>[0]['values'] & { questions?: string | undefined; json?: boolean | undefined };

interface Report extends Evaluation {
  ok: true;
  model: string;
  device: string;
  questions: number;
}

export async function evalDocuments(values: DocumentsValues, terminal: Terminal): Promise<ExitCode> {
  const most = wholeNumber('--questions', values.questions, 1);
  const load = modelOf({ values, terminal });
  const all = JSON.parse(await readFile(join(evaluationDirectory, 'questions.json'), 'utf8')) as KnownQuestion[];
  const questions = all.slice(0, most);
  const folder = await mkdtemp(join(tmpdir(), 'loupe-eval-'));
  const reader = terminal.startDocuments();
  const pictures = terminal.startPictures();
  const signal = terminal.interrupted;
  const services = await terminal.openDocuments({ dataDirectory: folder, reader, reads: false });
  try {
    const { document } = await services.library.add(join(evaluationDirectory, 'papers.pdf'), { signal });
    await services.library.read(document.id, { signal });
    const page = async (number: number): Promise<ImageSource> => {
      const { bytes } = await services.showPage(document.id, number, { width: seenWidth, password: undefined });
      return { bytes, name: `page ${number}` };
    };
    return await load(async (engine, { model, device }) => {
      const evaluation = await evaluateDocuments(
        {
          documents: services.documents,
          engine,
          contextLength: model.contextLength,
          draw: null,
          wordVectors: wordVectorsOf(wordVectorsDirectory),
        },
        {
          documentId: document.id,
          pageCount: document.pageCount,
          questions,
          picture: model.vision ? async (number, part) => partOf(await page(number), part, pictures) : null,
          signal,
          onStep: (done, total) => {
            if (terminal.errIsTerminal) terminal.err(done === total ? '\r\x1b[K' : `\r\x1b[K${done + 1} of ${total}`);
          },
        },
      );
      const name = values.model?.join(' and ') ?? 'The demo model';
      const report: Report = { ok: true, model: name, device: device.name, questions: questions.length, ...evaluation };
      if (values.json) terminal.out(`${JSON.stringify(report)}\n`);
      else print(report, lineWriter(terminal));
      return exitCodes.ok;
    });
  } finally {
    services.close();
    await Promise.all([reader.close(), pictures.close()]);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Each half has a tenth of the other. */
async function partOf(page: ImageSource, part: PagePart, pictures: PictureWorker): Promise<ImageSource> {
  if (part === 'whole') return page;
  const { width, height } = await pictures.inspect(page);
  const half = Math.round(height * 0.55);
  const region = { x: 0, y: part === 'top' ? 0 : height - half, width, height: half };
  return { bytes: await pictures.crop(page, region), name: `the ${part} half` };
}

function print({ model, device, questions, search, quotes, looks, yes, failed }: Report, line: (text: string) => void): void {
  line(`${model} on ${device}: ${questions} questions about documents`);
  const rows: [what: string, right: string, seconds?: number][] = [
    ['search, words of the question: first, among three', `${search.alone.first}, ${search.alone.three} of ${search.of}`],
    [
      'search, words that the model names too',
      `${search.expanded.first}, ${search.expanded.three} of ${search.of}`,
      search.expanded.seconds,
    ],
    ['answers from the text of the page', ratio(quotes), quotes.seconds],
    ['  with a quote that is on the page', `${quotes.verified} of ${quotes.of}`],
    ['  without a quote', `${quotes.withoutQuote} of ${quotes.of}`],
    ...(looks ?? []).flatMap(({ points, whole, halves }): [string, string, number][] => [
      [`a look at the whole page, ${points} points`, ratio(whole), whole.seconds],
      [`looks at its halves, ${points} points`, ratio(halves), halves.seconds],
    ]),
    ...(yes ? [['Yes for the right page of four, each page', ratio(yes), yes.seconds] as [string, string, number]] : []),
  ];
  const width = Math.max(...rows.map(([what]) => what.length));
  for (const [what, right, seconds] of rows)
    line(`${what.padEnd(width)}  ${right.padStart(12)}${seconds === undefined ? '' : `  ${seconds.toFixed(2)} s`}`);
  const written = Object.entries(quotes.quotes).filter(([, number]) => number > 0);
  line(`quotes: ${written.map(([finding, number]) => `${number} ${finding}`).join(', ') || 'none'}`);
  if (!looks) line('left out: pictures, since the model reads text only');
  for (const [what, pages] of Map.groupBy(failed, ({ part, message }) => `${part}: ${message}`))
    line(`failed: ${what} (pages ${pages.map(({ page }) => page).join(', ')})`);
}

const ratio = ({ right, of }: Rate): string => `${right} of ${of}`;
