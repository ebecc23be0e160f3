/** Headless Chromium has no screen to share; the browser's answer is a red canvas of 800 x 600. */
import type { Page } from 'playwright/test';

/** `card`: x, y, width and height of a white rectangle on it. */
export async function shareCanvas(page: Page, card: readonly [number, number, number, number] = [0, 0, 0, 0]): Promise<void> {
  await page.evaluate((card) => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [800, 600];
    const context = canvas.getContext('2d')!;
    const draw = (): void => {
      context.fillStyle = '#cc0000';
      context.fillRect(0, 0, 800, 600);
      context.fillStyle = '#ffffff';
      context.fillRect(...card);
    };
    draw();
    navigator.mediaDevices.getDisplayMedia = async () => {
      const stream = canvas.captureStream(30);
      setInterval(draw, 30);
      return stream;
    };
  }, card);
}
