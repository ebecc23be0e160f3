import { createServer, type AddressInfo } from 'node:net';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { callTool } from '../api/call.ts';
import { mostPieceBytes, parseOutput, type Captured, type EventMessage, type Output } from '../contract.ts';
import type { Reply } from '../dispatch.ts';
import { lockDirectory } from '../storage/lock.ts';
import { entry } from './entries.ts';
import { startShell } from './shell.ts';
import {
  createElectronDouble,
  ImageDouble,
  SafeStorageDouble,
  type ElectronDouble,
  type ElectronDoubleOptions,
  type WindowDouble,
} from './test/electron-double.ts';

let directory: string;
let running: ElectronDouble | null;
const listeners = ['uncaughtException', 'unhandledRejection'] as const;
const before = new Map(listeners.map((name) => [name, process.listeners(name as 'uncaughtException')]));

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-shell-'));
  const bundle = join(directory, 'build', 'app');
  mkdirSync(bundle, { recursive: true });
  mkdirSync(join(directory, 'build', 'renderer'));
  writeFileSync(join(directory, 'build', 'renderer', 'index.html'), '<!doctype html><title>Loupe</title>');
  writeFileSync(join(directory, 'package.json'), '{"version":"1.2.3","type":"module"}');
  writeFileSync(join(bundle, 'licences.json'), '[{"name":"Loupe","text":"..."}]');
  // In place of the bundled entries: the sources that they are made from. There is no engine here.
  for (const source of ['../image/picture-worker.ts', '../storage/check-worker.ts']) {
    const name = source.replace(/^.*\//, '').replace('.ts', '.js');
    writeFileSync(join(bundle, name), `import ${JSON.stringify(new URL(source, import.meta.url).href)};`);
  }
  writeFileSync(join(bundle, 'host.js'), 'process.exit(3);');
  vi.stubEnv('LOUPE_DATA', join(directory, 'data'));
  vi.stubEnv('XDG_SESSION_TYPE', 'x11');
});

