/** The tools of assistants, on the whole app: what is confirmed, what is looked at, and what is refused. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { serverChoiceId, type ProgramQuestion, type ProgramTool } from '../contract.ts';
import { createFakeEngine } from '../engine/test/fake-engine.ts';
import { LoupeError } from '../errors.ts';
import type { CaptureHost } from '../services/ports.ts';
import { browserCapture } from '../web/browser-capture.ts';
import { callTool } from './call.ts';
import { ask as askApi, key as otherKey, startOwnApi } from './test/own-api.ts';
import { startOwnApp, type OwnApp, type OwnAppOptions } from './test/own-app.ts';

const files = realpathSync(mkdtempSync(join(tmpdir(), 'loupe-tools-')));
afterAll(() => rmSync(files, { recursive: true }));
const file = (name: string, bytes: Uint8Array | string): string => {
  writeFileSync(join(files, name), bytes);
  return join(files, name);
};
const png = await sharp({ create: { width: 40, height: 30, channels: 3, background: 'white' } })
  .png()
  .toBuffer();
const picture = file('invoice.png', png);

let own: OwnApp;
let address: { port: number; key: string };
async function start(options?: OwnAppOptions): Promise<void> {
  own = startOwnApp(options);
  const { key } = await own.app.handlers['programs.newKey']({});
  await own.app.handlers['settings.set']({ programs: true });
  address = { port: await own.reached('ready'), key };
}
afterEach(() => own.close());

const never = new AbortController().signal;
async function call(tool: ProgramTool, given: object, { program = 'notes', signal = never } = {}): Promise<string[]> {
  return (await callTool(address, { tool, program, arguments: given }, signal)).texts;
}
const about = (path: string, more: object = {}): Promise<string[]> => call('ask_about_file', { path, question: 'What is due?', ...more });

/** What the window shows, once it shows so many questions. */
async function questions(count = 1): Promise<ProgramQuestion[]> {
  return vi.waitFor(async () => {
    const shown = await own.app.handlers['programs.questions']({});
    expect(shown).toHaveLength(count);
    return shown;
  });
}
async function say(allowed: boolean, remembered = false): Promise<ProgramQuestion> {
  const [question] = await questions();
  await own.app.handlers['programs.answer']({ id: question!.id, allowed, remembered });
  return question!;
}
const allowAlways = async (tool: ProgramTool): Promise<void> => {
  const asked = call(tool, tool === 'search_history' ? { query: 'x' } : { path: picture, question: 'x' });
  await say(true, true);
  await asked;
};
const refusal = (code: string, ...words: string[]): unknown =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(words.join('.*')) as string,
    nextStep: expect.stringMatching(/\S/) as string,
  });

