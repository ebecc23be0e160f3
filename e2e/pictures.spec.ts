/** What the model sees, parts that are cut out, pictures that are put together, and the small window that asks. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import type { Locator, Page } from 'playwright/test';
import { violations } from './support/axe.ts';
import { expect, testWithFakeEngine, testWithWaitingEngine } from './support/loupe.ts';
import { shareCanvas } from './support/screen.ts';

const test = testWithFakeEngine(5);

async function flat(width: number, height: number, background: string): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
}

async function attachPicture(page: Page, name: string, buffer: Buffer): Promise<void> {
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach pictures' }).click();
  await (await choosing).setFiles({ name, mimeType: 'image/png', buffer });
  // It has been read.
  await expect(page.getByRole('button', { name: `Remove ${name}` })).toBeVisible();
}

function inspector(page: Page): Locator {
  return page.getByRole('complementary', { name: 'What the model sees' });
}

/** As a program leaves it on the clipboard, or as it is dragged: forms of one thing. */
async function bring(
  page: Page,
  how: 'paste' | 'drop',
  forms: Record<string, string>,
  file?: { name: string; type: string; bytes: Buffer },
): Promise<void> {
  await page.evaluate(
    ([kind, texts, given]) => {
      const data = new DataTransfer();
      for (const [type, text] of Object.entries(texts)) data.setData(type, text);
      if (given)
        data.items.add(new File([Uint8Array.from(atob(given.base64), (letter) => letter.charCodeAt(0))], given.name, { type: given.type }));
      const target = kind === 'paste' ? document.activeElement! : document.querySelector('main')!;
      const event =
        kind === 'paste'
          ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })
          : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
      target.dispatchEvent(event);
    },
    [how, forms, file ? { name: file.name, type: file.type, base64: file.bytes.toString('base64') } : null] as const,
  );
}

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/pictures/${name}`, import.meta.url));

async function attachFile(page: Page, name: string): Promise<void> {
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach pictures' }).click();
  await (await choosing).setFiles(fixture(name));
}

test('a file of three pages: the first is attached, the others are offered, by keyboard alone', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await attachFile(page, 'pages.tif');
  const strip = page.getByRole('region', { name: 'Which page of pages.tif?' });
  await expect(strip.getByRole('radio')).toHaveCount(3);
  await expect(loupe.chips()).toContainText('page 1 of 3');
  await expect(loupe.question).toBeFocused();
  await strip.getByRole('radio', { name: 'Page 1' }).focus();
  await page.keyboard.press('ArrowRight');
  await expect(loupe.chips()).toContainText('page 2 of 3');
  await expect(strip.getByRole('radio', { name: 'Page 2' })).toBeFocused();
  await page.keyboard.press('ArrowRight');
  await expect(loupe.chips()).toContainText('page 3 of 3');
  await expect(loupe.chips()).toHaveCount(1);
  expect(await violations(page), 'choosing a page').toEqual([]);
  await loupe.question.focus();
  await page.keyboard.press('Control+i');
  await expect(inspector(page)).toContainText('111 × 77 px');
  await expect(inspector(page)).toContainText('3 of 3');
  await loupe.question.fill('Which page?');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('figure')).toContainText('page 3 of 3');
  await expect(page.getByRole('img', { name: 'pages.tif, page 3 of 3, 111 × 77 pixels' })).toBeVisible();
  await expect(strip).toHaveCount(0);
  await inspector(page).getByRole('button', { name: 'Choose another page' }).click();
  await strip.getByText('1', { exact: true }).click();
  await expect(loupe.chips()).toContainText('page 1 of 3');
  await strip.getByRole('button', { name: 'Compose pages 1 to 3' }).click();
  const dialog = page.getByRole('dialog', { name: 'Compose pictures' });
  await expect(dialog.getByRole('button', { name: 'C: pages.tif, page 3 of 3, 3 of 3' })).toBeVisible();
});

test('of an animation the first frame that shows something is taken, and can be changed', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await attachFile(page, 'animated.png');
  await expect(loupe.chips()).toContainText('frame 2 of 4');
  await expect(page.getByRole('radio')).toHaveCount(0);
  await page.getByRole('button', { name: 'animated.png: frame 2 of 4, choose another' }).click();
  const strip = page.getByRole('region', { name: 'Which frame of animated.png?' });
  await strip.getByRole('radio', { name: 'Frame 4' }).check({ force: true });
  await expect(loupe.chips()).toContainText('frame 4 of 4');
  await strip.getByRole('button', { name: 'Close the choice' }).click();
  await expect(strip).toHaveCount(0);
});

test('what became of a picture when it was read is said where it is looked at', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await attachFile(page, 'base-white-on-transparent.png');
  await expect(loupe.chips()).toContainText('Loupe will see this');
  await page.keyboard.press('Control+i');
  await expect(inspector(page)).toContainText('on black: the picture is light, and would vanish on white');
  await page.keyboard.press('Control+i');
  const whole = readFileSync(fixture('base-noeoi.jpg'));
  await bring(page, 'drop', {}, { name: 'broken.jpg', type: 'image/jpeg', bytes: whole.subarray(0, Math.floor(whole.length * 0.8)) });
  await expect(loupe.chips()).toHaveCount(2);
  await expect(loupe.chips().last()).toContainText('cut off');
});

test('a picture, text or an address: the same rules for paste and drop, in every place', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  const png = { name: 'image.png', type: 'image/png', bytes: await flat(40, 30, '#336699') };
  const address = 'https://example.org/bird.png';
  const toasts = page.getByRole('region', { name: 'Notifications' });
  await loupe.question.focus();
  // Cells of a spreadsheet: text, for the field.
  await bring(page, 'paste', { 'text/plain': 'Name\tSum', 'text/html': '<table><td>Name</td></table>' }, png);
  await bring(page, 'paste', { 'text/plain': '/home/me/image.png', 'text/uri-list': 'file:///home/me/image.png' }, png);
  await expect(loupe.chips()).toHaveCount(1);
  await bring(page, 'drop', { 'text/uri-list': address, 'text/html': `<img src="${address}">` });
  await expect(toasts).toContainText('https://example.org/bird.png is the address of a picture, and Loupe opens no connections by itself.');
  await bring(page, 'paste', { 'text/html': `<img src="data:image/png;base64,${(await flat(20, 20, '#aa0000')).toString('base64')}">` });
  await expect(loupe.chips()).toHaveCount(2);
  // The page is still there after something was dropped that it does not take.
  await bring(page, 'drop', { 'text/uri-list': 'https://example.org/' });
  await expect(loupe.question).toBeVisible();
  await page.getByRole('button', { name: 'Compose them' }).click();
  const dialog = page.getByRole('dialog', { name: 'Compose pictures' });
  await dialog.getByRole('group', { name: 'Compose pictures' }).focus();
  await bring(page, 'paste', { 'text/html': `<img src="${address}">` });
  await expect(dialog).not.toContainText('is the address of a picture');
  await dialog.getByRole('button', { name: 'Add a picture' }).focus();
  await bring(page, 'paste', { 'text/html': `<img src="${address}">` });
  await expect(dialog).toContainText('is the address of a picture');
});

test('a part is cut out by keyboard alone, and reaches the model in more detail', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  // The engine of this test has tiles of 56 pixels.
  await attachPicture(page, 'wide.png', await flat(400, 200, '#336699'));
  await page.keyboard.press('Control+i');
  const panel = inspector(page);
  await expect(panel).toContainText('400 × 200 px');
  await expect(panel).toContainText('Most text will blur');
  await panel.getByRole('application').focus();
  await page.keyboard.press('ArrowUp');
  await expect(panel).toContainText('Selected part: 200 × 100 px');
  for (let press = 0; press < 10; press++) await page.keyboard.press('Alt+Shift+ArrowLeft');
  for (let press = 0; press < 5; press++) await page.keyboard.press('Alt+Shift+ArrowUp');
  await expect(panel).toContainText('Selected part: 100 × 50 px');
  await expect(panel).toContainText('Text reads well');
  await page.keyboard.press('Enter');
  await expect(panel).toContainText('100 × 50 px');
  await expect(loupe.chips()).toHaveCount(1);
  await expect(loupe.question).toBeFocused();
});

test('a part is dragged out with the pointer; Esc takes the selection back, then closes the panel', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await attachPicture(page, 'wide.png', await flat(400, 200, '#336699'));
  await page.keyboard.press('Control+i');
  const panel = inspector(page);
  const box = (await panel.getByRole('application').boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.5);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width + 50, box.y + box.height + 50, { steps: 4 });
  await page.mouse.up();
  // From a quarter of the width to the right edge and from the middle to the lower one, give or take the pixel under the pointer.
  await expect(panel).toContainText(/Selected part: (299|300|301) × (99|100|101) px/);
  await page.keyboard.press('Escape');
  await expect(panel.getByRole('button', { name: 'Use this part' })).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(panel).toHaveCount(0);
});

test('pictures are put in order by keyboard, removed and added, and what happens is said', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  for (const [name, colour] of [
    ['red.png', '#c00'],
    ['green.png', '#0a0'],
  ] as const)
    await attachPicture(page, name, await flat(120, 80, colour));
  await page.getByRole('button', { name: 'Compose them' }).click();
  const dialog = page.getByRole('dialog', { name: 'Compose pictures' });
  const use = dialog.getByRole('button', { name: 'Use this composition' });
  await dialog.getByRole('button', { name: 'A: red.png, 1 of 2' }).focus();
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowRight');
  await expect(dialog.getByText('red.png moved to 2 of 2.')).toBeAttached();
  await page.keyboard.press('Escape');
  await expect(dialog.getByRole('button', { name: 'A: red.png, 1 of 2' })).toBeFocused();
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Space');
  await expect(dialog.getByRole('button', { name: 'A: green.png, 1 of 2' })).toBeVisible();
  await page.keyboard.press('Delete');
  await expect(dialog).toContainText('Add one more picture');
  await expect(use).toBeDisabled();
  const choosing = page.waitForEvent('filechooser');
  await dialog.getByRole('button', { name: 'Add a picture' }).click();
  await (await choosing).setFiles({ name: 'blue.png', mimeType: 'image/png', buffer: await flat(120, 80, '#00c') });
  await expect(dialog.getByRole('button', { name: 'B: blue.png, 2 of 2' })).toBeVisible();
  await use.click();
  await expect(loupe.chips()).toHaveCount(1);
  await expect(loupe.chips()).toContainText('green.png, blue.png');
});

test('pictures are put in order with the pointer', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  for (const [name, colour] of [
    ['red.png', '#c00'],
    ['green.png', '#0a0'],
  ] as const)
    await attachPicture(page, name, await flat(120, 80, colour));
  await page.getByRole('button', { name: 'Compose them' }).click();
  const dialog = page.getByRole('dialog', { name: 'Compose pictures' });
  const from = (await dialog.getByRole('button', { name: /^A: red/ }).boundingBox())!;
  const to = (await dialog.getByRole('button', { name: /^B: green/ }).boundingBox())!;
  await page.mouse.move(from.x + 20, from.y + 20);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 6 });
  await page.mouse.up();
  await expect(dialog.getByRole('button', { name: /^A: green/ })).toBeVisible();
});

test('a refused capture says why, and a cancelled one nothing', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  const refuse = (name: string, message: string) =>
    page.evaluate(
      ([kind, words]) => {
        navigator.mediaDevices.getDisplayMedia = async () => {
          throw new DOMException(words, kind);
        };
      },
      [name, message] as const,
    );
  await refuse('NotAllowedError', 'Permission denied by system');
  await page.keyboard.press('Control+Shift+c');
  await expect(page.getByRole('alert')).toContainText('The system does not allow this browser to capture the screen.');
  await page.keyboard.press('Escape');
  await refuse('NotAllowedError', 'Permission denied');
  await page.keyboard.press('Control+Shift+c');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await shareCanvas(page);
  await page.keyboard.press('Control+Shift+c');
  await expect(page.getByRole('application')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('application')).toHaveCount(0);
  await expect(loupe.chips()).toHaveCount(0);
});

test('a drag selects up to where it was let go, even if no move was reported on the way', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await shareCanvas(page);
  await page.keyboard.press('Control+Shift+c');
  const layer = page.getByRole('application');
  const box = (await layer.boundingBox())!;
  const at = (x: number, y: number) => ({ button: 0, pointerId: 1, isPrimary: true, clientX: box.x + x, clientY: box.y + y });
  // The pointer cannot be captured: there is no real one.
  await layer.evaluate((element) => {
    element.setPointerCapture = () => {};
  });
  await layer.dispatchEvent('pointerdown', at(box.width / 4, box.height / 4));
  await layer.dispatchEvent('pointerup', at(box.width / 2, box.height / 2));
  await expect(page.getByRole('button', { name: 'Ask about this' })).toBeVisible();
});

test('sharing the screen ends before anything is selected', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await page.evaluate(() => {
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d')!;
    setInterval(() => context.fillRect(0, 0, 300, 150), 30);
    navigator.mediaDevices.getDisplayMedia = async () => {
      const stream = canvas.captureStream(30);
      Object.assign(globalThis, { shared: stream });
      return stream;
    };
  });
  await page.keyboard.press('Control+Shift+c');
  await expect(page.getByRole('application')).toBeVisible();
  expect(
    await page.evaluate(() => (globalThis as unknown as { shared: MediaStream }).shared.getTracks().map(({ readyState }) => readyState)),
  ).toEqual(['ended']);
});

test.describe('the small window', () => {
  async function openQuick(page: Page): Promise<void> {
    await attachPicture(page, 'wide.png', await flat(400, 200, '#336699'));
    const address = (await page.getByRole('list', { name: 'Attached pictures' }).getByRole('listitem').locator('img').getAttribute('src'))!;
    await page.setViewportSize({ width: 420, height: 560 });
    await page.goto(new URL(`/?view=quick&picture=${/[0-9a-f]{64}/.exec(address)![0]}`, page.url()).href);
  }

  test('takes a picture that is pasted, by the rules of the main window', async ({ loupe, page }) => {
    await loupe.skipWelcome();
    await openQuick(page);
    const shown = page.getByRole('img', { name: 'The picture that you ask about' });
    const before = await shown.getAttribute('src');
    await expect(loupe.question).toBeFocused();
    await bring(page, 'paste', { 'text/plain': 'Name\tSum' }, { name: 'cells.png', type: 'image/png', bytes: await flat(9, 9, '#fff') });
    await bring(page, 'paste', { 'text/html': '<img src="https://example.org/a.png">' });
    await expect(page.getByRole('region', { name: 'Notifications' })).toContainText(
      'https://example.org/a.png is the address of a picture',
    );
    expect(await shown.getAttribute('src')).toBe(before);
    await bring(page, 'paste', {}, { name: 'anim.gif', type: 'image/gif', bytes: readFileSync(fixture('anim-first-black.gif')) });
    await expect(shown).not.toHaveAttribute('src', before!);
    await expect(page.getByRole('button', { name: /^frame 2 of 2 · / })).toBeVisible();
  });

  testWithWaitingEngine(30)(
    'nothing moves under the pointer: every button is where it was before, during and after an answer',
    async ({ loupe, page }) => {
      await loupe.skipWelcome();
      await openQuick(page);
      await expect(page.getByRole('button', { name: /tiles · / })).toBeVisible();
      const names = ['Copy text', 'Open in Loupe', 'Answer again', 'Copy the answer as Markdown'];
      const places = async (): Promise<unknown[]> => {
        const boxes = [];
        for (const name of names) boxes.push(await page.getByRole('button', { name, exact: true }).boundingBox());
        return boxes;
      };
      const before = await places();
      expect(before).not.toContain(null);
      await loupe.question.fill('What colour is it? '.repeat(40));
      await page.keyboard.press('Enter');
      const stop = page.getByRole('button', { name: 'Stop' });
      await expect(stop).toBeVisible();
      expect(await places()).toEqual(before);
      await stop.click();
      await expect(page.getByRole('button', { name: 'Answer again' })).toBeEnabled();
      expect(await places()).toEqual(before);
      // And after one that ends by itself.
      await loupe.question.fill('What colour is it?');
      await page.keyboard.press('Enter');
      await expect(stop).toHaveCount(0);
      await expect(page.getByRole('button', { name: 'Answer again' })).toBeEnabled();
      expect(await places()).toEqual(before);
    },
  );

  test('asks, says what the model sees, follows up, recalls, copies and hands over', async ({ loupe, page, context }) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await loupe.skipWelcome();
    await openQuick(page);
    await expect(loupe.question).toBeFocused();
    await page.getByRole('button', { name: /tiles · most text will blur/ }).click();
    await expect(page.getByText('400 × 200 px at 28 %')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(page).not.toHaveURL(/view=quick/);
    await page.goBack();
    await loupe.question.fill('What colour is it?');
    await page.keyboard.press('Enter');
    await expect(page.getByText('I was given 1 picture')).toBeVisible();
    await page.keyboard.press('ArrowUp');
    await expect(loupe.question).toHaveValue('What colour is it?');
    await loupe.question.fill('And now?');
    await page.keyboard.press('Enter');
    await expect(page.getByText(/And now\?.*I was given/s).last()).toBeVisible();
    await page.getByRole('button', { name: 'Copy the answer as Markdown' }).click();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('And now?');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Open in Loupe' }).click();
    await expect(loupe.answers).toHaveCount(2);
  });
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`no state of composing, cutting out, capturing and About breaks a rule of axe, ${colorScheme}`, async ({ loupe, page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await loupe.skipWelcome();
    for (const [name, colour] of [
      ['red.png', '#c00'],
      ['green.png', '#0a0'],
    ] as const)
      await attachPicture(page, name, await flat(400, 200, colour));
    await page.keyboard.press('Control+i');
    await inspector(page).getByRole('application').focus();
    await page.keyboard.press('ArrowUp');
    await expect(inspector(page).getByRole('button', { name: 'Use this part' })).toBeVisible();
    expect(await violations(page), 'a part selected').toEqual([]);
    await page.keyboard.press('Control+i');
    await page.keyboard.press('Control+Shift+a');
    await expect(page.getByRole('img', { name: /as the model will see them/ })).toBeVisible();
    expect(await violations(page), 'compose').toEqual([]);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+,');
    await page.getByRole('dialog').getByRole('button', { name: 'Licences' }).click();
    await page.getByRole('dialog', { name: 'About Loupe' }).locator('summary').first().click();
    expect(await violations(page), 'about').toEqual([]);
    await page.keyboard.press('Escape');
    await shareCanvas(page);
    await page.keyboard.press('Control+Shift+c');
    await page.getByRole('application', { name: /Frozen screen/ }).press('ArrowUp');
    await expect(page.getByRole('button', { name: 'Ask about this' })).toBeVisible();
    expect(await violations(page), 'capture').toEqual([]);
  });
}
