import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dataDirectory } from './paths.ts';

test.each<[NodeJS.ProcessEnv, NodeJS.Platform, string]>([
  [{ LOUPE_DATA: '/here' }, 'linux', '/here'],
  [{ XDG_DATA_HOME: '/data' }, 'linux', join('/data', 'loupe')],
  [{}, 'linux', join(homedir(), '.local', 'share', 'loupe')],
  [{}, 'darwin', join(homedir(), 'Library', 'Application Support', 'Loupe')],
  [{ APPDATA: '/roaming' }, 'win32', join('/roaming', 'Loupe')],
])('%o on %s: %s', (environment, platform, expected) => {
  expect(dataDirectory(environment, platform)).toBe(expected);
});

test('tests keep away from the conversations of whoever runs them', () => {
  expect(dataDirectory().startsWith(tmpdir())).toBe(true);
});
