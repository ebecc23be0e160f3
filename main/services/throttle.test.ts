import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { throttle } from './throttle.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('calls at once, then with the latest once the time is over', () => {
  const calls: number[] = [];
  const report = throttle(100, (value: number) => void calls.push(value));
  report(1);
  report(2);
  vi.advanceTimersByTime(60);
  report(3);
  expect(calls).toEqual([1]);
  vi.advanceTimersByTime(40);
  expect(calls).toEqual([1, 3]);
  vi.advanceTimersByTime(1000);
  expect(calls).toEqual([1, 3]);
  report(4);
  expect(calls).toEqual([1, 3, 4]);
});

test('`now` calls at once, drops what was waiting, and counts as a call', () => {
  const calls: number[] = [];
  const report = throttle(100, (value: number) => void calls.push(value));
  report(1);
  report(2);
  report.now(3);
  report(4);
  expect(calls).toEqual([1, 3]);
  vi.advanceTimersByTime(100);
  expect(calls).toEqual([1, 3, 4]);
});

test('what was cancelled is never called', () => {
  const calls: number[] = [];
  const report = throttle(100, (value: number) => void calls.push(value));
  report(1);
  report(2);
  report.cancel();
  vi.advanceTimersByTime(1000);
  expect(calls).toEqual([1]);
});
