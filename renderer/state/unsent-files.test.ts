import { expect, test } from 'vitest';
import { layDownUnsent, takeUnsent } from './unsent-files.ts';
import type { Upload } from './uploads.svelte.ts';

function storage(): Storage {
  const items = new Map<string, string>();
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  } as Storage;
}

test('what was on its way is told once; what had failed was told before', () => {
  const kept = storage();
  const all = (['sending', 'waiting', 'failed', 'locked'] as const).map((state, at) => ({ name: `${at}.pdf`, state }) as Upload);
  layDownUnsent({ all }, kept);
  expect(takeUnsent(kept)).toEqual(['0.pdf', '1.pdf', '3.pdf']);
  expect(takeUnsent(kept)).toEqual([]);
});

test('nothing is laid down where nothing was on its way, and what is not ours is nothing', () => {
  const kept = storage();
  layDownUnsent({ all: [] }, kept);
  expect(kept.getItem('loupe.unsent-files')).toBeNull();
  kept.setItem('loupe.unsent-files', '{not json');
  expect(takeUnsent(kept)).toEqual([]);
});