afterEach(async () => {
  const double = running;
  running = null;
  if (double && double.app.quits === 0 && double.windows.length > 0) await quit(double);
  for (const name of listeners) {
    for (const listener of process.listeners(name as 'uncaughtException'))
      if (!before.get(name)!.includes(listener)) process.off(name, listener);
  }
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

async function start(
  args: string[] = [],
  { tray = true, ...options }: ElectronDoubleOptions & { tray?: boolean } = {},
): Promise<ElectronDouble> {
  const png = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#c8791b' } })
    .png()
    .toBuffer();
  const displays = [{ id: 1, bounds: { x: 0, y: 0, width: 1920, height: 1080 }, scaleFactor: 1, image: new ImageDouble(1920, 1080, png) }];
  const double = createElectronDouble({ displays, ...options });
  running = double;
  startShell(double.electron, { bundle: join(directory, 'build', 'app'), args, showsTray: async () => tray });
  if (options.lock !== false)
    await vi.waitFor(() => expect(double.trayMenus.length + double.errorBoxes.length).toBeGreaterThan(0), { timeout: 5000 });
  return double;
}

function quit(double: ElectronDouble): Promise<void> {
  const ended = double.app.heard('quit');
  double.electron.app.quit();
  return ended;
}

function ask(double: ElectronDouble, window: WindowDouble, name: string, input: unknown = {}): Promise<Reply> {
  const event = { senderFrame: { url: window.url, parent: null }, sender: window.webContents };
  return (double.ipc.get('loupe:request') as (...given: unknown[]) => Promise<Reply>)(event, name, input);
}

test('the first instance opens its window on its own page', async () => {
  const double = await start();
  const [window] = double.windows as [WindowDouble];
  expect(window.url).toBe('loupe://app/');
  expect(window.options.webPreferences).toMatchObject({ sandbox: true, contextIsolation: true, nodeIntegration: false });
  expect(double.app.sandboxed).toBe(true);
  expect(double.schemes).toMatchObject([{ scheme: 'loupe', privileges: { standard: true, secure: true } }]);
  const page = await double.serve.get('loupe')!({ url: window.url, method: 'GET' });
  expect(await page.text()).toContain('<title>Loupe</title>');
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  // The profile, and with it the lock, belongs to the data folder.
  expect(double.app.paths.get('userData')).toBe(join(directory, 'data', 'shell'));
});

test('closing the window leaves Loupe in the tray, which is said the first time', async () => {
  const double = await start();
  const [window] = double.windows as [WindowDouble];
  window.close();
  expect(window).toMatchObject({ destroyed: false, visible: false });
  expect(double.notifications).toMatchObject([{ title: 'Loupe keeps running' }]);
  window.show();
  window.close();
  expect([double.notifications.length, double.app.quits]).toEqual([1, 0]);
});

test('without a tray closing the window ends Loupe', async () => {
  const double = await start([], { tray: false });
  const ended = double.app.heard('quit');
  (double.windows[0] as WindowDouble).close();
  await ended;
  expect(double.notifications).toEqual([]);
});

test('the window may end Loupe', async () => {
  const double = await start();
  const ended = double.app.heard('quit');
  expect(await ask(double, double.windows[0] as WindowDouble, 'app.quit')).toMatchObject({ ok: true });
  await ended;
});

test('a second start hands over what it was for, and ends', async () => {
  const double = await start(['--capture=last'], { lock: false });
  expect(double.app.lockData).toEqual({ kind: 'capture', mode: 'last' });
  expect(double.app.quits).toBe(1);
  expect(double.schemes).toEqual([]);
  expect(double.windows).toEqual([]);
  expect(() => readFileSync(join(directory, 'data', 'loupe.db'))).toThrow('ENOENT');
});

test('the first does what a second start was for', async () => {
  const double = await start(['--hidden']);
  // Made ahead: nothing is on the screen.
  expect(double.windows.map(({ url }) => url)).toEqual(['loupe://app/?view=overlay&display=1', 'loupe://app/?view=quick']);
  expect(double.windows.some(({ visible }) => visible)).toBe(false);
  double.app.emit('second-instance', {}, [], '/', { kind: 'capture', mode: 'region' });
  await vi.waitFor(() => expect(double.windows.map(isFrozen)).toEqual([true, false]));
  double.app.emit('second-instance', {}, [], '/', 'nonsense');
  expect(double.windows.map(({ url }) => url)).toContain('loupe://app/');
  const preventDefault = vi.fn();
  double.app.emit('open-url', { preventDefault }, 'loupe://conversation/4');
  expect(preventDefault).toHaveBeenCalled();
  expect(double.windows.find(({ url }) => url === 'loupe://app/')!.webContents.sent).toContainEqual([
    'loupe:event',
    { event: 'windows.show', payload: { conversationId: 4 } },
  ]);
});

type Opened = Output<'windows.opened'>;

async function opened(double: ElectronDouble, window: WindowDouble): Promise<Opened> {
  const reply = await ask(double, window, 'windows.opened');
  return parseOutput('windows.opened', (reply as { output?: unknown }).output);
}

test('a second start hands over files by their whole paths', async () => {
  const double = await start(['--no-sandbox', 'scan.png', '--', '-1.pdf'], { lock: false });
  expect(double.app.lockData).toEqual({ kind: 'open', paths: [resolve('scan.png'), resolve('-1.pdf')], leftOut: 0 });
});

test('files that are opened from outside come into the window, each once, and nothing else than files does', async () => {
  const bytes = Buffer.alloc(mostPieceBytes + 5, 'scan');
  const file = (name: string): string => join(directory, name);
  writeFileSync(file('long.pdf'), bytes);
  writeFileSync(file('a.png'), 'png');
  const double = await start([file('a.png')]);
  const [window] = double.windows as [WindowDouble];
  const told = { event: 'windows.opened', payload: null };
  const first = await opened(double, window);
  expect(first).toEqual({ files: [{ id: 1, name: 'a.png', bytes: 3, failure: null }], leftOut: 0 });
  expect(await opened(double, window)).toEqual({ files: [], leftOut: 0 });

  window.webContents.sent.length = 0;
  window.hide();
  const paths = [file('long.pdf'), directory, file('none.png'), '/dev/zero'];
  double.app.emit('second-instance', {}, [], '/', { kind: 'open', paths, leftOut: 2 });
  expect(window.visible).toBe(true);
  expect(window.webContents.sent).toContainEqual(['loupe:event', told]);
  const { files, leftOut } = await opened(double, window);
  expect(leftOut).toBe(2);
  expect(files.map(({ id, bytes: size, failure }) => [id, size, failure?.code])).toEqual([
    [2, bytes.length, undefined],
    [null, 0, 'file_missing'],
    [null, 0, 'file_missing'],
    [null, 0, 'file_missing'],
  ]);
  for (const [at, { failure }] of files.entries()) if (failure) expect(failure.message).toContain(paths[at]);
  const piece = async (id: number, from: number): Promise<Reply> => ask(double, window, 'windows.openedPiece', { id, from });
  expect(await piece(2, 0)).toMatchObject({ ok: true, output: { length: mostPieceBytes } });
  expect(await piece(2, mostPieceBytes)).toEqual({ ok: true, output: new Uint8Array(bytes.subarray(mostPieceBytes)) });
  // Nothing that was not opened, and nothing twice, is read.
  for (const id of [2, 3, 99]) expect(await piece(id, 0)).toMatchObject({ ok: false, code: 'file_missing' });

  const preventDefault = vi.fn();
  double.app.emit('open-file', { preventDefault }, file('a.png'));
  expect(preventDefault).toHaveBeenCalled();
  expect((await opened(double, window)).files).toMatchObject([{ name: 'a.png', bytes: 3 }]);
  // What is exchanged for something else before it is read is not read.
  double.app.emit('open-file', { preventDefault }, file('a.png'));
  const [exchanged] = (await opened(double, window)).files;
  rmSync(file('a.png'));
  mkdirSync(file('a.png'));
  expect(await piece(exchanged!.id!, 0)).toMatchObject({ ok: false, code: 'file_missing' });
  for (const link of ['loupe://open/etc/passwd', 'loupe://open?path=/etc/passwd']) double.app.emit('open-url', { preventDefault }, link);
  expect(await opened(double, window)).toEqual({ files: [], leftOut: 0 });
});

test('a file that is opened while a person captures brings the window once that is over', async () => {
  writeFileSync(join(directory, 'a.png'), 'png');
  const double = await start();
  const [main] = double.windows as [WindowDouble];
  main.emit('ready-to-show');
  double.shortcuts.press('CommandOrControl+Shift+Space');
  await vi.waitFor(() => double.windows.find(isFrozen) ?? expect.fail('no overlay'));
  const calls = [...main.calls];
  double.app.emit('second-instance', {}, [], '/', { kind: 'open', paths: [join(directory, 'a.png')], leftOut: 0 });
  expect(main.calls).toEqual(calls);
  expect(main.visible).toBe(false);
  double.shortcuts.press('Escape');
  await vi.waitFor(() => expect(main.calls.slice(calls.length)).toContain('focus'));
  expect((await opened(double, main)).files).toMatchObject([{ name: 'a.png' }]);
});

test('a database that cannot be opened is shown in the window, not in a box before it', async () => {
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'loupe.db'), 'no database '.repeat(1000));
  const double = await start();
  expect(double.errorBoxes).toEqual([]);
  const [window] = double.windows as [WindowDouble];
  const closed = { access: 'closed', problem: { code: 'store_damaged' } };
  expect(await ask(double, window, 'storage.state')).toMatchObject({ ok: true, output: closed });
  expect(await ask(double, window, 'conversations.list')).toMatchObject({ ok: false, code: 'store_damaged' });
  const keptAside = expect.stringMatching(/^loupe-replaced-/) as string;
  expect(await ask(double, window, 'storage.startAnew')).toMatchObject({ ok: true, output: { keptAside } });
  expect(await ask(double, window, 'conversations.list')).toEqual({ ok: true, output: [] });
});

