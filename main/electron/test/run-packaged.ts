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
import { textOf, type EventMessage, type Message, type Picture, type TextLine } from '../../contract.ts';
import type { Reply } from '../../dispatch.ts';
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
const { answer } = (await ask('chat.send', { conversationId: null, parentId: null, text: question, pictures: [picture.hash] })) as {
  answer: Message;
};
const { text, state, failure } = await until('answer', () => finished(answer));
process.stdout.write(
  JSON.stringify({
    page: { status: page.status, text: await page.text() },
    info,
    licences: licences.length,
    preload: window.options.webPreferences?.preload,
    read: textOf(lines),
    text,
    state,
    failure,
  }),
);

const ended = double.app.heard('quit');
double.electron.app.quit();
await ended;
