import { expect, test } from 'vitest';
import { createTurns } from './turns.ts';

test('one after the other; what gives way comes last, and keeps its own order', async () => {
  const turns = createTurns();
  const order: string[] = [];
  const work = (name: string) => async (): Promise<void> => {
    order.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 1));
    order.push(name);
  };
  const first = turns.take(work('program 1'), true);
  await Promise.resolve();
  const rest = [turns.take(work('program 2'), true), turns.take(work('program 3'), true), turns.take(work('a')), turns.take(work('b'))];
  await Promise.all([first, ...rest]);
  const names = ['program 1', 'a', 'b', 'program 2', 'program 3'];
  expect(order).toEqual(names.flatMap((name) => [`${name} begins`, name]));
});

test('a failure ends its own turn alone', async () => {
  const turns = createTurns();
  const failed = turns.take(() => Promise.reject(new Error('no')));
  const next = turns.take(async () => 'yes');
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('yes');
});

test('idle work is aborted by whoever takes a turn, and ends before that begins', async () => {
  const turns = createTurns();
  const order: string[] = [];
  const idle = turns.whileIdle(async (signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    order.push('idle');
  });
  expect(turns.whileIdle(async () => {})).toBeNull();
  await turns.take(async () => void order.push('program'), true);
  await idle;
  expect(order).toEqual(['idle', 'program']);
  await expect(turns.whileIdle(async () => 'again')).resolves.toBe('again');
});
