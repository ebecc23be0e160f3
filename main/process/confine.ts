/** A process that reads hostile files gives up what it does not need for that. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { toLoupeError } from '../errors.ts';
import { loadAddon } from './addon.ts';

/**
 * To be called once everything is imported and before anything hostile is read.
 * @returns null where no file, socket or process can be opened from now on; otherwise why that does not hold here
 */
export function confineProcess(): string | null {
  try {
    return loadAddon().confine();
  } catch (error) {
    return toLoupeError(error).message;
  }
}

/**
 * For a process that reads hostile files by their paths. To be called once everything is imported.
 * @returns null where no socket or process can be opened, and nothing written, from now on; otherwise why that does not hold here
 */
export function confineReader(): string | null {
  try {
    return loadAddon().confineToPlaces([sharedMemory], ['/dev/null']);
  } catch (error) {
    return toLoupeError(error).message;
  }
}

/** Drivers and Chromium have no other place for it. */
const sharedMemory = '/dev/shm';

/** Shader caches of drivers, below the folder of caches. Only those that are there: none is made for a driver that has none. */
const cachesOfDrivers = ['mesa_shader_cache', 'mesa_shader_cache_db', 'mesa_shader_cache_sf', 'radv_builtin_shaders', 'nvidia', 'AMD'];
const cachesAtHome = ['.nv', '.AMD'];
/** Names in /dev begin so: graphics cards, what they share memory by, and what takes in everything. */
const deviceNames = /^(dri|nvidia|nvhost|nvmap|nvgpu|dxg|kfd|mali|kgsl|pvr|udmabuf|dma_heap|null$|zero$)/;

/** What the drivers of graphics cards write to: docs/decisions/0052-an-engine-that-can-write-nowhere-else.md. */
export function driverPlaces(env: NodeJS.ProcessEnv, home: string, inDev: readonly string[]): { folders: string[]; devices: string[] } {
  const caches = env['XDG_CACHE_HOME'] || join(home, '.cache');
  const chosen = ['MESA_SHADER_CACHE_DIR', 'MESA_GLSL_CACHE_DIR'].flatMap((name) => env[name] || []);
  return {
    folders: [
      sharedMemory,
      ...chosen,
      ...cachesOfDrivers.map((name) => join(caches, name)),
      ...cachesAtHome.map((name) => join(home, name)),
    ],
    devices: inDev.filter((name) => deviceNames.test(name)).map((name) => join('/dev', name)),
  };
}

/**
 * The same for the engine's process, whose drivers open devices and libraries when they like. To be called before it reads a model.
 * @param writes folders that it goes on writing in; made where they are not there
 * @returns null where no socket or process can be opened, and nothing written elsewhere, from now on; otherwise why that does not hold here
 */
export async function confineEngine(writes: readonly string[]): Promise<string | null> {
  if (process.env['LOUPE_CONFINE'] === 'off') return 'LOUPE_CONFINE=off';
  if (process.platform !== 'linux') return 'not made for this system';
  try {
    const addon = loadAddon();
    await letDriverMakeDevices(() => addon.listDevices());
    for (const folder of writes) mkdirSync(folder, { recursive: true });
    const { folders, devices } = driverPlaces(process.env, homedir(), readdirSync('/dev'));
    return addon.confineToPlaces([...writes, ...folders], devices);
  } catch (error) {
    return toLoupeError(error).message;
  }
}

/** NVIDIA's driver has its devices made by a program with other rights where nothing has used the card since the computer started. */
async function letDriverMakeDevices(use: () => Promise<unknown>): Promise<void> {
  if (existsSync('/usr/bin/nvidia-modprobe') && !existsSync('/dev/nvidiactl')) await use().catch(() => {});
}