test('windows ask, strangers do not', async () => {
  const double = await start();
  const [window] = double.windows as [WindowDouble];
  const info = await ask(double, window, 'app.info');
  expect(info).toMatchObject({ ok: true, output: { host: 'electron', version: '1.2.3', dataDirectory: join(directory, 'data') } });
  expect(await ask(double, window, 'app.licences')).toEqual({ ok: true, output: [{ name: 'Loupe', text: '...' }] });
  expect(await ask(double, window, 'conversations.rename', { id: 'one', title: 'x' })).toMatchObject({ ok: false, code: 'protocol' });
  expect(await ask(double, window, 'app.format')).toMatchObject({ ok: false, code: 'protocol' });

  const request = double.ipc.get('loupe:request') as (...given: unknown[]) => Promise<Reply>;
  for (const event of [
    { senderFrame: { url: 'https://example.org/', parent: null }, sender: window.webContents },
    { senderFrame: { url: window.url, parent: {} }, sender: window.webContents },
    { senderFrame: null, sender: window.webContents },
    { senderFrame: { url: window.url, parent: null }, sender: { id: 999_999 } },
  ]) {
    expect(await request(event, 'app.info', {})).toMatchObject({
      ok: false,
      code: 'protocol',
      message: 'This page may not ask Loupe for anything.',
    });
  }
});

