/** `loupe documents ask`: an answer from the pages of a document, with its quotes checked. */
import { existsSync } from 'node:fs';
import { LoupeError } from '../errors.ts';
import { demoModel, wordVectorsDirectory } from '../host/paths.ts';
import { citationInWords, coverageInWords, type QuestionScope } from '../contract.ts';
import { askDocument, drawnBy, seenWidth } from '../services/documents/ask.ts';
import type { Engine, LoadedModel } from '../services/ports.ts';
import { loadPlanned } from '../services/models/fit/placement.ts';
import { findModel } from '../services/models/local/find-model.ts';
import { idOf, readRest, type LibraryContext } from './library-context.ts';
import type { Values } from './document-options.ts';
import { engineSettings, namedModel, wholeNumber, type engineFlags } from './options.ts';
import { wordVectorsOf } from '../word-vectors/word-vectors.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

export async function askAboutDocument(context: LibraryContext): Promise<ExitCode> {
  const { values, terminal, documents, showPage } = context;
  const [which, question, ...more] = context.named;
  if (which === undefined || question === undefined || question.trim() === '')
    throw new LoupeError('usage', 'The document or the question is missing.', 'Write: loupe documents ask FILE "QUESTION"');
  if (more.length > 0) throw new LoupeError('usage', 'Put the question in quotation marks: it is one argument.');
  const mostPages = wholeNumber('--most-pages', values['most-pages'], 1);
  if (mostPages !== undefined && values.every)
    throw new LoupeError('usage', '--every looks at all pages, --most-pages at some.', 'Leave one of them out.');
  const maxTokens = wholeNumber('--max-tokens', values['max-tokens'], 1) ?? 1024;
  const load = modelOf(context);
  const id = await documentOf(context, which);
  return load(async (engine, { model }) => {
    const { password } = values;
    const draw = model.vision ? drawnBy((of, page) => showPage(of, page, { width: seenWidth, password })) : null;
    const answerer = { documents, engine, contextLength: model.contextLength, draw, wordVectors: wordVectorsOf(wordVectorsDirectory) };
    const scope: QuestionScope = { kind: 'document', id, pages: null, ...(values.every ? { every: true } : {}) };
    const answer = await askDocument(answerer, scope, question.trim(), {
      signal: terminal.interrupted,
      maxTokens,
      ...(mostPages === undefined ? {} : { mostPages }),
      expand: values.expand === true,
      onPage: pageLine(context),
      ...(values.json ? {} : { onText: (text: string) => terminal.out(text) }),
    });
    const coverage = coverageInWords(answer.coverage);
    if (values.json)
      terminal.out(`${JSON.stringify({ ok: true, document: id, ...answer, answer: answer.text, coverageLine: coverage })}\n`);
    else {
      terminal.out(`${answer.text.endsWith('\n') ? '' : '\n'}\n`);
      if (answer.citations.length === 0) terminal.out('The answer quotes no page, so nothing in it was checked.\n');
      for (const citation of answer.citations) terminal.out(`${citationInWords(citation)}\n`);
      if (answer.coverage.words.length > 0) terminal.out(`Searched for: ${answer.coverage.words.join(', ')}.\n`);
      terminal.out(`${coverage}\n`);
    }
    return answer.finish === 'cancelled' ? exitCodes.interrupted : exitCodes.ok;
  });
}

/** Only a person who watches sees the progress. */
function pageLine({ terminal, values }: LibraryContext): (done: number, total: number) => void {
  if (values.json || !terminal.errIsTerminal) return () => {};
  return (done, total) => terminal.err(done === total ? '\r\x1b[K' : `\r\x1b[Klooking at page ${done + 1} of ${total}`);
}

/** Parses the flags now; what it returns loads the model that they name, and ends it with the work. */
export function modelOf({
  values,
  terminal,
}: {
  values: Pick<Values, 'model' | 'context' | keyof typeof engineFlags>;
  terminal: Terminal;
}) {
  const contextLength = wholeNumber('--context', values.context, 1);
  const settings = engineSettings(values);
  return async <Result>(work: (engine: Engine, loaded: LoadedModel) => Promise<Result>): Promise<Result> => {
    if (values.model === undefined)
      terminal.err('loupe: no --model given; the small demo model answers. It only reads short text in simple screenshots.\n');
    const place = await findModel(namedModel(values.model) ?? demoModel);
    const engine = terminal.startEngine();
    try {
      const loaded = await loadPlanned(
        engine,
        { ...place, engine: settings, contextLength },
        { model: values.model?.join(' and ') ?? 'The demo model', signal: terminal.interrupted },
      );
      if (loaded.promptFormat === 'completion' || loaded.promptFormat === 'guard')
        throw new LoupeError('usage', 'This model does not answer questions.', 'Choose a model that chats.');
      return await work(engine, loaded);
    } finally {
      await engine.close();
    }
  };
}

/** A file is added to the library first. */
export async function documentOf(context: LibraryContext, which: string): Promise<number> {
  const { documents, library, values, terminal } = context;
  if (/^\d+$/.test(which) && !existsSync(which)) return documents.get(idOf(which)).id;
  const { document } = await library.add(which, { password: values.password, signal: terminal.interrupted });
  const quiet: LibraryContext = { ...context, line: (text) => void (values.json || terminal.err(`loupe: ${text.trim()}\n`)) };
  await readRest(quiet, document);
  return document.id;
}
