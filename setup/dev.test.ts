import { expect, test } from 'vitest';
import { contentSecurityPolicy } from '../main/host/page-policy.ts';
import { developmentPolicy, isOurs, ofHost } from './dev.mjs';

test('while developing, the page policy is the one of the product, with style elements added', () => {
  const relaxed = developmentPolicy(contentSecurityPolicy);
  const changed = relaxed.split('; ').filter((part) => !contentSecurityPolicy.split('; ').includes(part));
  expect(changed).toEqual(["style-src 'self' 'unsafe-inline'"]);
  expect(() => developmentPolicy("default-src 'none'")).toThrow('style-src');
});

test.each([
  [{ host: '127.0.0.1:5173', cookie: 'loupe-dev=secret' }, true],
  [{ host: 'localhost:5173', origin: 'http://localhost:5173', cookie: 'other=1; loupe-dev=secret' }, true],
  [{ host: '127.0.0.1:5173' }, false],
  [{ host: '127.0.0.1:5173', cookie: 'loupe-dev=guessed' }, false],
  [{ host: '127.0.0.1:5173', cookie: 'loupe-dev=' }, false],
  [{ host: 'elsewhere.example:5173', cookie: 'loupe-dev=secret' }, false],
  [{ host: '127.0.0.1:5173', origin: 'https://elsewhere.example', cookie: 'loupe-dev=secret' }, false],
])('who may use the development server: %j', (headers, allowed) => {
  expect(isOurs(headers, { port: 5173, secret: 'secret' })).toBe(allowed);
});

test.each([
  ['/socket', true],
  ['/session', true],
  [`/pictures/${'0a'.repeat(32)}/thumb`, true],
  ['/pictures/take.ts', false],
  ['/socket.ts', false],
  ['/', false],
])("whether %s is the host's to answer: %s", (path, answers) => {
  expect(ofHost.test(path)).toBe(answers);
});