/** Its page was told what to show. */
function isFrozen({ webContents }: WindowDouble): boolean {
  const messages = webContents.sent.map(([, message]) => message as EventMessage);
  return Boolean(messages.findLast(({ event }) => event === 'capture.frozen')?.payload);
}

test('from the hotkey to the question, with a real decoder and a real store', async () => {
  const double = await start();
  const [main] = double.windows as [WindowDouble];
  main.emit('ready-to-show');
  expect([...double.shortcuts.registered.keys()]).toEqual(['CommandOrControl+Shift+Space']);
  double.shortcuts.press('CommandOrControl+Shift+Space');
  const overlay = await vi.waitFor(() => double.windows.find(isFrozen) ?? expect.fail('no overlay'));
  // It was in front of what was to be captured.
  expect(main.visible).toBe(false);
  const display = parseOutput(
    'capture.display',
    ((await ask(double, overlay, 'capture.display', { displayId: '1' })) as { output: unknown }).output,
  );
  expect(display?.pixels.byteLength).toBe(1920 * 1080 * 4);

  expect(
    await ask(double, overlay, 'capture.finish', { displayId: '1', region: { x: 100, y: 100, width: 40, height: 30 }, marks: [] }),
  ).toEqual({
    ok: true,
    output: null,
  });
  expect(overlay).toMatchObject({ visible: false, destroyed: false });
  expect(main.visible).toBe(true);
  const quick = double.windows.find(({ url }) => url.includes('quick'))!;
  quick.emit('ready-to-show');
  expect(quick.bounds).toEqual({ x: 152, y: 100, width: 420, height: 228 });
  // It grows for an answer, as far as there is room.
  await ask(double, quick, 'windows.grow', { height: 400 });
  expect(quick.bounds).toEqual({ x: 152, y: 100, width: 420, height: 400 });
  const { output: captured } = (await ask(double, quick, 'capture.current')) as { output: Captured };
  const output = captured.picture;
  expect(captured.conversationId).toBeNull();
  expect(output).toMatchObject({ name: 'Screen capture', width: 40, height: 30, origin: { kind: 'capture' } });
  const shown = await double.serve.get('loupe')!({ url: `loupe://app/pictures/${output.hash}/thumb`, method: 'GET' });
  expect(shown.status).toBe(200);
  expect(main.webContents.sent.map(([, message]) => (message as { event: string }).event)).toContain('capture.taken');

  await ask(double, quick, 'windows.close');
  expect(quick).toMatchObject({ visible: false, destroyed: false });
  expect(main.destroyed).toBe(false);
});

test('a capture that is left gives the window that was in front its keyboard back', async () => {
  const double = await start();
  const [main] = double.windows as [WindowDouble];
  main.emit('ready-to-show');
  double.shortcuts.press('CommandOrControl+Shift+Space');
  await vi.waitFor(() => double.windows.find(isFrozen) ?? expect.fail('no overlay'));
  expect(main.visible).toBe(false);
  double.shortcuts.press('Escape');
  await vi.waitFor(() => expect(main).toMatchObject({ visible: true, focused: true }));
});

test('a window that was closed into the tray stays there after a capture, though X11 still gives it the keyboard', async () => {
  const double = await start();
  const [main] = double.windows as [WindowDouble];
  main.emit('ready-to-show');
  main.close();
  expect(main).toMatchObject({ visible: false, focused: true });
  double.shortcuts.press('CommandOrControl+Shift+Space');
  const overlay = await vi.waitFor(() => double.windows.find(isFrozen) ?? expect.fail('no overlay'));
  double.shortcuts.press('Escape');
  await vi.waitFor(() => expect(isFrozen(overlay)).toBe(false));
  expect(main.visible).toBe(false);
});

