/** Other programs on this computer: allowed in the settings, answered at the address that stands there. */
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
  const port = dialog.getByLabel('Port');
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
  await dialog.getByRole('button', { name: 'Make a new key' }).click();
  await expect(dialog.getByText('Copy the key now: Loupe will not show it again.')).toBeVisible();
  expect((await ask(address, key)).status).toBe(401);

  await allow.uncheck();
  await expect(dialog.getByText(address, { exact: true })).toHaveCount(0);
  await expect(ask(address, key)).rejects.toThrow('fetch failed');
  await closed(taken.server);
});
