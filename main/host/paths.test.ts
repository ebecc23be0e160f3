import { homedir } from 'node:os';
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
