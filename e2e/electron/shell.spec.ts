import { expect, test } from 'playwright/test';
import { launchShell, whyNoElectron, windowOf, type Shell } from './launch.ts';

const why = whyNoElectron();
test.skip(why !== undefined, why);

let shell: Shell;
test.beforeEach(async () => {
  shell = await launchShell();
});
test.afterEach(async () => {
  await shell.close();
});

test('the page is alone: no Node, no other origin, a bridge of two functions', async () => {
  const { page } = shell;
  expect(page.url()).toMatch(/^loupe:\/\/app\//);
  expect(await page.evaluate(() => [typeof Reflect.get(globalThis, 'require'), typeof Reflect.get(globalThis, 'process')])).toEqual([
    'undefined',
    'undefined',
  ]);
  expect(await page.evaluate(() => Object.keys(Reflect.get(globalThis, 'loupe') as object).sort())).toEqual(['onEvent', 'request']);
  const fetched = await page.evaluate(() =>
    fetch('https://example.org/').then(
      () => 'fetched',
      () => 'refused',
    ),
  );
  expect(fetched).toBe('refused');
});

test('a capture covers every display, and Esc takes it back', async () => {
  const { app } = shell;
  const displays = await app.evaluate(({ screen }) => screen.getAllDisplays().map(({ bounds }) => bounds));
  await app.evaluate(({ app: electron }) => electron.emit('second-instance', {}, [], '', { kind: 'capture', mode: 'region' }));
  const overlay = await windowOf(app, 'overlay');
  await overlay.waitForLoadState('load');
  // They are made ahead: what counts is what is on the screen.
  const shown = () =>
    app.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows()
        .filter((window) => window.isVisible() && window.webContents.getURL().includes('view=overlay'))
        .map((window) => window.getBounds()),
    );
  await expect.poll(shown).toEqual(displays);
  await overlay.keyboard.press('Escape');
  await expect.poll(shown).toEqual([]);
});

test('the whole display is asked about in a window beside it', async () => {
  const { app } = shell;
  await app.evaluate(({ app: electron }) => electron.emit('second-instance', {}, [], '', { kind: 'capture', mode: 'display' }));
  const quick = await windowOf(app, 'quick');
  await quick.waitForLoadState('load');
  await expect(quick.getByRole('img').first()).toBeVisible();
});
