/**
 * A thousand conversations of a hundred messages: starting, listing, scrolling. What is counted is the work, which
 * is the same on every machine; the times of this one are annotated, and nothing depends on them.
 */
import type { Page } from 'playwright/test';
import { fillStore } from '../main/storage/test/fill.ts';
import { expect, hostWithFakeEngine, testWithFakeEngine, Window, type Host } from './support/loupe.ts';

const test = testWithFakeEngine(30);

function annotate(type: string, description: string): void {
  test.info().annotations.push({ type, description });
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** What the engine and the frames of the moment add to a start. Asking for each conversation would add hundreds. */
const chance = 5;

interface Start {
  /** Pages, files and pictures asked for until the list is there. */
  requests: number;
  /** Requests through the socket. */
  asked: number;
  /** In the page. */
  elements: number;
  /** By the clock, for the record. */
  ms: number;
}

async function start(host: Host, page: Page): Promise<Start> {
  let requests = 0;
  let asked = 0;
  page.on('request', () => requests++);
  page.on('websocket', (socket) => void socket.on('framesent', () => asked++));
  const began = performance.now();
  await page.goto(await host.start());
  await expect(new Window(page).question).toBeFocused();
  const ms = performance.now() - began;
  await expect(page.locator('[data-conversation]').first()).toBeVisible();
  const elements = await page.evaluate(() => document.querySelectorAll('*').length);
  page.removeAllListeners();
  return { requests, asked, elements, ms };
}

interface Scrolled {
  /** px */
  distance: number;
  /** Layouts of a frame, on average. */
  layouts: number;
  /** Elements that were put into the page in all, and that were in it at most. */
  added: number;
  most: number;
  /** By the clock, for the record: script, style and layout of a frame on average; and a frame in the middle. */
  workMs: number;
  frameMs: number;
}

/** Scrolls `selector` by 200 px a frame, faster than a finger flings (12,000 px a second at sixty frames). */
async function scroll(page: Page, selector: string): Promise<Scrolled> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable');
  const spent = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    const sum = (names: string[]) => metrics.filter(({ name }) => names.includes(name)).reduce((all, { value }) => all + value, 0);
    return { ms: 1000 * sum(['ScriptDuration', 'LayoutDuration', 'RecalcStyleDuration']), layouts: sum(['LayoutCount']) };
  };
  const before = await spent();
  const { frames, distance, added, most } = await page.evaluate(async (name) => {
    const element = document.querySelector(name)!;
    const elementsIn = (node: Node) => (node instanceof Element ? 1 + node.querySelectorAll('*').length : 0);
    let added = 0;
    const observer = new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) added += elementsIn(node);
    });
    observer.observe(element, { childList: true, subtree: true });
    const from = element.scrollTop;
    const frames: number[] = [];
    let most = 0;
    let last = await new Promise(requestAnimationFrame);
    for (let step = 0; step < 60; step++) {
      element.scrollTop = from < 10 ? element.scrollTop + 200 : element.scrollTop - 200;
      const now = await new Promise(requestAnimationFrame);
      frames.push(now - last);
      last = now;
      most = Math.max(most, elementsIn(element));
    }
    observer.disconnect();
    return { frames, distance: Math.abs(element.scrollTop - from), added, most };
  }, selector);
  const after = await spent();
  await devtools.detach();
  const each = (all: number) => all / frames.length;
  const layouts = each(after.layouts - before.layouts);
  return { distance, layouts, added, most, workMs: each(after.ms - before.ms), frameMs: median(frames) };
}

async function filled(host: Host, page: Page, conversations: number): Promise<void> {
  fillStore(host.directory, conversations, 100, 20250102);
  await page.goto(await host.start());
  // Whoever has conversations is not welcomed again.
  await expect(new Window(page).question).toBeVisible();
  await host.stop('SIGTERM');
}

test('a thousand conversations start with the work of sixty, and scroll with that of what is passed', async ({ host, page }) => {
  test.setTimeout(600_000);
  const few = hostWithFakeEngine(30);
  try {
    await filled(few, page, 60);
    const small = await start(few, page);
    await filled(host, page, 1000);
    const large = await start(host, page);
    annotate('start to interactive, ms', `60: ${Math.round(small.ms)}, 1000: ${Math.round(large.ms)}`);
    expect(large.requests, 'files and pictures').toBeLessThanOrEqual(small.requests + chance);
    expect(large.asked, 'requests through the socket').toBeLessThanOrEqual(small.asked + chance);
    expect(large.elements, 'elements in the page').toBeLessThanOrEqual(small.elements * 1.05);
  } finally {
    await few.end();
  }

  const rows = page.locator('[data-conversation]');
  await expect(rows.first()).toBeVisible();
  expect(await rows.count(), 'rows in the page').toBeLessThan(100);
  const row = await rows.first().evaluate((element) => ({
    height: element.getBoundingClientRect().height,
    elements: 1 + element.querySelectorAll('*').length,
  }));
  const list = await scroll(page, 'nav .scroller');
  await rows.first().click();
  // The end is there first; the rest follows in idle moments.
  await expect(page.locator('article')).toHaveCount(100);
  const thread = await scroll(page, 'main .scroller');
  const described = ({ workMs, frameMs }: Scrolled) => `${workMs.toFixed(1)} of ${frameMs.toFixed(1)}`;
  annotate('work of a frame, ms', `list ${described(list)}, thread ${described(thread)}`);
  expect(list.distance).toBeGreaterThan(10_000);
  expect(list.most, 'elements of the list').toBeLessThan(100 * row.elements);
  const passed = list.distance / row.height;
  expect(list.added, 'elements made for the rows that were passed').toBeLessThan(3 * passed * row.elements);
  expect(thread.distance).toBeGreaterThan(2000);
  expect(thread.added, 'elements made of messages that are there already').toBe(0);
  // A page that asks for sizes in between would be laid out again for each row.
  for (const [name, { layouts }] of Object.entries({ list, thread })) expect(layouts, `${name}: layouts of a frame`).toBeLessThan(3);
});