test('a display that changes takes the capture back, a panel that hides does not', async () => {
  const double = await start(['--hidden']);
  double.shortcuts.press('CommandOrControl+Shift+Space');
  const overlay = await vi.waitFor(() => double.windows.find(isFrozen) ?? expect.fail('no overlay'));
  double.electron.screen.emit('display-metrics-changed', {}, {}, ['workArea']);
  expect(isFrozen(overlay)).toBe(true);
  double.electron.screen.emit('display-metrics-changed', {}, {}, ['bounds', 'workArea']);
  expect(isFrozen(overlay)).toBe(false);
});

test('a program that asks while a person captures brings no window forward until that is over, and then takes no keyboard', async () => {
  const double = await start();
  const [main] = double.windows as [WindowDouble];
  main.emit('ready-to-show');
  const quick = await vi.waitFor(() => double.windows.find(({ url }) => url.includes('view=quick'))!);
  quick.emit('ready-to-show');
  const port = await freePort();
  await ask(double, main, 'settings.set', { programs: true, programsPort: port });
  const made = (await ask(double, main, 'programs.newKey')) as unknown as { output: { key: string } };
  const api = { port, key: made.output.key };
  const questions = async (): Promise<number> =>
    ((await ask(double, main, 'programs.questions')) as unknown as { output: unknown[] }).output.length;
  const leave = new AbortController();
  const call = async (program: string): Promise<void> => {
    const asked = await questions();
    callTool(api, { tool: 'search_history', program, arguments: { query: 'lease' } }, leave.signal).catch(() => {});
    await vi.waitFor(async () => expect(await questions()).toBe(asked + 1));
  };
  const came = (): string[] => main.calls.filter((name) => name !== 'hide');
  const calls = came();

  for (const how of ['finished', 'left'] as const) {
    await ask(double, main, 'capture.start', { mode: 'region', conversationId: null });
    await vi.waitFor(() => expect(double.windows.some(isFrozen)).toBe(true));
    calls.length = 0;
    calls.push(...came());
    await call(how);
    expect(came()).toEqual(calls);
    if (how === 'finished') {
      await ask(double, quick, 'capture.finish', { displayId: '1', region: { x: 10, y: 20, width: 300, height: 200 }, marks: [] });
      await vi.waitFor(() => expect(quick.visible).toBe(true));
      await vi.waitFor(() => expect(came().at(-1)).toBe('flashFrame'));
      expect(came().slice(calls.length)).not.toContain('focus');
      // Nor while the person types below the picture.
      await call('again');
      expect(came().slice(calls.length)).not.toContain('focus');
      await ask(double, quick, 'windows.close');
    } else {
      await ask(double, main, 'capture.cancel');
      await vi.waitFor(() => expect(came().slice(calls.length)).toContain('focus'));
    }
  }
  leave.abort();
});

/** One that nobody listens on. */
function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

test('the hotkey follows the settings and is given back at the end', async () => {
  const double = await start();
  const [main] = double.windows as [WindowDouble];
  double.shortcuts.taken.add('Alt+F9');
  await ask(double, main, 'settings.set', { hotkey: 'Alt+F9', theme: 'dark' });
  expect(double.shortcuts.registered.size).toBe(0);
  expect(double.electron.nativeTheme.themeSource).toBe('dark');
  expect(await ask(double, main, 'capture.state')).toMatchObject({
    ok: true,
    output: { by: 'app', hotkeys: { region: { accelerator: 'Alt+F9', status: 'taken' }, text: { status: 'off' } } },
  });
  expect(main.webContents.sent).toContainEqual(['loupe:event', expect.objectContaining({ event: 'capture.changed' })]);
  await ask(double, main, 'settings.set', { hotkey: 'Alt+F8' });
  expect([...double.shortcuts.registered.keys()]).toEqual(['Alt+F8']);
  await quit(double);
  expect(double.shortcuts.registered.size).toBe(0);
});

test('quitting waits until everything is kept', async () => {
  const double = await start();
  const [main] = double.windows as [WindowDouble];
  main.close();
  expect(main.destroyed).toBe(false);
  const data = join(directory, 'data');
  expect(() => lockDirectory(data)).toThrow('Another Loupe is using');
  let lockAtTheEnd: unknown = null;
  double.app.once(
    'quit',
    entry(() => {
      try {
        lockDirectory(data)();
      } catch (error) {
        lockAtTheEnd = error;
      }
    }),
  );
  await quit(double);
  expect(lockAtTheEnd).toBeNull();
});