describe('ask_about_file', () => {
  test('shows the file and the question, and answers when it is allowed; then it asks no more', async () => {
    await start();
    const asked = about(picture);
    expect(await say(true, true)).toEqual({
      ...{ id: 1, program: 'notes', tool: 'ask_about_file', words: 'What is due?', path: picture, found: null },
    });
    expect(await asked).toEqual(['You asked: What is due? I was given 1 picture.']);
    expect(await about(picture, { question: 'And when?' })).toEqual(['You asked: And when? I was given 1 picture.']);
    expect((await own.app.handlers['settings.get']({})).programTools).toEqual([
      { program: 'notes', tool: 'ask_about_file', allowed: true },
    ]);
    // Windows have heard of each step.
    const told = own.events.filter(({ event }) => event === 'programs.asked').map(({ payload }) => (payload as unknown[]).length);
    expect(told).toEqual([1, 0]);
    expect(own.events.some(({ event }) => event === 'settings.changed')).toBe(true);
    await own.app.handlers['programs.forget']({ program: 'notes', tool: 'ask_about_file' });
    const again = about(picture);
    await say(false);
    await expect(again).rejects.toEqual(refusal('request_refused', 'does not allow'));
  });

  test('nothing of it is kept', async () => {
    await start();
    const asked = about(picture, { question: 'a question about zebras' });
    await say(true);
    await asked;
    expect(await own.app.handlers['conversations.list']({})).toEqual([]);
    for (const entry of readdirSync(own.directory, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) expect(readFileSync(join(entry.parentPath, entry.name)).includes('zebras')).toBe(false);
    }
  });

  test('a link is shown as the file that it leads to, and what was exchanged meanwhile is not read', async () => {
    await start();
    const link = join(files, 'holiday.png');
    symlinkSync(picture, link);
    const asked = about(link);
    expect((await say(true)).path).toBe(picture);
    expect(await asked).toHaveLength(1);
    // A folder that becomes a link while the person reads its name.
    mkdirSync(join(files, 'folder'));
    const inside = file('folder/a.png', png);
    const exchanged = about(inside);
    await questions();
    rmSync(join(files, 'folder'), { recursive: true });
    mkdirSync(join(files, 'secret'));
    file('secret/a.png', png);
    symlinkSync(join(files, 'secret'), join(files, 'folder'));
    await say(true);
    await expect(exchanged).rejects.toEqual(refusal('image_missing', 'leads elsewhere'));
  });

  test('of a file with several pages, the first or the one that is named', async () => {
    await start();
    await allowAlways('ask_about_file');
    const page = (background: string) =>
      sharp({ create: { width: 40, height: 30, channels: 3, background } })
        .png()
        .toBuffer();
    const pages = await sharp(await Promise.all(['red', 'white', 'blue'].map(page)), { join: { animated: true } })
      .gif({ delay: [100, 100, 100] })
      .toBuffer();
    const path = file('steps.gif', pages);
    const [, note] = await about(path);
    expect(note).toBe('The file has 3 frames; this is about frame 1 of 3.');
    expect(await about(path, { page: 2 })).toHaveLength(1);
    await expect(about(path, { page: 4 })).rejects.toEqual(refusal('usage'));
  });

  test('what names no file is refused before the person is asked', async () => {
    await start();
    for (const path of [
      'invoice.png',
      './invoice.png',
      '~/invoice.png',
      'file:///invoice.png',
      'https://example.org/a.png',
      '/a\0.png',
      '',
    ]) {
      await expect(about(path)).rejects.toEqual(refusal(path === '' ? 'request_invalid' : 'image_missing'));
    }
    expect(await own.app.handlers['programs.questions']({})).toEqual([]);
  });

  test('what is no picture is refused with its name, once the person has allowed it: before, nobody learns what is there', async () => {
    await start();
    const missing = about(join(files, 'none.png'));
    await say(true);
    await expect(missing).rejects.toEqual(refusal('image_missing', 'none.png', 'ENOENT'));
    await allowAlways('ask_about_file');
    await expect(about(files)).rejects.toEqual(refusal('image_missing', 'not a regular file'));
    await expect(about(file('notes.txt', 'Only words.'))).rejects.toEqual(refusal('image_unreadable', 'notes.txt'));
    await expect(about(file('empty.png', ''))).rejects.toEqual(refusal('image_empty', 'empty.png'));
    await expect(about(file('a.pdf', '%PDF-1.7\n'))).rejects.toEqual(refusal('image_unreadable', 'a.pdf'));
    await expect(about(file('broken.png', png.subarray(0, 30)))).rejects.toEqual(refusal('image_unreadable', 'broken.png'));
    const huge = file('huge.png', png);
    // Without a block on the disk.
    truncateSync(huge, 64_000_001);
    await expect(about(huge)).rejects.toEqual(refusal('image_too_large', 'huge.png', '64.0 MB'));
  });

  test.skipIf(process.platform === 'win32')('FIFOs and devices are not opened', async () => {
    await start();
    await allowAlways('ask_about_file');
    const fifo = join(files, 'fifo.png');
    execFileSync('mkfifo', [fifo]);
    const link = join(files, 'zero.png');
    symlinkSync('/dev/zero', link);
    for (const path of [fifo, '/dev/zero', link]) {
      await expect(about(path)).rejects.toEqual(refusal('image_missing', 'not a regular file'));
    }
  });

  test('a model that sees nothing, or is gone, bothers nobody', async () => {
    await start();
    const path = join(own.directory, 'text-model');
    await own.app.handlers['settings.set']({ model: path });
    await expect(about(picture)).rejects.toEqual(refusal('model_missing', 'not there'));
    // What is asked for a program leaves this computer for no server, whatever the person has chosen for their own questions.
    await own.app.handlers['settings.set']({ model: serverChoiceId(1) });
    await expect(about(picture)).rejects.toEqual(refusal('model_missing', 'a server’s'));
    expect(await own.app.handlers['programs.questions']({})).toEqual([]);
  });

  test('an engine that does not start says why', async () => {
    await start({
      startEngine: () => ({
        ...createFakeEngine(),
        load: () => Promise.reject(new LoupeError('no_device', 'There is no graphics device.')),
      }),
    });
    const asked = about(picture);
    await say(true);
    await expect(asked).rejects.toEqual(refusal('no_device', 'no graphics device'));
  });

  test('who leaves takes the question along, or ends the answer within a token', async () => {
    const ended: string[] = [];
    let tokens = 0;
    await start({
      startEngine() {
        const engine = createFakeEngine({ answer: () => 'word '.repeat(100_000), wordMs: 1, contextLength: 1_000_000 });
        return {
          ...engine,
          async generate(request, listeners) {
            const onText = (text: string): void => {
              tokens++;
              listeners?.onText?.(text);
            };
            const reply = await engine.generate(request, { ...listeners, onText });
            ended.push(reply.finish);
            return reply;
          },
        };
      },
    });
    await own.app.handlers['settings.set']({ maxTokens: 16_384 });
    const leave = new AbortController();
    const asked = call('ask_about_file', { path: picture, question: 'Why?' }, { signal: leave.signal });
    await questions();
    leave.abort();
    await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
    await questions(0);

    const stop = new AbortController();
    const answering = call('ask_about_file', { path: picture, question: 'Why?' }, { signal: stop.signal });
    await say(true);
    await vi.waitFor(() => expect(tokens).toBeGreaterThan(3));
    stop.abort();
    await expect(answering).rejects.toMatchObject({ code: 'cancelled' });
    await vi.waitFor(() => expect(ended).toEqual(['cancelled']));
    expect(tokens).toBeLessThan(16_384);
  });
});

