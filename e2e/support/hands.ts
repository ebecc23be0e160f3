/** The same steps by keyboard alone, and by pointer. */
import type { Locator, Page } from 'playwright/test';

export interface Hands {
  /** A button, an entry of a menu. */
  press(target: Locator): Promise<void>;
  type(field: Locator, text: string): Promise<void>;
  /** In a list that folds out. */
  choose(list: Locator, label: string): Promise<void>;
}

/** More than any part of the window has that can be reached with Tab. */
const mostStops = 60;

/** Tab after Tab, as somebody without a pointer goes; arrows in a menu. */
async function goTo(page: Page, target: Locator): Promise<void> {
  await target.waitFor();
  const key = (await target.getAttribute('role')) === 'menuitem' ? 'ArrowDown' : 'Tab';
  for (let stops = 0; stops < mostStops; stops++) {
    if (await target.evaluate((element) => element.matches(':focus'))) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${mostStops} times ${key} do not lead to ${String(target)}.`);
}

export function keyboard(page: Page): Hands {
  return {
    async press(target) {
      await goTo(page, target);
      await page.keyboard.press('Enter');
    },
    async type(field, text) {
      await goTo(page, field);
      await page.keyboard.type(text);
    },
    async choose(list, label) {
      await goTo(page, list);
      await page.keyboard.type(label);
    },
  };
}

export function pointer(page: Page): Hands {
  return {
    press: (target) => target.click(),
    async type(field, text) {
      await field.click();
      await page.keyboard.type(text);
    },
    choose: async (list, label) => void (await list.selectOption({ label })),
  };
}

/** A file from a folder of the system, let go at the middle of the window. */
export async function drop(page: Page, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const { width, height } = (await page.locator('body').boundingBox())!;
  const [x, y] = [width / 2, height / 2];
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await session.send('Input.dispatchDragEvent', { type, x, y, data });
  await session.detach();
}
