import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { forkHost } from './channel.ts';
import { childEnvironment } from './environment.ts';

const usual = { PATH: '/bin', HOME: '/home/me', LC_ALL: 'C', XDG_RUNTIME_DIR: '/run', VK_DRIVER_FILES: '/a.json', Path: 'C:\\' };
const secretOrCode = {
  HF_TOKEN: 'hf_x',
  AWS_SECRET_ACCESS_KEY: 'x',
  NODE_OPTIONS: '--require=/x',
  LD_PRELOAD: '/x.so',
  DYLD_INSERT_LIBRARIES: '/x',
};
const ours = { LOUPE_ADDON: '/x.node', LOUPE_SHADERS: '/x', LOUPE_VULKAN_LOADER: '/x.so', VK_LAYER_PATH: '/x', VK_INSTANCE_LAYERS: 'x' };

test('a package’s process gets what the system needs, and nothing that names code', () => {
  expect(childEnvironment({ ...usual, ...secretOrCode, ...ours }, { packaged: true })).toEqual(usual);
});

test('from a checkout it may be told where its parts are', () => {
  expect(childEnvironment({ ...usual, ...secretOrCode, ...ours }, { packaged: false })).toEqual({ ...usual, ...ours });
});

test('a process sees no secret of its parent', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-environment-'));
  const entry = join(folder, 'entry.mjs');
  writeFileSync(entry, 'process.send(process.env);');
  vi.stubEnv('HF_TOKEN', 'hf_secret');
  vi.stubEnv('LOUPE_DEVICE', '1');
  try {
    const seen = await new Promise<NodeJS.ProcessEnv>((resolve) =>
      forkHost({ entry, env: { GIVEN: 'yes' } }).onMessage((message) => resolve(message as NodeJS.ProcessEnv)),
    );
    expect(seen).toMatchObject({ LOUPE_DEVICE: '1', GIVEN: 'yes' });
    expect(seen).not.toHaveProperty('HF_TOKEN');
  } finally {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  }
});
