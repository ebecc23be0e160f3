/**
 * Does what a person does, with the app as it is: adds a document and asks about it, captures a picture, asks the demo model about it,
 * and exports the conversation. `node main/web/test/all-jobs.ts DATA [--listen]` prints one line of JSON; with `--listen` the web host is up.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { App } from '../../app.ts';
import { writePdf } from '../../documents/test/write-pdf.ts';
import type { Message, MessageState } from '../../contract.ts';
import { createEngineClient } from '../../engine/client.ts';
import { demoModel } from '../../host/paths.ts';
import { createFakeEngine } from '../../engine/test/fake-engine.ts';
import type { Engine, PictureWorker } from '../../services/ports.ts';
import { openApp, serve } from '../serve.ts';

const [dataDirectory = '', ...flags] = process.argv.slice(2);
const [sample] = JSON.parse(readFileSync(join(demoModel, 'samples.json'), 'utf8')) as { image: string; question: string; answer: string }[];

export interface JobsDone {
  /** Of the document. */
  pagesRead: number;
  hits: number;
  /** The demo model holds too little for a page: `failed` with it, and `complete` with the engine that stands in. */
  aboutDocument: MessageState;
  aboutPicture: string;
  expected: string;
  exported: number;
  connections: number;
}

/** FAKE_ENGINE stands in where there is no Vulkan; the rest is real. */
const startEngine = (pictures: PictureWorker): Engine =>
  process.env['FAKE_ENGINE'] === '1' ? createFakeEngine({ answer: () => sample!.answer }) : createEngineClient({ pictures });

async function answerTo(
  app: App,
  question: Parameters<App['handlers']['chat.send']>[0],
): Promise<{ id: number; text: string; state: MessageState }> {
  const ended = Promise.withResolvers<Message>();
  let answerId = 0;
  const stop = app.on(({ event, payload }) => {
    if (event === 'message.changed' && payload.id === answerId && payload.state !== 'streaming') ended.resolve(payload);
  });
  const { conversation, answer } = await app.handlers['chat.send'](question);
  answerId = answer.id;
  const { text, state } = await ended.promise;
  stop();
  return { id: conversation.id, text, state };
}

async function doAllJobs(app: App): Promise<Omit<JobsDone, 'connections'>> {
  const { handlers } = app;
  const read = Promise.withResolvers<number>();
  app.on(({ event, payload }) => {
    if (event === 'document.changed' && payload.reading === null) read.resolve(payload.states.text);
  });
  const pdf = writePdf({ pages: [{ content: 'BT /F 18 Tf 72 720 Td (The invoice total is 42 euros.) Tj ET' }] });
  const { upload } = await handlers['documents.begin']({ name: 'invoice.pdf', bytes: pdf.length });
  await handlers['documents.piece']({ upload, bytes: new Uint8Array(pdf) });
  const { document } = await handlers['documents.finish']({ upload, password: null, pages: null });
  const pagesRead = await read.promise;
  const hits = await handlers['documents.search']({ query: 'invoice', documentId: null, limit: 5 });

  const about = { conversationId: null, parentId: null, pictures: [], scope: null };
  const scope = { kind: 'document' as const, id: document.id, pages: null };
  const { state: aboutDocument } = await answerTo(app, { ...about, text: 'What is the total?', scope });
  const { hash } = await handlers['pictures.add']({
    bytes: readFileSync(join(demoModel, sample!.image)),
    name: 'screen.png',
    kind: 'capture',
  });
  const { id, text: aboutPicture } = await answerTo(app, { ...about, text: sample!.question, pictures: [hash] });
  const { text } = await handlers['conversations.export']({ id, format: 'markdown' });
  return { pagesRead, hits: hits.length, aboutDocument, aboutPicture, expected: sample!.answer, exported: text.length };
}

const options = { startEngine, version: '0', dataDirectory };
const { app, close } = flags.includes('--listen')
  ? await serve(options)
  : await openApp(options).then(({ app }) => ({ app, close: () => app.close() }));
try {
  const done = await doAllJobs(app);
  const { entries } = await app.handlers['privacy.ledger']({});
  const report: JobsDone = { ...done, connections: entries.length };
  process.stdout.write(`${JSON.stringify(report)}\n`);
} finally {
  await close();
}
