/** A browser tells of no windows: selections snap to the straight lines of the picture. */
import type { Page } from 'playwright/test';
import { expect, testWithFakeEngine } from './support/loupe.ts';
import { shareCanvas } from './support/screen.ts';

const test = testWithFakeEngine(0);
const card = [200, 120, 320, 240] as const;

/** Drags between two pixels of the frozen picture. */
async function drag(page: Page, from: readonly [number, number], to: readonly [number, number]): Promise<void> {
  const box = (await page.getByRole('application').boundingBox())!;
  const scale = Math.min(box.width / 800, box.height / 600);
  const at = ([x, y]: readonly [number, number]): [number, number] => [
    box.x + (box.width - 800 * scale) / 2 + (x + 0.5) * scale,
    box.y + (box.height - 600 * scale) / 2 + (y + 0.5) * scale,
  ];
  await page.mouse.move(...at(from));
  await page.mouse.down();
  await page.mouse.move(...at(to), { steps: 5 });
  await page.mouse.up();
}

test('a drag around a card selects the card; with Ctrl what was dragged; a click selects nothing', async ({ loupe, page }, testInfo) => {
  await loupe.skipWelcome();
  await shareCanvas(page, card);
  await page.keyboard.press('Control+Shift+c');
  await expect(page.getByRole('application')).toBeFocused();
  await expect(page.getByText('Drag to select')).toBeVisible();
  await drag(page, [197, 117], [522, 362]);
  await expect(page.getByText('320 × 240')).toBeVisible();
  await page.screenshot({ path: testInfo.outputPath('snapped.png') });
  await page.keyboard.press('Backspace');
  await page.keyboard.down('Control');
  await drag(page, [197, 117], [522, 362]);
  await page.keyboard.up('Control');
  await expect(page.getByText('326 × 246')).toBeVisible();
  await page.keyboard.press('Backspace');
  await drag(page, [400, 300], [400, 300]);
  await expect(page.getByRole('button', { name: 'Ask about this' })).toHaveCount(0);
});
