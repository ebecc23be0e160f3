import { defineConfig } from 'playwright/test';

const asRoot = process.getuid?.() === 0;

export default defineConfig({
  testDir: '.',
  projects: [
    { name: 'web', testMatch: '**/*.spec.ts', testIgnore: '**/shell.spec.ts' },
    // The same flows in the desktop app, where an Electron binary is at hand.
    { name: 'electron', testMatch: ['chat.spec.ts', 'habits.spec.ts', 'electron/shell.spec.ts'] },
  ],
  outputDir: '../build/e2e',
  // Most of a spec is waiting: for pages, timers and words that come one by one.
  workers: 2,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  forbidOnly: process.env['CI'] === 'true',
  use: {
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: process.env['LOUPE_CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        // Chromium's sandbox does not work as root.
        ...(asRoot ? ['--no-sandbox'] : []),
        '--disable-background-networking',
        '--disable-quic',
        // Screen capture without the dialog: the whole screen, that is the (headless) window.
        '--auto-accept-this-tab-capture',
        '--use-fake-ui-for-media-stream',
      ],
    },
  },
});
