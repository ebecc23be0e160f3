/** A server that answers in place of a model on this computer: added, tested and asked by keyboard, with what a person sees of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright/test';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import {
  answers,
  end,
  stalls,
  startScriptedServer,
  streams,
  usage,
  word,
  type Asked,
  type Script,
  type ScriptedServer,
} from '../main/services/servers/test/scripted-server.ts';
import { violations } from './support/axe.ts';
import { expect, pastePicture, testWithFakeEngine, type Window } from './support/loupe.ts';
import sharp from 'sharp';

const test = testWithFakeEngine(1, 1000);

let there: ScriptedServer;
/** Reaches this computer, and is not known to: as a server elsewhere. */
let away: string;

test.beforeEach(async () => {
  there = await startScriptedServer();
  away = `http://0.0.0.0:${there.port}`;
  there.play(answering);
});
test.afterEach(() => there.close());

function lastWords({ body }: Asked): string {
  const { content } = body!.messages.at(-1)!;
  return typeof content === 'string' ? content : (content as { text?: string }[]).map(({ text = '' }) => text).join('');
}

const answering: Script = (response, asked, request) => {
  if (asked.path.endsWith('/models'))
    return answers(200, { data: [{ id: 'tiny-vision', max_model_len: 8192 }, { id: 'big-vision' }] })(response, asked, request);
  if (asked.headers.authorization !== 'Bearer sk-1') return answers(401, { error: { message: 'No such key.' } })(response, asked, request);
  const question = lastWords(asked);
  if (question.includes('Stall')) return stalls(word('It was '))(response, asked, request);
  return streams(word('You said: '), word(question), end(), usage(30, 6))(response, asked, request);
};

async function openServers(page: Page): Promise<Locator> {
  await page.keyboard.press('Control+,');
  const dialog = page.getByRole('dialog', { name: 'Settings' });
  await dialog.getByRole('button', { name: 'Servers', exact: true }).press('Enter');
  await expect(dialog.getByRole('heading', { name: 'Servers' })).toBeFocused();
  return dialog;
}

/** By keyboard. */
async function add(page: Page, { address, key, name }: { address: string; key: string; name: string }): Promise<void> {
  const settings = await openServers(page);
  await settings.getByRole('button', { name: 'Add a server…' }).press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Add a server' });
  await expect(dialog.getByLabel('Address')).toBeFocused();
  await page.keyboard.type(address);
  await page.keyboard.press('Tab');
  await page.keyboard.type(key);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  if (address.includes('0.0.0.0')) {
    const question = page.getByRole('dialog', { name: 'Send without encryption?' });
    await expect(question).toContainText('whoever is on the way can read your questions, your pictures and the key');
    expect(there.connections()).toBe(0);
    await question.getByRole('button', { name: 'I trust this network' }).press('Enter');
  }
  await expect(dialog.getByRole('combobox', { name: 'Model' })).toHaveValue('tiny-vision');
  await dialog.getByLabel('Name').fill(name);
  await dialog.getByRole('button', { name: 'Add it' }).press('Enter');
  await expect(dialog).toHaveCount(0);
}

async function inBothThemes(page: Page, shot: (scheme: string) => string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: shot(colorScheme) });
  }
  await page.emulateMedia({ colorScheme: null });
}

async function close(page: Page): Promise<void> {
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
}

const mark = (loupe: Window): Locator => loupe.answers.last().getByText(/^Left this computer/);

