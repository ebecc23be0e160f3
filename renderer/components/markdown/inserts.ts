import { getContext, setContext, type Snippet } from 'svelte';
import type { Insert } from '../../markdown/inserts.ts';

/** What stands in a text, and how it is shown: by its index. */
export interface Inserts {
  readonly all: readonly Insert[];
  readonly show: Snippet<[number]>;
}

const key = Symbol('inserts');

/** Of the text that a component shows. */
export function setInserts(inserts: () => Inserts | null): void {
  setContext(key, inserts);
}

export function getInserts(): () => Inserts | null {
  return getContext<(() => Inserts | null) | undefined>(key) ?? (() => null);
}