test('a data folder that is in use is told in words, and nothing opens', async () => {
  const first = await start();
  const second = createElectronDouble();
  startShell(second.electron, { bundle: join(directory, 'build', 'app'), args: [] });
  await vi.waitFor(() => expect(second.errorBoxes).toHaveLength(1));
  expect(second.errorBoxes[0]).toMatch(/^Loupe could not start: Another Loupe is using .*\n\nClose the other Loupe/);
  expect(second.app.exits).toEqual([1]);
  expect(second.windows).toEqual([]);
  running = first;
});

test('a link opens in the browser only if the person agrees', async () => {
  for (const [answer, opened] of [
    [1, []],
    [0, ['https://example.org/']],
  ] as const) {
    const double = await start([], { answer });
    expect(double.windows[0]!.webContents.openHandler!({ url: 'https://example.org/' })).toEqual({ action: 'deny' });
    await vi.waitFor(() => expect(double.messages).toHaveLength(1));
    expect(double.messages[0]).toMatchObject({ message: 'Open example.org in your browser?', defaultId: 1, cancelId: 1 });
    await vi.waitFor(() => expect(double.opened).toEqual(opened));
    await quit(double);
  }
});

test('a capture that the hotkey began and the system refused is told in a dialog', async () => {
  const double = await start(['--hidden'], { displays: [] });
  double.shortcuts.press('CommandOrControl+Shift+Space');
  await vi.waitFor(() => expect(double.messages).toHaveLength(1));
  expect(double.messages[0]).toMatchObject({ message: 'Loupe could not capture the screen' });
});

test('the token is in the keychain, and in no file that can be read', async () => {
  const token = 'hf_averysecrettoken';
  vi.stubEnv('HF_TOKEN', '');
  vi.stubEnv('HF_TOKEN_PATH', join(directory, 'none'));
  const safeStorage = new SafeStorageDouble();
  const first = await start([], { safeStorage });
  expect(await ask(first, first.windows[0]!, 'models.token', { token })).toEqual({
    ok: true,
    output: { source: 'own', kept: 'keychain', problem: null },
  });
  await quit(first);
  const files = readdirSync(join(directory, 'data'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.map(({ name }) => name)).toEqual(expect.arrayContaining(['hub-token.bin', 'loupe.db', 'loupe.log']));
  for (const { parentPath, name } of files)
    expect({ name, has: readFileSync(join(parentPath, name)).includes(token) }).toEqual({ name, has: false });

  safeStorage.key = 0x11;
  const second = await start([], { safeStorage });
  const reply = await ask(second, second.windows[0]!, 'models.catalogue');
  expect(reply).toMatchObject({
    ok: true,
    output: { token: { source: null, kept: 'keychain', problem: expect.stringContaining('enter the token again') as string } },
  });
});

test('a folder of models is chosen in the system’s dialog, or not', async () => {
  const other = join(directory, 'drive');
  const double = await start([], { chosen: other });
  const [window] = double.windows as [WindowDouble];
  expect(await ask(double, window, 'models.chooseFolder')).toEqual({ ok: true, output: other });
  expect(double.openDialogs).toEqual([
    expect.objectContaining({ defaultPath: join(directory, 'data', 'models'), properties: ['openDirectory', 'createDirectory'] }),
  ]);
  expect(await ask(double, window, 'models.setFolder', { path: other })).toMatchObject({ ok: true, output: { modelsDirectory: other } });
  expect(await ask(double, window, 'models.catalogue')).toMatchObject({ ok: true, output: { directory: other } });
  expect(await ask(double, window, 'models.setFolder', { path: 'relative' })).toMatchObject({ ok: false, code: 'usage' });
  expect(window.webContents.sent).toContainEqual(['loupe:event', expect.objectContaining({ event: 'settings.changed' })]);
  await quit(double);
  const cancelled = await start();
  expect(await ask(cancelled, cancelled.windows[0]!, 'models.chooseFolder')).toEqual({ ok: true, output: null });
});

test('everything is exported to the file that the system’s dialog names, and no page names one', async () => {
  const file = join(directory, 'all.zip');
  const double = await start([], { chosen: file });
  const [window] = double.windows as [WindowDouble];
  expect(await ask(double, window, 'archive.export', { path: join(directory, 'other.zip') })).toMatchObject({
    ok: false,
    code: 'request_refused',
  });
  expect(await ask(double, window, 'archive.export', { path: null })).toEqual({ ok: true, output: { begun: true } });
  expect(double.saveDialogs).toEqual([
    expect.objectContaining({ defaultPath: expect.stringMatching(/^loupe-\d{4}-\d\d-\d\d\.zip$/) as string }),
  ]);
  await expect
    .poll(() => ask(double, window, 'archive.state'))
    .toMatchObject({ output: { work: null, failure: null, result: { path: file } } });
  expect(readFileSync(file).subarray(0, 2).toString()).toBe('PK');
  expect(await ask(double, window, 'archive.import', { path: null })).toEqual({ ok: true, output: { begun: true } });
  expect(double.openDialogs).toEqual([expect.objectContaining({ properties: ['openFile'] })]);
  await expect
    .poll(() => ask(double, window, 'archive.state'))
    .toMatchObject({ output: { work: null, failure: null, result: { work: 'import' } } });
});

test.each(['no-sandbox', 'remote-debugging-port', 'remote-debugging-pipe', 'js-flags'])('a package does not start with --%s', (name) => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const bundle = join(directory, 'build', 'app');
  const refusing = createElectronDouble({ packaged: true, switches: [name] });
  startShell(refusing.electron, { bundle, args: [] });
  expect(refusing.app.exits).toEqual([1]);
  expect(refusing.app.sandboxed).toBe(false);
  expect(said.mock.calls[0]![0]).toContain(`--${name}`);
  said.mockRestore();
});