test('is added and tested by keyboard, answers, and its answers are marked for good', async ({ loupe, page, host }, testInfo) => {
  await loupe.skipWelcome();
  await add(page, { address: away, key: 'sk-wrong', name: 'Office' });
  const dialog = page.getByRole('dialog', { name: 'Settings' });
  const card = dialog.getByRole('group', { name: 'Office' });
  await expect(card.getByText(`0.0.0.0:${there.port}, not encrypted`)).toBeVisible();
  const test = card.getByRole('button', { name: 'Test Office' });
  await test.press('Enter');
  await expect(card.getByText('does not accept the key (HTTP 401). It says: “No such key.”')).toBeVisible();
  await card.getByLabel('Key').fill('sk-1');
  await page.keyboard.press('Enter');
  await expect(card.getByText('A key is kept until Loupe ends.')).toBeVisible();
  await test.press('Enter');
  await expect(card.getByText('It answers: “You said: Answer with the single word: ready”')).toBeVisible();
  await card.getByRole('button', { name: 'Use the model of Office' }).press('Enter');
  await expect(card.getByRole('button', { name: 'In use' })).toBeDisabled();
  // The ledger stands on the same page, and was drawn before anything was sent.
  await dialog.getByRole('button', { name: 'Privacy', exact: true }).press('Enter');
  await expect(dialog.getByText('3 connections since you installed Loupe')).toBeVisible();
  await dialog.getByRole('button', { name: 'Servers', exact: true }).press('Enter');
  await inBothThemes(page, (scheme) => testInfo.outputPath(`settings-${scheme}.png`));
  await close(page);

  await expect(page.getByText('What you ask goes to 0.0.0.0')).toBeVisible();
  await expect(page.getByRole('button', { name: 'tiny-vision at Office, leaves this computer' })).toBeVisible();
  expect(await loupe.ask('Hello there')).toBe('You said: Hello there');
  await expect(mark(loupe)).toHaveText(`Left this computer: sent to Office (0.0.0.0:${there.port})`);
  await inBothThemes(page, (scheme) => testInfo.outputPath(`answer-${scheme}.png`));

  await host.stop('SIGKILL');
  await page.goto(await host.start());
  await loupe.sidebar.getByText('Hello there').click();
  await expect(mark(loupe)).toBeVisible();
  await page.keyboard.press('Control+,');
  await page.getByRole('dialog').getByRole('button', { name: 'Privacy', exact: true }).click();
  await expect(page.getByRole('row', { name: /question to a server/ }).first()).toContainText(`0.0.0.0:${there.port}`);
});

test('stops at once with the offline switch, in the middle of an answer, and goes on later', async ({ loupe, page }, testInfo) => {
  await loupe.skipWelcome();
  await add(page, { address: away, key: 'sk-1', name: 'Office' });
  await page.getByRole('button', { name: 'Use the model of Office' }).press('Enter');
  await close(page);
  await loupe.question.fill('Stall now');
  await page.keyboard.press('Enter');
  await expect(loupe.answers.last()).toContainText('It was');
  await page.keyboard.press('Control+,');
  const never = page.getByRole('switch', { name: 'Never connect' });
  await never.press('Space');
  await expect.poll(() => there.open()).toBe(0);
  await close(page);
  await expect(loupe.answers.last().getByRole('alert')).toContainText('“Never connect” is switched on');
  await expect(loupe.answers.last()).toContainText('It was');
  await inBothThemes(page, (scheme) => testInfo.outputPath(`cut-${scheme}.png`));

  await page.keyboard.press('Control+,');
  await never.press('Space');
  await close(page);
  await loupe.answers.last().getByRole('button', { name: 'Continue' }).press('Enter');
  await expect(loupe.answers.last()).toContainText('It was You said: Your answer was cut off');
});

test('pages of documents stay, unless a person agrees', async ({ loupe, page }, testInfo) => {
  await loupe.skipWelcome();
  await add(page, { address: there.address, key: 'sk-1', name: 'Here' });
  const documents = page.getByRole('switch', { name: 'May get pages of documents' });
  await documents.press('Space');
  const question = page.getByRole('dialog', { name: 'Send pages of documents to Here?' });
  await inBothThemes(page, (scheme) => testInfo.outputPath(`documents-${scheme}.png`));
  await question.getByRole('button', { name: 'Keep them here' }).press('Enter');
  await expect(documents).not.toBeChecked();
  await documents.press('Space');
  await question.getByRole('button', { name: 'Allow it' }).press('Enter');
  await expect(documents).toBeChecked();
  await page.getByRole('button', { name: 'Remove Here' }).press('Enter');
  await page.getByRole('dialog', { name: 'Remove Here?' }).getByRole('button', { name: 'Remove it' }).press('Enter');
  await expect(page.getByRole('group', { name: 'Here' })).toHaveCount(0);
});

