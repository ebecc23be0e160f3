import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLater } from './later.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('once, when the time is over; asked for again it begins anew; cancelled it does not come', () => {
  const run = vi.fn();
  const later = createLater(run, 3000);
  later.start();
  vi.advanceTimersByTime(2000);
  later.start();
  vi.advanceTimersByTime(2999);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledTimes(1);
  later.start();
  later.cancel();
  vi.advanceTimersByTime(10_000);
  expect(run).toHaveBeenCalledTimes(1);
});