test('with a passphrase it locks with the screen; then nothing is answered, and the hotkey brings the unlock page', async () => {
  const double = await start();
  const [window] = double.windows as [WindowDouble];
  const { code } = ((await ask(double, window, 'vault.recoveryCode')) as { output: { code: string } }).output;
  const way = { passphrase: 'correct horse battery', recoveryCode: code };
  expect(await ask(double, window, 'vault.turnOn', way)).toMatchObject({ ok: true });
  expect(await ask(double, window, 'conversations.list')).toMatchObject({ ok: true });
  await ask(double, window, 'settings.set', { lockWithScreen: false });
  double.electron.powerMonitor.emit('lock-screen');
  expect(await ask(double, window, 'conversations.list')).toMatchObject({ ok: true });
  await ask(double, window, 'settings.set', { lockWithScreen: true });
  double.electron.powerMonitor.emit('suspend');
  await vi.waitFor(async () => expect(await ask(double, window, 'conversations.list')).toMatchObject({ code: 'vault_locked' }));
  expect(await ask(double, window, 'vault.state')).toMatchObject({ output: { state: 'locked' } });
  window.hide();
  double.shortcuts.press('CommandOrControl+Shift+Space');
  await vi.waitFor(() => expect(window.visible).toBe(true));
  window.hide();
  const scan = join(directory, 'scan.png');
  writeFileSync(scan, 'png');
  double.app.emit('second-instance', {}, [], '/', { kind: 'open', paths: [scan], leftOut: 0 });
  expect(window.visible).toBe(true);
  expect(await ask(double, window, 'windows.opened')).toMatchObject({ code: 'vault_locked' });
  expect(await ask(double, window, 'vault.unlock', { words: 'wrong words' })).toMatchObject({ code: 'passphrase_wrong' });
  expect(await ask(double, window, 'vault.unlock', { words: code })).toMatchObject({ ok: true });
  // It has waited.
  expect((await opened(double, window)).files).toMatchObject([{ name: 'scan.png', bytes: 3 }]);
  expect(await ask(double, window, 'conversations.list')).toMatchObject({ ok: true });
});

test('with the keychain it opens by itself, and does not lock', async () => {
  const safeStorage = new SafeStorageDouble();
  let double = await start([], { safeStorage });
  let [window] = double.windows as [WindowDouble];
  const { code } = ((await ask(double, window, 'vault.recoveryCode')) as { output: { code: string } }).output;
  expect(await ask(double, window, 'vault.turnOn', { passphrase: null, recoveryCode: code })).toMatchObject({ ok: true });
  await quit(double);
  double = await start([], { safeStorage });
  [window] = double.windows as [WindowDouble];
  double.electron.powerMonitor.emit('lock-screen');
  expect(await ask(double, window, 'vault.lock')).toMatchObject({ ok: true });
  expect(await ask(double, window, 'conversations.list')).toMatchObject({ ok: true });
  expect(await ask(double, window, 'vault.state')).toMatchObject({ output: { state: 'open', by: 'keychain' } });
});
