/** What the app refuses to store: every control goes back to what is stored, and the reason is said. */
import type { Locator, Page, WebSocketRoute } from 'playwright/test';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(1, 1000);

/** The app refuses these requests from the next one on. */
async function refuse(page: Page, names: readonly string[]): Promise<void> {
  await page.routeWebSocket(/./, (route: WebSocketRoute) => {
    const app = route.connectToServer();
    route.onMessage((frame) => {
      const { id, name } = JSON.parse(String(frame)) as { id: number; name: string };
      if (!names.includes(name)) return app.send(frame);
      const failure = { ok: false, code: 'store_full', message: 'The disk is full.', nextStep: 'Make some room.' };
      route.send(JSON.stringify({ id, ...failure }));
    });
  });
  await page.reload();
}

async function goesBack(page: Page, control: Locator): Promise<void> {
  const before = await control.isChecked();
  await control.evaluate((input: HTMLInputElement) => input.click());
  const said = page.getByRole('group', { name: 'The disk is full.' });
  await expect(said).toBeVisible();
  await expect(control).toBeChecked({ checked: before });
  // Said where it can be put away: in the dialog, as nothing behind that can be clicked.
  await said.getByRole('button', { name: 'Dismiss' }).click();
  await expect(said).toHaveCount(0);
}

test('a setting that is refused shows what is stored: every switch, every choice, the device', async ({ loupe, page }) => {
  await loupe.skipWelcome();
  await refuse(page, ['settings.set']);
  await expect(loupe.question).toBeFocused();
  await page.keyboard.press('Control+,');
  const settings = page.getByRole('dialog', { name: 'Settings' });
  const switches = await settings.getByRole('switch').all();
  expect(switches.length).toBeGreaterThan(4);
  for (const one of switches) if (await one.isEnabled()) await goesBack(page, one);
  for (const group of ['Theme', 'Text size', 'Send with']) {
    const choices = settings.getByRole('group', { name: group, exact: true });
    const stored = choices.locator('input:checked');
    const value = await stored.inputValue();
    await goesBack(page, choices.locator('input:not(:checked)').last());
    await expect(stored).toHaveValue(value);
  }
  const device = settings.getByRole('combobox', { name: 'Device' });
  await device.selectOption({ index: 1 });
  await expect(device).toHaveValue('');
});
