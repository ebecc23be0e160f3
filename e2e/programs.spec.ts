/** Other programs on this computer: allowed in the settings, answered at the address that stands there. */
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1, 1000);

async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

const closed = (server: Server): Promise<void> => new Promise((resolve) => void server.close(() => resolve()));

function ask(address: string, key: string): Promise<Response> {
  return fetch(`${address}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'demo', messages: [{ role: 'user', content: 'From a program' }] }),
  });
}

test('a program is let in, by keyboard, with a key that is shown once', async ({ loupe, page }) => {
  const free = await listening();
  await closed(free.server);
  const taken = await listening();

  await loupe.skipWelcome();
  await page.keyboard.press('Control+,');
  const dialog = page.getByRole('dialog', { name: 'Settings' });
  const allow = dialog.getByRole('switch', { name: 'Let other programs on this computer ask Loupe' });
  await expect(allow).not.toBeChecked();
  await allow.focus();
  await page.keyboard.press('Space');
  const port = dialog.getByLabel('Port', { exact: true });
  await port.fill(String(taken.port));
  await port.press('Enter');
  await expect(dialog.getByText(`Port ${taken.port} is in use by`)).toBeVisible();
  await expect(dialog.getByText('Choose another port below')).toBeVisible();
  await port.fill(String(free.port));
  await port.press('Enter');

  const address = `http://127.0.0.1:${free.port}/v1`;
  await expect(dialog.getByText(address, { exact: true })).toBeVisible();
  await expect(dialog.getByText('Copy the key now: Loupe will not show it again.')).toBeVisible();
  const key = await dialog.locator('dd').last().innerText();
  expect(key).toMatch(/^[\w-]{43}$/);
  await expect(dialog.getByText(`http://127.0.0.1:${free.port}/${key}`, { exact: true })).toBeVisible();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
  }

  expect((await ask(address, 'not-the-key')).status).toBe(401);
  expect(await (await ask(address, key)).json()).toMatchObject({
    choices: [{ message: { content: 'You asked: From a program I was given 0 pictures.' } }],
  });
  await expect(dialog.getByText('One request answered since Loupe started.')).toBeVisible();

  await page.reload();
  await expect(loupe.question).toBeFocused();
  await page.keyboard.press('Control+,');
  await expect(dialog.getByText(`http://127.0.0.1:${free.port}/YOUR-KEY`, { exact: true })).toBeVisible();
  await expect(page.getByText(key)).toHaveCount(0);
  await expect(dialog.getByText('No connection since you installed Loupe')).toBeVisible();
  await expect(dialog.getByText(/^Other programs on this computer have sent Loupe \d+ B and got \d+ B in answers since /)).toBeVisible();
  await dialog.getByRole('button', { name: 'Make a new key' }).click();
  await expect(dialog.getByText('Copy the key now: Loupe will not show it again.')).toBeVisible();
  expect((await ask(address, key)).status).toBe(401);

  await allow.uncheck();
  await expect(dialog.getByText(address, { exact: true })).toHaveCount(0);
  await expect(ask(address, key)).rejects.toThrow('fetch failed');
  await closed(taken.server);
});

test('a page in the browser gets nothing out of it, even with the key', async ({ loupe, page, context }) => {
  const free = await listening();
  await closed(free.server);
  await loupe.skipWelcome();
  await page.keyboard.press('Control+,');
  const dialog = page.getByRole('dialog', { name: 'Settings' });
  await dialog.getByRole('switch', { name: 'Let other programs on this computer ask Loupe' }).check();
  await dialog.getByLabel('Port', { exact: true }).fill(String(free.port));
  await dialog.getByLabel('Port', { exact: true }).press('Enter');
  await expect(dialog.getByText(`http://127.0.0.1:${free.port}/v1`, { exact: true })).toBeVisible();
  const key = await dialog.locator('dd').last().innerText();

  const site = createHttpServer(
    (_, response) => void response.setHeader('content-type', 'text/html').end('<!doctype html><title>Site</title>'),
  );
  await new Promise<void>((resolve) => void site.listen(0, '127.0.0.1', resolve));
  const elsewhere = await context.newPage();
  await elsewhere.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
  const at = `http://127.0.0.1:${free.port}`;
  const tries = await elsewhere.evaluate(
    async ({ at, key }) => {
      const body = JSON.stringify({ model: 'demo', prompt: 'From a page', messages: [{ role: 'user', content: 'From a page' }] });
      const read = async (path: string, init?: RequestInit): Promise<string> => {
        try {
          const response = await fetch(at + path, init);
          return response.type === 'opaque' ? `unread ${await response.text()}` : `${response.status} ${await response.text()}`;
        } catch {
          return 'refused';
        }
      };
      const authorization = { authorization: `Bearer ${key}` };
      const shown = (path: string): Promise<string> =>
        new Promise((resolve) => {
          const image = new Image();
          image.onload = () => resolve('shown');
          image.onerror = () => resolve('refused');
          image.src = at + path;
        });
      const framed = (path: string): Promise<string> =>
        new Promise((resolve) => {
          const frame = document.createElement('iframe');
          frame.onload = () => {
            try {
              resolve(`framed ${frame.contentDocument?.body.innerText ?? 'unread'}`);
            } catch {
              resolve('unread');
            }
          };
          frame.src = at + path;
          document.body.append(frame);
        });
      const socket = (path: string): Promise<string> =>
        new Promise((resolve) => {
          const opened = new WebSocket(`${at.replace('http', 'ws')}${path}`);
          opened.onopen = () => resolve('opened');
          opened.onerror = () => resolve('refused');
        });
      return {
        models: await read('/v1/models', { headers: authorization }),
        inPath: await read(`/${key}/v1/models`),
        asked: await read('/v1/chat/completions', { method: 'POST', headers: authorization, body }),
        // Without asking whether it may, as forms can.
        simple: await read(`/${key}/api/generate`, { method: 'POST', mode: 'no-cors', headers: { 'content-type': 'text/plain' }, body }),
        tool: await read(`/${key}/loupe/tools/search_history`, {
          method: 'POST',
          mode: 'no-cors',
          body: '{"program":"x","arguments":{"query":"x"}}',
        }),
        image: await shown(`/${key}/v1/models`),
        frame: await framed('/v1/models'),
        socket: await socket(`/${key}/v1/models`),
      };
    },
    { at, key },
  );
  expect(tries).toEqual({
    ...{ models: 'refused', inPath: 'refused', asked: 'refused', simple: 'unread ', tool: 'unread ' },
    ...{ image: 'refused', frame: 'framed unread', socket: 'refused' },
  });
  // A form goes where it likes, with the key in its address; what comes back is the refusal.
  await elsewhere.setContent(
    `<form method="post" enctype="text/plain" action="${at}/${key}/api/generate"><input name="x" value="y"></form>`,
  );
  await elsewhere.evaluate(() => document.forms[0]!.submit());
  await expect(elsewhere.getByText('Pages in a browser may not use Loupe.')).toBeVisible();
  // Nothing was asked, and nobody was.
  await expect(dialog.getByText('No program has asked since Loupe started.')).toBeVisible();
  await expect(page.getByRole('dialog', { name: /^Let/ })).toHaveCount(0);
  await new Promise<void>((resolve) => void site.close(() => resolve()));
});
