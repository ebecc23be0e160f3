/** `loupe eval documents` with the bundled demo model, which is far too small for pages of A4: what it cannot do is counted as that. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../host/paths.ts';

test('the demo model is evaluated to the end', { timeout: 300_000 }, async () => {
  const { code, out } = await new Promise<{ code: number; out: string }>((resolve) => {
    const args = [join(root, 'main', 'cli', 'loupe.ts'), 'eval', 'documents', '--questions', '1', '--json'];
    execFile(process.execPath, args, (error, stdout) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out: stdout }));
  });
  expect(code).toBe(0);
  const report = JSON.parse(out) as { search: object; looks: object[]; yes: object; failed: object[] };
  expect(report.search).toMatchObject({ of: 1 });
  expect(report.looks).toEqual([
    expect.objectContaining({
      points: 10,
      whole: expect.objectContaining({ of: 1 }) as object,
      halves: expect.objectContaining({ of: 1 }) as object,
    }),
  ]);
  expect(report.yes).toMatchObject({ of: 1 });
  // Its 512 tokens have no room for a page and an answer that quotes it.
  expect(report.failed).toEqual([expect.objectContaining({ part: 'quotes', page: 1, code: 'context_full' })]);
});
