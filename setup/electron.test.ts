import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { executableName, presentElectron, whyNoWindow } from './electron.mjs';

test('the binary that ELECTRON_OVERRIDE_DIST_PATH names counts if it is there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-electron-'));
  try {
    const env = { ELECTRON_OVERRIDE_DIST_PATH: folder };
    expect(presentElectron(env)).toBeUndefined();
    const binary = join(folder, executableName(process.platform));
    mkdirSync(dirname(binary), { recursive: true });
    writeFileSync(binary, '');
    expect(presentElectron(env)).toBe(binary);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each<[NodeJS.Platform, NodeJS.ProcessEnv, number | undefined, RegExp | undefined]>([
  ['linux', {}, 1000, /no desktop here/],
  ['linux', { DISPLAY: ':0' }, 0, /root/],
  ['linux', { DISPLAY: ':0' }, 1000, undefined],
  ['linux', { WAYLAND_DISPLAY: 'wayland-0' }, 1000, undefined],
  ['darwin', {}, 501, undefined],
  ['win32', {}, undefined, undefined],
])('a window on %s with %o as user %s', (platform, env, user, reason) => {
  const why = whyNoWindow(platform, env, user);
  if (reason) expect(why).toMatch(reason);
  else expect(why).toBeUndefined();
});
