/** What is redacted or pointed at before asking: by pointer and by keyboard, down to the pixels that are kept. */
import type { Page } from 'playwright/test';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';
import { shareCanvas } from './support/screen.ts';

const test = testWithFakeEngine(0);

/** Colours of the picture that is attached, at these pixels, as the app keeps it. */
async function coloursOf(page: Page, places: readonly (readonly [number, number])[]): Promise<string[]> {
  const thumb = page.getByRole('list', { name: 'Attached pictures' }).getByRole('listitem').locator('img');
  const address = (await thumb.getAttribute('src'))!;
  const file = await page.evaluate(
    async (hash) => {
      const shown = document.createElement('img');
      shown.src = [...document.images].find((image) => image.src.includes(hash))!.src.replace('/thumb', '');
      await shown.decode();
      const canvas = document.createElement('canvas');
      canvas.width = shown.naturalWidth;
      canvas.height = shown.naturalHeight;
      const context = canvas.getContext('2d')!;
      context.drawImage(shown, 0, 0);
      return { size: [canvas.width, canvas.height], pixels: [...context.getImageData(0, 0, canvas.width, canvas.height).data] };
    },
    /[0-9a-f]{64}/.exec(address)![0],
  );
  const [width = 0] = file.size;
  const name = (red = 0, green = 0, blue = 0): string => {
    const near = (...wanted: number[]): boolean => [red, green, blue].every((value, index) => Math.abs(value - wanted[index]!) <= 8);
    if (near(0, 0, 0)) return 'black';
    if (near(214, 40, 40)) return 'red';
    if (near(255, 255, 255)) return 'white';
    return near(0xcc, 0, 0) ? 'screen' : `${red} ${green} ${blue}`;
  };
  return places.map(([x, y]) => name(...file.pixels.slice(4 * (y * width + x), 4 * (y * width + x) + 3)));
}

test('a part is redacted and another pointed at, by pointer: the picture that is kept has nothing else', async ({
  loupe,
  page,
}, testInfo) => {
  await loupe.skipWelcome();
  await shareCanvas(page);
  await page.keyboard.press('Control+Shift+c');
  const layer = page.getByRole('application');
  await expect(layer).toBeFocused();
  await page.keyboard.press('a');
  const box = (await layer.boundingBox())!;
  const scale = Math.min(box.width / 800, box.height / 600);
  const left = box.x + (box.width - 800 * scale) / 2;
  const top = box.y + (box.height - 600 * scale) / 2;
  const drag = async (from: readonly [number, number], to: readonly [number, number]): Promise<void> => {
    await page.mouse.move(left + (from[0] + 0.5) * scale, top + (from[1] + 0.5) * scale);
    await page.mouse.down();
    await page.mouse.move(left + (to[0] + 0.5) * scale, top + (to[1] + 0.5) * scale, { steps: 5 });
    await page.mouse.up();
  };
  await page.getByRole('button', { name: 'Redact' }).click();
  await expect(page.getByRole('button', { name: 'Redact' })).toHaveAttribute('aria-pressed', 'true');
  await drag([100, 60], [299, 159]);
  // One too many, taken back.
  await drag([500, 60], [600, 100]);
  await page.keyboard.press('Control+z');
  await page.getByRole('button', { name: 'Arrow' }).click();
  await drag([400, 300], [600, 300]);
  await page.screenshot({ path: testInfo.outputPath('marked.png') });
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Ask about this' }).click();
  await expect(loupe.chips()).toHaveCount(1);
  expect(
    await coloursOf(page, [
      [99, 59],
      [100, 60],
      [200, 100],
      [299, 159],
      [300, 160],
      [550, 80],
      [450, 300],
      [450, 293],
    ]),
  ).toEqual(['screen', ...['black', 'black', 'black'], 'screen', 'screen', 'red', 'white']);
});

test('by keyboard alone: a mark is moved, stretched, taken and taken back', async ({ loupe, page }, testInfo) => {
  await loupe.skipWelcome();
  await shareCanvas(page);
  await page.keyboard.press('Control+Shift+c');
  await expect(page.getByRole('application')).toBeFocused();
  // With nothing selected the tool takes all of it; the mark begins in the middle third.
  await page.keyboard.press('x');
  for (let n = 0; n < 5; n++) await page.keyboard.press('Shift+ArrowLeft');
  for (let n = 0; n < 5; n++) await page.keyboard.press('Alt+Shift+ArrowDown');
  await page.screenshot({ path: testInfo.outputPath('draft.png') });
  await page.keyboard.press('Enter');
  await expect(page.getByText('1 mark', { exact: true })).toBeAttached();
  // Esc leaves the tool, not the capture.
  await page.keyboard.press('Escape');
  await page.keyboard.press('w');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('application')).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(loupe.chips()).toHaveCount(1);
  // 266 to 532 of 800, 200 to 399 of 600; 50 to the left, 50 more at the lower edge.
  expect(
    await coloursOf(page, [
      [214, 300],
      [217, 201],
      [480, 440],
      [490, 300],
      [480, 452],
    ]),
  ).toEqual(['screen', 'black', 'black', 'screen', 'screen']);
});
