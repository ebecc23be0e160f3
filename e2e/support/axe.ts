/** Accessibility rules that a page breaks, found by axe. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright/test';

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** Names of the rules, with the elements. */
export async function violations(page: Page): Promise<string[]> {
  // What is half faded in has not the colours that people read.
  await page.evaluate(async () => {
    // Said here, as tests of the desktop app know of no page.
    interface Moving {
      effect: { getComputedTiming(): { endTime?: unknown } } | null;
      finished: Promise<unknown>;
    }
    const { document } = globalThis as unknown as { document: { getAnimations(): Moving[] } };
    const ending = document.getAnimations().filter(({ effect }) => Number.isFinite(effect?.getComputedTiming().endTime));
    await Promise.allSettled(ending.map(({ finished }) => finished));
  });
  // The policy of the page lets no script in; the test's own world may have one.
  await page.evaluate(readFileSync(axePath, 'utf8'));
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
    return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
  });
}