describe('search_history', () => {
  const send = async (text: string, conversationId: number | null = null): Promise<number> => {
    const handlers = own.app.handlers;
    const sent = await handlers['chat.send']({ conversationId, parentId: null, text, pictures: [], scope: null });
    await vi.waitFor(async () => {
      const { messages } = await handlers['conversations.open']({ id: sent.conversation.id });
      expect(messages.at(-1)!.state).toBe('complete');
    });
    return sent.conversation.id;
  };

  test('says before what it would tell, and tells that', async () => {
    await start();
    await send('Where do zebras sleep?');
    const asked = call('search_history', { query: 'zebras' });
    expect(await say(true)).toMatchObject({
      ...{ tool: 'search_history', words: 'zebras', path: null },
      found: { places: 3, conversations: 1, titles: ['Where do zebras sleep?'] },
    });
    const places = await asked;
    expect(places).toHaveLength(3);
    expect(places[0]).toMatch(/^Where do zebras sleep\? \(\d{4}-\d\d-\d\d, in (the title|a message)\): .*zebras/);
    expect(await Promise.all([call('search_history', { query: 'zebras', limit: 1 }), say(true)])).toEqual([
      [expect.stringContaining('zebras')],
      expect.objectContaining({ found: { places: 1, conversations: 1, titles: ['Where do zebras sleep?'] } }),
    ]);
  });

  test('never a private conversation, however it is asked, and none that was deleted', async () => {
    await start();
    await allowAlways('search_history');
    const { id } = await own.app.handlers['conversations.openPrivate']({});
    await send('A secret about giraffes', id);
    const gone = await send('Another about giraffes');
    await own.app.handlers['conversations.delete']({ id: gone });
    // The window finds it.
    expect(await own.app.handlers['conversations.search']({ query: 'giraffes', limit: 10 })).not.toEqual([]);
    for (const query of ['giraffes', 'secret', 'Private conversation', 'gira']) {
      expect(await call('search_history', { query })).toEqual([expect.stringMatching(/^Nothing in the conversations/)]);
    }
  });

  test('private conversations do not take the places of others', async () => {
    await start();
    await allowAlways('search_history');
    const { id } = await own.app.handlers['conversations.openPrivate']({});
    await send('giraffes', id);
    await send('Kept giraffes');
    const places = await call('search_history', { query: 'giraffes', limit: 1 });
    expect(places).toEqual([expect.stringContaining('Kept giraffes')]);
  });
});

describe('capture_and_ask', () => {
  const screen = (take: CaptureHost['take']) => (): CaptureHost => ({
    ...browserCapture(),
    state: async () => ({ ...(await browserCapture().state()), by: 'app' }),
    take,
  });

  test('what the person chooses is looked at, for the program that asks; each time anew', async () => {
    const takenFor: string[] = [];
    await start({
      capture: screen(async (program) => {
        takenFor.push(program);
        return png;
      }),
    });
    const asked = call('capture_and_ask', { question: 'What is open?' });
    expect(await questions()).toMatchObject([{ tool: 'capture_and_ask', words: 'What is open?', path: null }]);
    // Not before it is allowed.
    expect(takenFor).toEqual([]);
    await say(true, true);
    expect(await asked).toEqual(['You asked: What is open? I was given 1 picture.']);
    await call('capture_and_ask', { question: 'And now?' });
    expect(takenFor).toEqual(['notes', 'notes']);
    expect(await own.app.handlers['capture.current']({})).toBeNull();
  });

  test('refused, nothing is taken; left, nothing is answered', async () => {
    let taken = 0;
    await start({
      capture: screen(() => {
        taken++;
        return Promise.reject(new LoupeError('request_refused', 'No picture was taken.'));
      }),
    });
    const refused = call('capture_and_ask', { question: 'What is open?' });
    await say(false);
    await expect(refused).rejects.toEqual(refusal('request_refused', 'does not allow'));
    expect(taken).toBe(0);
    const left = call('capture_and_ask', { question: 'What is open?' });
    await say(true);
    await expect(left).rejects.toEqual(refusal('request_refused', 'No picture'));
  });

  test('in a browser it says what to do instead, and asks nobody', async () => {
    await start();
    await expect(call('capture_and_ask', { question: 'What is open?' })).rejects.toEqual(refusal('capture_failed', 'browser'));
    expect(await own.app.handlers['programs.questions']({})).toEqual([]);
  });
});

