/** The only loader of the .node file, and where the shaders that it needs lie. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { LoupeError } from '../errors.ts';
import type { Addon } from '../native-surface.ts';

/** The addon as built by the set-up, or the one that LOUPE_ADDON names. Throws `engine_missing`. */
export function loadAddon(): Addon {
  const path = process.env['LOUPE_ADDON'] ?? fileURLToPath(new URL('../../build/native/loupe.node', import.meta.url));
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (error) {
    const why = (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
    throw new LoupeError('engine_missing', `The engine ${path} cannot be loaded: ${why}.`, undefined, { cause: error });
  }
}

/** Where the set-up puts compiled shaders, or the folder that LOUPE_SHADERS names. */
export function shaderDirectory(): string {
  return process.env['LOUPE_SHADERS'] ?? fileURLToPath(new URL('../../build/shaders/', import.meta.url));
}
