/** Headless Chromium has no screen to share; the browser's answer is a red canvas of 800 x 600. */
import type { Page } from 'playwright/test';

export async function shareCanvas(page: Page): Promise<void> {
  await page.evaluate(() => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [800, 600];
    const context = canvas.getContext('2d')!;
    context.fillStyle = '#cc0000';
    context.fillRect(0, 0, 800, 600);
    navigator.mediaDevices.getDisplayMedia = async () => {
      const stream = canvas.captureStream(30);
      setInterval(() => context.fillRect(0, 0, 800, 600), 30);
      return stream;
    };
  });
}
