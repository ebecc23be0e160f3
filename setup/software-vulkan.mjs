// Environments in which the Vulkan loader finds exactly one software driver, and validation is on: tests mean the same
// on a machine with three GPUs as on one with none.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inRoot, shaderBuild } from './paths.mjs';

/**
 * @param {string} manifest of the driver
 * @param {string} [layers] folder of layer manifests, when not the system's
 * @returns {NodeJS.ProcessEnv}
 */
export function softwareVulkan(manifest, layers) {
  return {
    ...process.env,
    XDG_RUNTIME_DIR: process.env['XDG_RUNTIME_DIR'] ?? mkdtempSync(join(tmpdir(), 'loupe-runtime-')),
    VK_DRIVER_FILES: manifest,
    // The older name of the same, for loaders before 1.3.207.
    VK_ICD_FILENAMES: manifest,
    // Overlays and device choosers that a desktop adds to every program are not under test.
    VK_LOADER_LAYERS_DISABLE: '~implicit~',
    ...(layers ? { VK_LAYER_PATH: layers } : {}),
    LOUPE_SHADERS: shaderBuild,
    LOUPE_FIXTURES: inRoot('fixtures'),
    LOUPE_VALIDATION: '1',
  };
}
