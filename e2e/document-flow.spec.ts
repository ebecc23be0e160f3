/** A document from the drop to the saved table, by keyboard alone and by pointer, in both themes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestInfo } from 'playwright/test';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { violations } from './support/axe.ts';
import { drop, keyboard, pointer, type Hands } from './support/hands.ts';
import { expect, testWithFakeEngine, type Window } from './support/loupe.ts';

const test = testWithFakeEngine(0);

const notice = 'Either party may end this lease with three months written notice';

/** Of eight pages; what is asked for stands at the foot of the sixth. */
const lease = writePdf({
  pages: Array.from({ length: 8 }, (_, index) => ({
    content: [
      index === 0
        ? line('Tenant: Ada Byron', 72, 760) + line('Rent: EUR 1,190.00', 72, 730)
        : line(`Clause ${index} is about the garden, the cellar and the stairs`, 72, 760),
      ...(index === 5 ? [line(notice, 72, 80)] : []),
    ].join(''),
  })),
});

interface Journey {
  loupe: Window;
  hands: Hands;
  /** Called at each station. */
  look: (station: string) => Promise<void>;
}

function journey(loupe: Window, hands: Hands, testInfo: TestInfo): Journey {
  let stations = 0;
  const look = async (station: string): Promise<void> => {
    await loupe.page.screenshot({ path: testInfo.outputPath(`${++stations}-${station}.png`) });
    expect(await violations(loupe.page), station).toEqual([]);
  };
  return { loupe, hands, look };
}

async function wholeFlow({ loupe, hands, look }: Journey): Promise<void> {
  const { page } = loupe;
  const library = page.getByRole('dialog', { name: 'Documents' });
  await expect(library.getByRole('article', { name: 'lease.pdf' })).toContainText('8 pages have text.');
  await look('added');

  await hands.press(library.getByRole('button', { name: 'Actions for lease.pdf' }));
  await hands.press(page.getByRole('menuitem', { name: 'Ask about it' }));
  await expect(loupe.question).toBeFocused();
  await page.keyboard.type('Quote how a party may end it.');
  await hands.press(loupe.send);
  const sources = page.getByRole('region', { name: 'Citations, checked against the pages' });
  await expect(sources.getByRole('listitem')).toContainText(`Verified: page 6 has “${notice}”.`);
  await expect(sources).toContainText(
    'Looked at 5 of 8 pages (3-6, 8). 3 were searched by their text. Searched for: Quote, party, end, terminate.',
  );
  await look('answered');

  const mark = page.getByRole('article', { name: 'Answer' }).locator('[data-citation]');
  await expect(mark).toHaveText('p. 6');
  await hands.press(mark);
  const viewer = page.getByRole('dialog', { name: 'lease.pdf' });
  const sheet = viewer.getByRole('region', { name: 'Page 6', exact: true });
  await expect(sheet).toHaveAttribute('aria-current', 'page');
  await expect(sheet.locator('.mark')).toHaveCount(notice.split(' ').length);
  await expect(sheet.locator('.mark').first()).toBeInViewport();
  await expect(sheet.getByRole('img')).toHaveJSProperty('complete', true);
  await look('cited');

  await hands.type(viewer.getByRole('textbox', { name: 'Search this document' }), 'Byron');
  await page.keyboard.press('Enter');
  await expect(viewer.getByRole('search')).toContainText('On 1 page');
  await expect(viewer.getByRole('region', { name: 'Page 1', exact: true })).toHaveAttribute('aria-current', 'page');
  await expect(viewer.locator('.page .mark')).toBeInViewport();
  await expect(viewer.getByRole('region', { name: 'Page 1', exact: true }).getByRole('img')).toHaveJSProperty('complete', true);
  await look('found');
  // Out of the search, then out of the viewer.
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await expect(viewer).toBeHidden();

  await page.keyboard.press('Control+Shift+D');
  await hands.press(library.getByRole('button', { name: 'Actions for lease.pdf' }));
  await hands.press(page.getByRole('menuitem', { name: 'Extract to a table' }));
  const form = page.getByRole('dialog', { name: 'New table' });
  await hands.type(form.getByRole('textbox', { name: 'Name of field 1' }), 'Tenant');
  await hands.press(form.getByRole('button', { name: 'Add a field' }));
  await hands.type(form.getByRole('textbox', { name: 'Name of field 2' }), 'Rent');
  const kind = form.getByRole('combobox', { name: 'Kind of field 2' });
  await hands.choose(kind, 'Number');
  await expect(kind).toHaveValue('number');
  await look('fields');
  await hands.press(form.getByRole('button', { name: 'Extract' }));

  const table = page.getByRole('dialog', { name: 'Tenant, Rent' });
  await expect(table.getByRole('status')).toHaveText('2 sure', { timeout: 240_000 });
  await hands.press(table.getByRole('gridcell').first());
  await page.keyboard.press('ArrowRight');
  await expect(table.getByRole('region', { name: 'Rent, lease.pdf' })).toContainText('“Rent: EUR 1,190.00”');
  await look('extracted');
  const saving = page.waitForEvent('download');
  await hands.press(table.getByRole('button', { name: 'Save as CSV' }));
  const saved = await saving;
  expect(saved.suggestedFilename()).toBe('Tenant, Rent.csv');
  expect(readFileSync(await saved.path(), 'utf8')).toBe('\ufeffDocument,Tenant,Rent,Doubts\r\nlease.pdf,Ada Byron,1190.00,\r\n');
}

test('by keyboard alone: a document is added, asked about, cited, searched, and its fields are saved as CSV', async ({
  loupe,
  host,
}, testInfo) => {
  // The recogniser has the lowest priority: it waits for whatever else the machine does.
  testInfo.setTimeout(360_000);
  const { page } = loupe;
  const path = join(host.directory, 'lease.pdf');
  writeFileSync(path, lease);
  const hands = keyboard(page);
  await hands.press(page.getByRole('button', { name: 'Start without a picture' }));
  await page.keyboard.press('Control+Shift+D');
  const choosing = page.waitForEvent('filechooser');
  await hands.press(page.getByRole('dialog', { name: 'Documents' }).getByRole('button', { name: 'Add documents' }));
  await (await choosing).setFiles(path);
  await wholeFlow(journey(loupe, hands, testInfo));
});

test('by pointer: a document is dropped, asked about, cited, searched, and its fields are saved as CSV', async ({
  loupe,
  host,
}, testInfo) => {
  testInfo.setTimeout(360_000);
  const { page } = loupe;
  const path = join(host.directory, 'lease.pdf');
  writeFileSync(path, lease);
  await page.emulateMedia({ colorScheme: 'dark' });
  await loupe.skipWelcome();
  await drop(page, path);
  await wholeFlow(journey(loupe, pointer(page), testInfo));
});
