/** How the window shows what the program found of a quote. */
import CircleAlert from '@lucide/svelte/icons/circle-alert';
import CircleCheck from '@lucide/svelte/icons/circle-check';
import CircleHelp from '@lucide/svelte/icons/circle-question-mark';
import CircleX from '@lucide/svelte/icons/circle-x';
import CornerDownRight from '@lucide/svelte/icons/corner-down-right';
import TriangleAlert from '@lucide/svelte/icons/triangle-alert';
import type { Component } from 'svelte';
import type { Citation, Finding, Message } from '../../main/contract.ts';
import type { Insert } from '../markdown/inserts.ts';
import type { PagePlace } from './page-place.ts';

export const findingIcons: Record<Finding, Component<{ size?: number; strokeWidth?: number; 'aria-hidden'?: 'true' }>> = {
  verified: CircleCheck,
  close: CircleAlert,
  'numbers-differ': TriangleAlert,
  'other-page': CornerDownRight,
  'not-found': CircleX,
  unchecked: CircleHelp,
};

/** Where each of them leads: the page, with what it has marked; null where there is none to open. */
export function placesOf(citations: readonly Citation[]): (PagePlace | null)[] {
  const all = citations.map(placeOf);
  const places = all.filter((place) => place !== null);
  return all.map((place) => place && { ...place, cited: { places, at: places.indexOf(place) } });
}

function placeOf({ documentId, number, quote, found, finding, removed }: Citation): PagePlace | null {
  if (documentId === null || number === null || removed) return null;
  // Not always what is quoted. Single words that a missing quote shares with the page would look like a proof of it.
  return { documentId, page: number, find: finding === 'not-found' ? null : (found ?? quote) };
}

/** What the model wrote, for each of the citations. */
export function sourcesOf({ text, citations }: Pick<Message, 'text' | 'citations'>): Insert[] {
  return citations.map(({ offset, length }) => ({ source: text.slice(offset, offset + length) }));
}
