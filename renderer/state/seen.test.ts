import { beforeEach, expect, test, vi } from 'vitest';
import type { Client } from '../api/client.ts';
import { Seen } from './seen.svelte.ts';

let asked: { width: number; settle: () => void; fail: () => void }[] = [];
let engineChanged: (engine: { status: string }) => void = () => {};

const client = {
  request: (_name: string, size: { width: number; height: number }) =>
    new Promise((resolve, reject) => {
      asked.push({ width: size.width, settle: () => resolve({ picture: size }), fail: () => reject(new Error('no')) });
    }),
  on(_event: string, listener: typeof engineChanged) {
    engineChanged = listener;
    return () => (engineChanged = () => {});
  },
} as unknown as Client;

beforeEach(() => (asked = []));

test('follows a drag: one question at a time, the newest size last', async () => {
  const seen = new Seen(client);
  for (const width of [10, 20, 30]) seen.look({ width, height: 1 });
  expect(asked.map(({ width }) => width)).toEqual([10]);
  asked[0]!.settle();
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  expect(asked[1]!.width).toBe(30);
  asked[1]!.settle();
  await vi.waitFor(() => expect(seen.view?.picture.width).toBe(30));
});

test('what is no longer looked at is forgotten', async () => {
  const seen = new Seen(client);
  seen.look({ width: 10, height: 1 });
  seen.look(null);
  asked[0]!.settle();
  await Promise.resolve();
  expect(seen.view).toBeNull();
});

test('another model sees otherwise', async () => {
  const seen = new Seen(client);
  seen.look({ width: 10, height: 1 });
  asked[0]!.settle();
  await vi.waitFor(() => expect(seen.view).not.toBeNull());
  engineChanged({ status: 'loading' });
  expect(asked).toHaveLength(1);
  engineChanged({ status: 'ready' });
  expect(asked).toHaveLength(2);
});

test('a failure leaves nothing to show, and the next size is asked about', async () => {
  const seen = new Seen(client);
  seen.look({ width: 10, height: 1 });
  asked[0]!.fail();
  await new Promise((resolve) => setTimeout(resolve));
  expect(seen.view).toBeNull();
  seen.look({ width: 20, height: 1 });
  asked[1]!.settle();
  await vi.waitFor(() => expect(seen.view?.picture.width).toBe(20));
});