test('one question to three models, side by side: one stopped, one failed, and the third followed', async ({
  loupe,
  page,
  host,
}, testInfo) => {
  await loupe.skipWelcome();
  await add(page, { address: away, key: 'sk-1', name: 'Office' });
  await close(page);
  await add(page, { address: there.address, key: 'sk-wrong', name: 'Here' });
  await close(page);
  await loupe.question.fill('Stall, or not');
  await page.getByRole('button', { name: 'Compare models' }).press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Compare models' });
  await expect(dialog.getByRole('checkbox', { name: 'Demo model' })).toBeChecked();
  const third = dialog.getByRole('checkbox', { name: 'tiny-vision at Here' });
  await third.press('Space');
  await expect(dialog.getByText(`Sent to 0.0.0.0:${there.port}`)).toBeVisible();
  await inBothThemes(page, (scheme) => testInfo.outputPath(`choose-${scheme}.png`));
  await dialog.getByRole('button', { name: 'Ask them' }).press('Enter');

  const column = (name: string): Locator => page.getByRole('region', { name: `Answer of ${name}` });
  await expect(column('Demo model')).toContainText('You asked: Stall, or not');
  await expect(column('tiny-vision at Here').getByRole('alert')).toContainText('does not accept the key');
  await expect(column('tiny-vision at Office')).toContainText('It was');
  await column('tiny-vision at Office').getByRole('button', { name: 'Stop tiny-vision at Office' }).press('Enter');
  await expect(column('tiny-vision at Office')).toContainText('Stopped.');
  await expect(column('Demo model')).toContainText(/\d+ tokens · .* in all/);
  await expect(column('tiny-vision at Office').getByText(/^Left this computer/)).toBeVisible();
  await inBothThemes(page, (scheme) => testInfo.outputPath(`compared-${scheme}.png`));

  await column('tiny-vision at Office').getByRole('button', { name: 'Go on from here' }).press('Enter');
  await expect(column('tiny-vision at Office')).toContainText('Your next question goes on from here');
  await column('Demo model').getByRole('button', { name: 'Go on from here' }).press('Enter');
  await expect(column('Demo model')).toContainText('Your next question goes on from here');
  expect(await loupe.ask('And then?')).toContain('You asked: And then?');
  await expect(loupe.answers.last().getByText(/Sent to|Left this/)).toHaveCount(0);

  await host.stop('SIGKILL');
  await page.goto(await host.start());
  await loupe.sidebar.getByText('Stall, or not').click();
  for (const name of ['Demo model', 'tiny-vision at Office', 'tiny-vision at Here']) await expect(column(name)).toBeVisible();
});

test('pictures go, all of them, and the small window says where to before it asks', async ({ loupe, page }, testInfo) => {
  await loupe.skipWelcome();
  await add(page, { address: away, key: 'sk-1', name: 'Office' });
  await page.getByRole('button', { name: 'Use the model of Office' }).press('Enter');
  await close(page);
  await loupe.question.focus();
  for (const background of ['red', 'blue'])
    await pastePicture(
      page,
      await sharp({ create: { width: 60, height: 40, channels: 3, background } })
        .png()
        .toBuffer(),
      `${background}.png`,
    );
  await expect(loupe.chips()).toHaveCount(2);
  await expect(loupe.chips().getByText('The server will get this')).toHaveCount(2);
  await loupe.ask('Which colours?');
  const sent = there.asked.at(-1)!.body!.messages.at(-1)!.content as { type: string; image_url?: { url: string } }[];
  expect(sent.map(({ type }) => type)).toEqual(['image_url', 'image_url', 'text']);
  expect(sent[0]!.image_url!.url).toMatch(/^data:image\/png;base64,/);
  await inBothThemes(page, (scheme) => testInfo.outputPath(`pictures-${scheme}.png`));

  const address = (await page.getByRole('article', { name: 'You' }).getByRole('img').first().getAttribute('src'))!;
  await page.goto(new URL(`/?view=quick&picture=${/[0-9a-f]{64}/.exec(address)![0]}`, page.url()).href);
  await expect(page.getByText(`The picture and your question go to 0.0.0.0:${there.port}.`)).toBeVisible();
  await loupe.question.fill('And now?');
  await page.keyboard.press('Enter');
  await expect(page.getByText('You said: And now?')).toBeVisible();
  await expect(page.getByText(`Left this computer: sent to Office (0.0.0.0:${there.port})`)).toBeVisible();
  await inBothThemes(page, (scheme) => testInfo.outputPath(`quick-${scheme}.png`));
});

