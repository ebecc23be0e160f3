import { expect, test } from 'vitest';
import { settling } from './settling.ts';

test('shows what is kept once the last change is stored or refused, and not before', async () => {
  let shown = 0;
  const settle = settling(() => shown++);
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  settle(first.promise);
  settle(second.promise);
  first.resolve();
  await first.promise;
  expect(shown).toBe(0);
  second.reject(new Error('refused'));
  await second.promise.catch(() => {});
  expect(shown).toBe(1);
});
