/** Fields of documents as a table: made, filled, checked, corrected and saved. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(0);

function invoice(vendor: string, total: string): Buffer {
  const lines = [`Vendor: ${vendor}`, 'Date: 9 March 2026', 'Subtotal: EUR 1.00', `Total: EUR ${total}`];
  return writePdf({ pages: [{ content: lines.map((text, row) => line(text, 72, 700 - 30 * row)).join('') }] });
}

test('fields are taken from documents, doubts are looked at and put right, and the table is saved', async ({ loupe, host }, testInfo) => {
  // The recogniser has the lowest priority: it waits for whatever else the machine does.
  testInfo.setTimeout(300_000);
  const { page } = loupe;
  await loupe.skipWelcome();
  await page.keyboard.press('Control+Shift+D');
  const library = page.getByRole('dialog', { name: 'Documents' });
  const paths = [join(host.directory, 'acme.pdf'), join(host.directory, 'bolt.pdf')];
  writeFileSync(paths[0]!, invoice('ACME', '1,190.00'));
  writeFileSync(paths[1]!, invoice('Bolt', '2.50'));
  const choosing = page.waitForEvent('filechooser');
  await library.getByRole('button', { name: 'Add documents' }).click();
  await (await choosing).setFiles(paths);
  await expect(library.getByRole('article')).toHaveCount(2);
  await expect(library.getByText('1 page has text.')).toHaveCount(2);

  // By keyboard from here on.
  await library.getByRole('button', { name: 'Tables' }).focus();
  await page.keyboard.press('Enter');
  const tables = page.getByRole('dialog', { name: 'Tables' });
  await expect(tables).toContainText('There are no tables yet.');
  await tables.getByRole('button', { name: 'New table' }).press('Enter');
  const form = page.getByRole('dialog', { name: 'New table' });
  await expect(form.getByRole('textbox', { name: 'Name of field 1' })).toBeFocused();
  await page.keyboard.type('Vendor');
  await form.getByRole('button', { name: 'Add a field' }).press('Enter');
  await expect(form.getByRole('textbox', { name: 'Name of field 2' })).toBeFocused();
  await page.keyboard.type('vendor');
  await expect(form.getByRole('alert')).toHaveText('vendor is named twice.');
  await page.keyboard.press('Control+a');
  await page.keyboard.type('Total');
  await page.keyboard.press('Tab');
  await page.keyboard.type('N');
  await expect(form.getByRole('combobox', { name: 'Kind of field 2' })).toHaveValue('number');
  await expect(form.getByRole('button', { name: 'Extract' })).toBeDisabled();
  await form.getByRole('checkbox', { name: 'All 2 documents' }).press('Space');
  await page.screenshot({ path: testInfo.outputPath('new-table.png') });
  expect(await violations(page)).toEqual([]);
  await form.getByRole('button', { name: 'Extract' }).press('Enter');

  const view = page.getByRole('dialog', { name: 'Vendor, Total' });
  await expect(view.getByRole('status')).toHaveText('1 unsure, 3 sure', { timeout: 240_000 });
  const grid = view.getByRole('grid', { name: 'Values of Vendor, Total' });
  const cell = (row: string, field: number) => grid.getByRole('row').filter({ hasText: row }).getByRole('gridcell').nth(field);
  await expect(cell('acme.pdf', 1)).toHaveAccessibleName('Total: EUR 1,190.00, sure');
  await expect(cell('bolt.pdf', 1)).toHaveAccessibleName('Total: EUR 7.50, unsure');
  await expect(grid.getByRole('row').last()).toContainText('1,197.50 EUR: the sum of 2, 1 of them unsure');

  // The doubt, with what the page has, at its place.
  await cell('acme.pdf', 0).focus();
  await page.keyboard.press('n');
  await expect(cell('bolt.pdf', 1)).toBeFocused();
  const panel = view.getByRole('region', { name: 'Total, bolt.pdf' });
  await expect(panel).toContainText('No page that was looked at has it. Page 1 has “Total: EUR 2.50”.');
  await expect(panel.locator('.mark').first()).toBeInViewport();
  await expect(panel.getByRole('img')).toBeVisible();
  await page.screenshot({ path: testInfo.outputPath('doubt.png') });
  expect(await violations(page)).toEqual([]);
  await expect(panel.getByRole('button', { name: 'Use “EUR 2.50”' })).toBeVisible();
  await panel.getByRole('textbox', { name: 'Value' }).fill('EUR 3');
  await page.keyboard.press('Enter');
  await expect(cell('bolt.pdf', 1)).toHaveAccessibleName('Total: EUR 3, entered by you');
  await panel.getByRole('textbox', { name: 'Value' }).fill('EUR 2.50');
  await page.keyboard.press('Enter');
  await expect(cell('bolt.pdf', 1)).toBeFocused();
  await expect(cell('bolt.pdf', 1)).toHaveAccessibleName('Total: EUR 2.50, entered by you');
  await expect(grid.getByRole('row').last()).toContainText('1,192.50 EUR: the sum of 2');

  // A sure one shows the words of the page, marked.
  await page.keyboard.press('ArrowDown');
  await expect(cell('acme.pdf', 1)).toBeFocused();
  const sure = view.getByRole('region', { name: 'Total, acme.pdf' });
  await expect(sure).toContainText('“Total: EUR 1,190.00”');
  await expect(sure.locator('.mark')).toHaveCount(3);
  await expect(sure.getByRole('img')).toBeVisible();
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await page.screenshot({ path: testInfo.outputPath('sure-dark.png') });
  await page.emulateMedia({ colorScheme: 'light' });

  const saving = page.waitForEvent('download');
  await view.getByRole('button', { name: 'Save as CSV' }).press('Enter');
  const file = await saving;
  expect(file.suggestedFilename()).toBe('Vendor, Total.csv');
  expect(readFileSync(await file.path(), 'utf8')).toBe(
    '\ufeffDocument,Vendor,Total,Doubts\r\nbolt.pdf,Bolt,2.50,\r\nacme.pdf,ACME,1190.00,\r\n',
  );

  // The page itself, and back; then out, step by step.
  await sure.getByRole('button', { name: 'Open page 1' }).press('Enter');
  await expect(page.getByRole('dialog', { name: 'acme.pdf' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(view).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(tables.getByRole('listitem')).toContainText('3 sure, 1 entered by you');
  await page.reload();
  await expect(page.getByRole('button', { name: 'Documents', exact: true })).toBeVisible();
  await page.keyboard.press('Control+Shift+D');
  await library.getByRole('button', { name: 'Tables' }).press('Enter');
  await tables.getByRole('button', { name: 'Vendor, Total', exact: true }).press('Enter');
  await expect(cell('bolt.pdf', 1)).toHaveAccessibleName('Total: EUR 2.50, entered by you');
  await page.keyboard.press('Escape');
  await tables.getByRole('button', { name: 'Actions for Vendor, Total' }).press('Enter');
  await page.getByRole('menuitem', { name: 'Remove' }).press('Enter');
  await page.getByRole('button', { name: 'Remove the table' }).press('Enter');
  await expect(tables).toContainText('There are no tables yet.');
});