test('a question about a document is refused before anything is sent, and answered once a person agrees', async ({
  loupe,
  page,
  host,
}, testInfo) => {
  await loupe.skipWelcome();
  await add(page, { address: away, key: 'sk-1', name: 'Office' });
  await page.getByRole('button', { name: 'Use the model of Office' }).press('Enter');
  await close(page);
  await page.keyboard.press('Control+Shift+D');
  const library = page.getByRole('dialog', { name: 'Documents' });
  const path = join(host.directory, 'lease.pdf');
  writeFileSync(path, writePdf({ pages: [{ content: line('Rent is due monthly') }, { content: line('Termination requires notice') }] }));
  const choosing = page.waitForEvent('filechooser');
  await library.getByRole('button', { name: 'Add documents' }).press('Enter');
  await (await choosing).setFiles(path);
  const row = library.getByRole('article', { name: 'lease.pdf' });
  await expect(row).toContainText('2 pages have text');
  await row.getByRole('button', { name: 'Actions for lease.pdf' }).press('Enter');
  await page.getByRole('menuitem', { name: 'Ask about it' }).press('Enter');
  await expect(page.getByText('Pages stay on this computer: Office may not get them')).toBeVisible();
  const before = there.asked.length;
  await loupe.question.fill('When is rent due?');
  await page.keyboard.press('Enter');
  await expect(loupe.answers.last().getByRole('alert')).toContainText('The question is about documents, whose pages would go to Office');
  await expect(mark(loupe)).toHaveCount(0);
  expect(there.asked).toHaveLength(before);
  await inBothThemes(page, (scheme) => testInfo.outputPath(`pages-${scheme}.png`));

  await loupe.answers.last().getByRole('button', { name: 'Servers' }).press('Enter');
  await page.getByRole('switch', { name: 'May get pages of documents' }).press('Space');
  await page.getByRole('dialog', { name: 'Send pages of documents to Office?' }).getByRole('button', { name: 'Allow it' }).press('Enter');
  await close(page);
  await expect(page.getByText(`The pages that it needs go to 0.0.0.0:${there.port}.`)).toBeVisible();
  await loupe.answers.last().getByRole('button', { name: 'Try again' }).press('Enter');
  await expect(mark(loupe)).toBeVisible();
  await expect(loupe.answers.last()).toHaveAttribute('aria-busy', 'false');
  expect(JSON.stringify(there.asked.at(-1)!.body)).toContain('Rent is due monthly');
});

test('a private conversation says that the server may keep what Loupe does not', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await add(page, { address: away, key: 'sk-1', name: 'Office' });
  await page.getByRole('button', { name: 'Use the model of Office' }).press('Enter');
  await close(page);
  await page.getByRole('button', { name: 'New private conversation' }).press('Enter');
  await expect(page.getByText(`What you ask goes to 0.0.0.0:${there.port}, which may keep it.`)).toBeVisible();
  await expect(page.getByText(`Not kept here: gone when you close it. 0.0.0.0:${there.port} may keep what you ask.`)).toBeVisible();
});
