/** The real engine, stopped by the system: in mid-answer, and when its parent is killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { demo, openBench } from './test/standing-still.ts';

const slow = { timeout: 300_000 };

test.runIf(process.platform !== 'win32')(
  'an answer of the demo model goes on where the process was stopped, to the same end',
  slow,
  async () => {
    const samples = JSON.parse(readFileSync(join(demo, 'samples.json'), 'utf8')) as { image: string; question: string; answer: string }[];
    const { image, question } = samples.toSorted((a, b) => b.answer.length - a.answer.length)[0]!;
    const bench = openBench(undefined, { real: true });
    try {
      const whole = await bench.ask(question, image);
      expect(whole).toMatchObject({ state: 'complete', failure: null });
      const { text, state, losses } = await bench.askAndStop(question, image);
      expect(losses).toMatchObject([{ kind: 'generate', exit: expect.stringContaining('no sign of life') as string }]);
      expect(state).toBe('complete');
      expect(text).toBe(whole.text);
    } finally {
      await bench.close();
    }
  },
);

// Only Linux can wake a stopped process for this.
test.runIf(process.platform === 'linux').each(['engine', 'pictures'])('a stopped process ends with its parent: %s', slow, async (which) => {
  const parent = spawn(process.execPath, [fileURLToPath(new URL('./test/orphan.ts', import.meta.url)), which], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
  const pid = Number(line);
  process.kill(pid, 'SIGSTOP');
  parent.kill('SIGKILL');
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), { timeout: 60_000 });
});
