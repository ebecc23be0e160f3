/** Files that are opened with Loupe from outside, as the window takes them. */
import type { WebSocketRoute } from 'playwright/test';
import sharp from 'sharp';
import { line, writePdf } from '../main/documents/test/write-pdf.ts';
import { expect, testWithFakeEngine } from './support/loupe.ts';

const test = testWithFakeEngine(5);

test('a picture comes below the question, past the first page and a dialog; a PDF comes into the library; what is neither is named', async ({
  loupe,
  page,
}, testInfo) => {
  const png = await sharp({ create: { width: 60, height: 40, channels: 3, background: '#336699' } })
    .png()
    .toBuffer();
  const files: { name: string; bytes: Buffer }[] = [];
  let waiting: { name: string; bytes: Buffer }[] = [];
  let window: WebSocketRoute | undefined;
  // A browser is opened with nothing: the desktop app's answers are put in place of its host's, and bytes come as from a window's bridge.
  await page.addInitScript(() => {
    const parse = JSON.parse;
    JSON.parse = (text) =>
      parse(text, (_key, value: unknown) =>
        value !== null && typeof value === 'object' && '$bytes' in value
          ? Uint8Array.from(atob(value.$bytes as string), (letter) => letter.charCodeAt(0))
          : value,
      ) as unknown;
  });
  await page.routeWebSocket(/.*/, (route) => {
    window = route;
    const app = route.connectToServer();
    route.onMessage((message) => {
      const { id, name, input } = JSON.parse(String(message)) as { id: number; name: string; input: { id: number; from: number } };
      const answer = (output: unknown): void => route.send(JSON.stringify({ id, ok: true, output }));
      if (name === 'windows.opened') {
        const opened = waiting.map((file) => ({ id: files.push(file), name: file.name, bytes: file.bytes.length, failure: null }));
        waiting = [];
        answer({ files: opened, leftOut: 0 });
      } else if (name === 'windows.openedPiece') {
        const { bytes } = files[input.id - 1]!;
        answer({ $bytes: bytes.subarray(input.from, input.from + 64).toString('base64') });
      } else app.send(message);
    });
  });
  const open = (...opened: typeof waiting): void => {
    waiting = opened;
    window!.send(JSON.stringify({ event: 'windows.opened', payload: null }));
  };

  // Before the window is there, as at the start of Loupe.
  waiting = [{ name: 'first.png', bytes: png }];
  await page.reload();
  await expect(page.getByRole('button', { name: 'Remove first.png' })).toBeVisible();
  await expect(loupe.question).toBeFocused();

  await page.keyboard.press('Control+,');
  await expect(page.getByRole('dialog', { name: 'Settings' })).toBeVisible();
  const second = await sharp(png).negate().png().toBuffer();
  open({ name: 'letter.docx', bytes: png }, { name: 'second.png', bytes: second });
  await expect(page.getByRole('button', { name: 'Remove second.png' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Remove first.png' })).toBeVisible();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByText('letter.docx is neither a PDF nor a picture that Loupe reads.')).toBeVisible();
  await page.screenshot({ path: testInfo.outputPath('pictures.png') });

  open({ name: 'lease.pdf', bytes: Buffer.from(writePdf({ pages: [{ content: line('Rent is due monthly') }] })) });
  const library = page.getByRole('dialog', { name: 'Documents' });
  await expect(library.getByRole('article', { name: 'lease.pdf' })).toBeVisible();
  await page.screenshot({ path: testInfo.outputPath('library.png') });
});
