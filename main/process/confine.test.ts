import { expect, test } from 'vitest';
import { driverPlaces } from './confine.ts';

const inDev = [
  'dri',
  'nvidia0',
  'nvidiactl',
  'nvidia-uvm',
  'nvidia-caps',
  'nvme0n1',
  'nvram',
  'sda',
  'mem',
  'uinput',
  'video0',
  'snd',
  'null',
  'nullb0',
  'tty',
  'kfd',
];

test('the engine goes on writing to graphics cards and the caches of their drivers, and to no disk, camera or keyboard', () => {
  const { folders, devices } = driverPlaces({}, '/home/ada', inDev);
  expect(devices).toEqual(['dri', 'nvidia0', 'nvidiactl', 'nvidia-uvm', 'nvidia-caps', 'null', 'kfd'].map((name) => `/dev/${name}`));
  expect(folders).toContain('/home/ada/.cache/mesa_shader_cache');
  expect(folders).toContain('/home/ada/.nv');
  expect(folders).not.toContain('/home/ada/.cache');
});

test('caches lie where the surroundings put them', () => {
  const { folders } = driverPlaces({ XDG_CACHE_HOME: '/caches', MESA_SHADER_CACHE_DIR: '/mesa' }, '/home/ada', []);
  expect(folders).toContain('/caches/mesa_shader_cache');
  expect(folders).toContain('/mesa');
});
