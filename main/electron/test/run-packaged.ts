/**
 * Runs a packaged app's main process under Node, with a double in place of Electron and everything
 * else real: store, picture decoder, engine, model. Prints as JSON what came of one question.
 *
 * Arguments: folder of the unpacked archive, folder of the resources beside it, a picture, a question.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import {
  textOf,
  type DocumentPage,
  type EventMessage,
  type LibraryDocument,
  type Message,
  type Picture,
  type TextLine,
} from '../../contract.ts';
import type { Reply } from '../../dispatch.ts';
import { line, stream, writePdf } from '../../documents/test/write-pdf.ts';
import { createElectronDouble } from './electron-double.ts';

const [archive = '', resources = '', picturePath = '', question = ''] = process.argv.slice(2);
const double = createElectronDouble({ packaged: true });
const patience = AbortSignal.timeout(100_000);

Object.assign(globalThis, { electronDouble: double.electron });
Object.defineProperty(process, 'resourcesPath', { value: resources });
const address = 'double:electron';
registerHooks({
  resolve: (specifier, context, next) => (specifier === 'electron' ? { url: address, shortCircuit: true } : next(specifier, context)),
  load: (url, context, next) => {
    if (url !== address) return next(url, context);
    const names = Object.keys(double.electron);
    return {
      format: 'module',
      shortCircuit: true,
      source: `const { ${names.join(', ')} } = globalThis.electronDouble; export { ${names.join(', ')} };`,
    };
  },
});

async function until<Value>(what: string, get: () => Value | undefined | null): Promise<Value> {
  for (;;) {
    const value = get();
    if (value !== undefined && value !== null) return value;
    if (patience.aborted || double.errorBoxes.length > 0) throw new Error(`There is no ${what}. ${double.errorBoxes.join(' ')}`);
    await sleep(20);
  }
}

await import(pathToFileURL(join(archive, 'build', 'app', 'main.js')).href);
const window = await until('window', () => double.windows[0]);

async function ask(name: string, input: unknown = {}): Promise<unknown> {
  const event = { senderFrame: { url: window.url, parent: null }, sender: window.webContents };
  const reply = await (double.ipc.get('loupe:request') as (...given: unknown[]) => Promise<Reply>)(event, name, input);
  if (!reply.ok) throw new Error(`${name}: ${reply.message}`);
  return reply.output;
}

/** What the app says of a document of two pages, the second of which is damaged. */
async function readDocument(): Promise<unknown> {
  const broken = stream('/Filter/FlateDecode', Buffer.from('this was deflated once'));
  const damaged = { content: '/X Do', resources: '/XObject<</X 10 0 R>>' };
  const bytes = new Uint8Array(writePdf({ pages: [{ content: line('Notice is three months') }, damaged], objects: [broken] }));
  const { upload } = (await ask('documents.begin', { name: 'lease.pdf', bytes: bytes.length })) as { upload: string };
  await ask('documents.piece', { upload, bytes });
  const { document } = (await ask('documents.finish', { upload, password: null, pages: null })) as { document: LibraryDocument };
  const { id } = document;
  await until('document that is read', () =>
    window.webContents.sent
      .map(([, message]) => message as EventMessage)
      .find(({ event, payload }) => event === 'document.changed' && payload.id === id && payload.reading === null),
  );
  const pages = (await ask('documents.pages', { id })) as DocumentPage[];
  const { text, words } = (await ask('documents.page', { id, number: 1 })) as { text: string; words: unknown[] };
  return { flags: pages.map((page) => page.flags), text, words: words.length };
}

function finished(answer: Message): Message | undefined {
  const events = window.webContents.sent.map(([, message]) => message as EventMessage);
  const changes = events.flatMap((message) =>
    message.event === 'message.changed' && message.payload.id === answer.id ? [message.payload] : [],
  );
  return changes.findLast(({ state }) => state !== 'streaming');
}

const page = await double.serve.get('loupe')!({ url: window.url, method: 'GET' });
const info = await ask('app.info');
const licences = (await ask('app.licences')) as unknown[];
const picture = (await ask('pictures.add', {
  bytes: new Uint8Array(readFileSync(picturePath)),
  name: 'sample.png',
  kind: 'file',
})) as Picture;
const lines = (await ask('pictures.text', { hash: picture.hash })) as TextLine[];
const { answer } = (await ask('chat.send', {
  conversationId: null,
  parentId: null,
  text: question,
  pictures: [picture.hash],
  scope: null,
})) as {
  answer: Message;
};
const document = await readDocument();
const { text, state, failure } = await until('answer', () => finished(answer));
process.stdout.write(
  JSON.stringify({
    page: { status: page.status, text: await page.text() },
    info,
    licences: licences.length,
    preload: window.options.webPreferences?.preload,
    read: textOf(lines),
    document,
    text,
    state,
    failure,
  }),
);

const ended = double.app.heard('quit');
double.electron.app.quit();
await ended;
