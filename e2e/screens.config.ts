import { defineConfig } from 'playwright/test';
import usual from './playwright.config.ts';

/** Pictures of every state of the window, to be looked at; nothing is compared, and `npm test` leaves it out. */
export default defineConfig({
  ...usual,
  projects: [{ name: 'screens', testMatch: 'screens.ts' }],
  outputDir: '../build/screens-run',
  workers: 1,
  timeout: 1_200_000,
});
