/** The real engine whose device is gone when it starts again, and back later. */
import { expect, test } from 'vitest';
import { anyPicture, openBench } from './test/standing-still.ts';

test(
  'without its device it says so, with each question; when the device is back, the next answer comes',
  { timeout: 300_000 },
  async () => {
    const none = '/nowhere/driver.json';
    let isThere = true;
    const bench = openBench(undefined, {
      real: true,
      environment: () => (isThere ? {} : { VK_DRIVER_FILES: none, VK_ICD_FILENAMES: none }),
    });
    try {
      expect(await bench.ask('What is it?', anyPicture)).toMatchObject({ state: 'complete' });
      isThere = false;
      process.kill(bench.pid(), 'SIGKILL');
      for (const question of ['And now?', 'And now again?'])
        expect(await bench.ask(question)).toMatchObject({ state: 'failed', failure: { code: 'no_device' } });
      expect(bench.engine.state()).toMatchObject({ status: 'failed', failure: { code: 'no_device' } });
      isThere = true;
      process.kill(bench.pid(), 'SIGKILL');
      expect(await bench.ask('Is it back?')).toMatchObject({ state: 'complete', failure: null });
      expect(bench.engine.state()).toMatchObject({ status: 'ready', instead: null });
    } finally {
      await bench.close();
    }
  },
);
