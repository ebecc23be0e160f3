import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errorCodes, fromFailure, LoupeError, toLoupeError, usualNextSteps } from './errors.ts';

test('the first block is the native engine’s codes, in order', () => {
  const header = readFileSync(new URL('../native/src/base/error.h', import.meta.url), 'utf8');
  const body = /enum class ErrorCode \{([^}]*)\}/.exec(header)![1]!;
  const native = body.split('\n').flatMap((line) => /^\s*(\w+),/.exec(line)?.[1] ?? []);
  expect(native.length).toBeGreaterThan(15);
  expect(errorCodes.slice(0, native.length)).toEqual(native);
});

test('every code has a next step', () => {
  for (const code of errorCodes) expect(usualNextSteps[code]).toMatch(/\.$/);
});

test('thrown things keep what they know', () => {
  const native = Object.assign(new Error('gone'), { code: 'device_lost', nextStep: 'Wait.' });
  expect(toLoupeError(native).toFailure()).toEqual({ ok: false, code: 'device_lost', message: 'gone', nextStep: 'Wait.' });
  expect(toLoupeError(Object.assign(new Error('x'), { code: 'ENOENT' })).code).toBe('internal');
  expect(toLoupeError('words')).toMatchObject({ code: 'internal', message: 'words' });
  const error = new LoupeError('no_device', 'None.');
  expect(toLoupeError(error)).toBe(error);
  expect(fromFailure(error.toFailure())).toMatchObject({ code: 'no_device', message: 'None.', nextStep: usualNextSteps.no_device });
});
