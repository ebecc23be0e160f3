/** Assistants that speak MCP: what they want to do is confirmed in the window, remembered where a person says so, and taken back in the settings. */
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { Page } from 'playwright/test';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1, 1000);
const entry = fileURLToPath(new URL('../main/cli/loupe.ts', import.meta.url));
const picture = fileURLToPath(new URL('../resources/demo-model/samples/train-font-05.png', import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}

/** Lets programs in; returns an assistant that has been started as its configuration says. */
async function letIn(page: Page, name: string): Promise<Client> {
  const port = await freePort();
  await page.keyboard.press('Control+,');
  const dialog = page.getByRole('dialog', { name: 'Settings' });
  const field = dialog.getByLabel('Port', { exact: true });
  await dialog.getByRole('switch', { name: 'Let other programs on this computer ask Loupe' }).check();
  await field.fill(String(port));
  await field.press('Enter');
  await expect(dialog.getByText(`http://127.0.0.1:${port}/v1`, { exact: true })).toBeVisible();
  const key = await dialog.locator('dd').last().innerText();
  await page.keyboard.press('Escape');
  const client = new Client({ name, version: '1.0.0' });
  const env = { LOUPE_API_KEY: key, PATH: process.env['PATH'] ?? '' };
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [entry, 'mcp', '--port', String(port)], env }));
  return client;
}

const textOf = (result: Awaited<ReturnType<Client['callTool']>>): unknown => ('content' in result ? result.content : result);

test('what an assistant wants to do is answered by keyboard, once or for good, and can be taken back', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  const client = await letIn(page, 'claude-ai');
  const ask = (question: string): ReturnType<Client['callTool']> =>
    client.callTool({ name: 'ask_about_file', arguments: { path: picture, question } });

  // While somebody writes: no key that is on its way answers it.
  await loupe.question.focus();
  await page.keyboard.type('I am wri');
  const first = ask('What does it say?');
  const question = page.getByRole('dialog', { name: 'Let “claude-ai” ask about this picture?' });
  await expect(question).toBeVisible();
  await page.keyboard.type('ting ');
  await expect(question).toBeVisible();
  await expect(question.getByText(picture, { exact: true })).toBeVisible();
  await expect(question.getByText('What does it say?', { exact: true })).toBeVisible();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
  }
  await page.keyboard.press('Escape');
  await expect(question).toBeHidden();
  expect(await first).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('does not allow') as unknown }] });
  await expect(loupe.question).toBeFocused();
  await expect(loupe.question).toHaveValue('I am wri');

  // For good, by keyboard alone.
  const second = ask('And now?');
  await expect(question.getByRole('button', { name: 'Allow', exact: true })).toBeEnabled();
  const remember = question.getByRole('checkbox', { name: 'Remember my answer' });
  for (let steps = 0; !(await remember.evaluate((box) => box === document.activeElement)); steps++) {
    expect(steps).toBeLessThan(6);
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Space');
  await page.keyboard.press('Tab');
  await expect(question.getByRole('button', { name: 'Don’t allow' })).toBeFocused();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  expect(textOf(await second)).toEqual([{ type: 'text', text: 'You asked: And now? I was given 1 picture.' }]);
  expect(textOf(await ask('And then?'))).toEqual([{ type: 'text', text: 'You asked: And then? I was given 1 picture.' }]);

  // Taken back.
  await page.keyboard.press('Control+,');
  const settings = page.getByRole('dialog', { name: 'Settings' });
  await expect(settings.getByText('“claude-ai” may ask about any picture')).toBeVisible();
  await settings.getByText('“claude-ai” may ask about any picture').scrollIntoViewIfNeeded();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
  }
  await settings.getByRole('button', { name: 'Ask me again whether “claude-ai” may ask about any picture' }).press('Enter');
  await expect(settings.getByText('You have not told Loupe to remember an answer yet.')).toBeVisible();
  await expect(settings.getByRole('heading', { name: 'What assistants may do' })).toBeFocused();

  // Asked in front of the settings, and gone with the assistant.
  const stop = new AbortController();
  const third = client.callTool({ name: 'ask_about_file', arguments: { path: picture, question: 'Again?' } }, { signal: stop.signal });
  await expect(question).toBeVisible();
  stop.abort();
  await expect(third).rejects.toThrow();
  await expect(question).toBeHidden();
  await client.close();
});

test('a search shows before what it would tell; one question comes after the other', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await loupe.ask('Where do zebras sleep?');
  await loupe.startNew();
  await loupe.ask('Zebras again');
  const client = await letIn(page, 'notes');
  const search = client.callTool({ name: 'search_history', arguments: { query: 'zebras' } });
  const file = client.callTool({ name: 'ask_about_file', arguments: { path: picture, question: 'Why?' } });
  const asked = page.getByRole('dialog', { name: 'Let “notes” search your conversations?' });
  await expect(asked).toBeVisible();
  await expect(asked.getByText(/^\d places in “Zebras again”, “Where do zebras sleep\?”$/)).toBeVisible();
  expect(await violations(page)).toEqual([]);
  await asked.getByRole('button', { name: 'Allow', exact: true }).click();
  expect(JSON.stringify(textOf(await search))).toContain('Where do zebras sleep?');
  const next = page.getByRole('dialog', { name: 'Let “notes” ask about this picture?' });
  await next.getByRole('button', { name: 'Don’t allow' }).click();
  expect(await file).toMatchObject({ isError: true });

  // A window that is opened meanwhile asks as well; without any nobody is asked.
  const again = client.callTool({ name: 'search_history', arguments: { query: 'zebras' } });
  await expect(asked).toBeVisible();
  await page.reload();
  await expect(asked).toBeVisible();
  await asked.getByRole('button', { name: 'Don’t allow' }).click();
  expect(await again).toMatchObject({ isError: true });
  await page.close();
  await expect(async () => {
    // The app may not have noticed yet that the window is gone; then nobody answers.
    const alone = await client.callTool({ name: 'search_history', arguments: { query: 'zebras' } }, { timeout: 1000 });
    expect(JSON.stringify(textOf(alone))).toContain('No window of Loupe is open');
  }).toPass();
  await client.close();
});
