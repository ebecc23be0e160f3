/** Draws answers as the window does, one after the other, without the rest of the app: for `e2e/hostile.spec.ts`. */
import '../../../styles/tokens.css';
import '../../../styles/base.css';
import { flushSync, mount, unmount } from 'svelte';
import type { Drawn } from './drawn.ts';
import Host from './Host.svelte';

const place = document.getElementById('answer')!;
const seen = 'hr, li, figure, table, input';

/** With `steps` the text grows in that many steps. Returns what is there in the end. */
function draw(text: string, steps = 1): Drawn {
  const began = performance.now();
  const host = mount(Host, { target: place, props: { text: steps > 1 ? '' : text, growing: steps > 1 } });
  let failure = '';
  try {
    flushSync();
    for (let step = 1; step < steps; step++) flushSync(() => host.grow(text.slice(0, Math.ceil((text.length * step) / steps))));
    if (steps > 1) flushSync(() => host.end(text));
  } catch (error) {
    failure = String(error);
  }
  const words = place.innerText;
  const ms = performance.now() - began;
  const blank = words.trim() === '' && !place.querySelector(seen);
  const drawn = { failure, blank, depth: depthOf(place), elements: place.querySelectorAll('*').length, ms };
  void unmount(host);
  place.replaceChildren();
  return drawn;
}

function depthOf(root: Element): number {
  let deepest = 0;
  let depth = 0;
  for (let at: Element = root; ;) {
    if (at.firstElementChild) {
      at = at.firstElementChild;
      deepest = Math.max(deepest, ++depth);
      continue;
    }
    while (at !== root && !at.nextElementSibling) {
      at = at.parentElement!;
      depth--;
    }
    if (at === root) return deepest;
    at = at.nextElementSibling!;
  }
}

Object.assign(globalThis, { draw });
