import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const integration = 'main/**/*.integration.test.ts';
/** What a driver can get wrong: proved on every driver at hand, where the other engine tests need only one. */
const driver = 'main/**/*.driver.test.ts';
/** Text in pictures, read by the models that ship; needs no Vulkan. */
const text = 'main/**/*.text.test.ts';
const packaging = 'setup/packaging.integration.test.ts';
const desktop = 'setup/**/*.desktop.test.ts';
const slice = 'main/**/*.slice.test.ts';
const endurance = 'main/**/*.endurance.test.ts';

/** A limit for what hangs; none of them measures. */
const patience = { setupFiles: ['main/test/patience.ts', 'main/test/own-data.ts'], testTimeout: 60_000, hookTimeout: 60_000 };

const onDevice = { ...patience, fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['main/**/*.test.ts', 'setup/**/*.test.ts'],
          exclude: [integration, driver, text, packaging, desktop, slice, endurance],
          ...patience,
        },
      },
      // State of the window; runes need their compiler, and Svelte's browser build rather than its server's.
      {
        plugins: [svelte({ configFile: 'renderer/svelte.config.js' })],
        resolve: { conditions: ['browser'] },
        test: { name: 'window', include: ['renderer/**/*.test.ts'], ...patience },
      },
      // Tests that need the built engine and a Vulkan device. One file at a time: software Vulkan takes every core.
      { test: { name: 'driver', include: [driver], ...onDevice } },
      { test: { name: 'integration', include: [integration], ...onDevice } },
      { test: { name: 'text', include: [text], ...onDevice } },
      // The desktop app as it is shipped.
      { test: { name: 'packaging', include: [packaging], testTimeout: 300_000, hookTimeout: 300_000 } },
      // The same in a real Electron, on a screen. One file at a time: one of them compares times.
      { test: { name: 'desktop', include: [desktop], fileParallelism: false, testTimeout: 240_000, hookTimeout: 240_000 } },
      // The app killed hundreds of times: minutes.
      { test: { name: 'endurance', include: [endurance], testTimeout: 900_000 } },
      // The engine at the true widths of the 11B model.
      { test: { name: 'slice', include: [slice], fileParallelism: false, testTimeout: 1_800_000, hookTimeout: 600_000 } },
    ],
  },
});