describe('whoever asks', () => {
  test('nothing that is asked can widen what was allowed', async () => {
    await start();
    await allowAlways('ask_about_file');
    // Whatever a picture made the assistant say: another tool is another question, and so is another name.
    const searching = call('search_history', { query: 'passwords' });
    await say(false);
    await expect(searching).rejects.toMatchObject({ code: 'request_refused' });
    const other = call('ask_about_file', { path: picture, question: 'x' }, { program: 'other' });
    await say(false);
    await expect(other).rejects.toMatchObject({ code: 'request_refused' });
    for (const more of [{ program: 'notes' }, { allowed: true }, { tool: 'search_history' }, { store: true }]) {
      await expect(about(picture, more)).rejects.toEqual(refusal('request_invalid'));
    }
    const body = { program: 'notes', arguments: { path: picture, question: 'x' }, allowed: true };
    const headers = { authorization: `Bearer ${address.key}` };
    expect((await askApi(address.port, '/loupe/tools/ask_about_file', { headers, body })).status).toBe(400);
    expect((await own.app.handlers['settings.get']({})).programTools).toHaveLength(1);
    // Nor from the window's own settings, which are saved field by field.
    const { dispatch } = await import('../dispatch.ts');
    const consents = [{ program: 'notes', tool: 'search_history', allowed: true }];
    expect(await dispatch(own.app.handlers, 'settings.set', { programTools: consents })).toMatchObject({ code: 'protocol' });
  });

  test('a name is what a person can read', async () => {
    await start();
    for (const program of ['', ' ', 'a'.repeat(101), 'notes\u202e', 'no\u200btes', 'notes\u0007']) {
      await expect(call('ask_about_file', { path: picture, question: 'x' }, { program })).rejects.toEqual(
        refusal('request_invalid', 'program'),
      );
    }
    const asked = call('ask_about_file', { path: picture, question: 'x' }, { program: '  My \t notes ' });
    expect((await say(true)).program).toBe('My notes');
    await asked;
  });

  test('without a window, and from `loupe api`, it is refused with what to do', async () => {
    await start({ showToAsk: () => false });
    await expect(about(picture)).rejects.toEqual(refusal('request_refused', 'No window'));
    const alone = await startOwnApi();
    const there = { port: alone.api.port, key: otherKey };
    const asked = callTool(there, { tool: 'ask_about_file', program: 'notes', arguments: { path: picture, question: 'x' } }, never);
    await expect(asked).rejects.toEqual(refusal('request_refused', 'no window'));
    await alone.api.close();
    await alone.engine.close();
  });

  test('programs switched off, another key, another server: each names the next step', async () => {
    await start();
    const wrong = { ...address, key: `${address.key}x` };
    await expect(callTool(wrong, { tool: 'ask_about_file', program: 'notes', arguments: {} }, never)).rejects.toEqual(refusal('key_wrong'));
    await own.app.handlers['settings.set']({ programs: false });
    await own.reached('off');
    await expect(about(picture)).rejects.toEqual(refusal('network_failed', `port ${address.port}`));
    const other = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'));
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await expect(callTool({ ...address, port }, { tool: 'ask_about_file', program: 'notes', arguments: {} }, never)).rejects.toEqual(
      refusal('protocol', `port ${port}`),
    );
    other.close();
  });

  test('there are three tools, and each is called by POST', async () => {
    await start();
    const headers = { authorization: `Bearer ${address.key}` };
    const status = async (path: string, method: string): Promise<number> =>
      (await askApi(address.port, path, { headers, method, ...(method === 'POST' && { body: {} }) })).status;
    expect(await status('/loupe/tools/ask_about_file', 'GET')).toBe(404);
    expect(await status('/loupe/tools/toString', 'POST')).toBe(404);
    expect(await status('/loupe/tools/', 'POST')).toBe(404);
    expect(await status('/loupe/tools/search_history', 'POST')).toBe(400);
  });
});
