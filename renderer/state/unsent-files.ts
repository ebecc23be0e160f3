/**
 * Files that a window had not sent when it was reloaded: the bytes are gone with the page, and the app never heard of those that waited.
 * Their names are laid down when the page goes, and taken away by the one that comes.
 */
import type { Uploads } from './uploads.svelte.ts';

const stored = 'loupe.unsent-files';
/** A folder may have had thousands. */
const mostNames = 5_000;

export function layDownUnsent({ all }: Pick<Uploads, 'all'>, storage: Storage): void {
  const names = all.filter(({ state }) => state !== 'failed').map(({ name }) => name);
  if (names.length > 0) storage.setItem(stored, JSON.stringify(names.slice(0, mostNames)));
}

/** Once. */
export function takeUnsent(storage: Storage): string[] {
  const laid = storage.getItem(stored);
  storage.removeItem(stored);
  try {
    const names: unknown = JSON.parse(laid ?? '[]');
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  } catch {
    return [];
  }
}
