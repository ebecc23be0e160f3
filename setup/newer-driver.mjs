// A newer lavapipe than the system's, for tests: it has VK_KHR_cooperative_matrix, Debian 12's has not. With it come
// the loader and validation layer of the same age, and a copy of Node that runs on their C library.
import { existsSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { capture } from './exec.mjs';
import { copyOnto, unpackNewer, unpackedTree, writeLauncher } from './newer-debian.mjs';
import { say } from './report.mjs';

const packages = ['mesa-vulkan-drivers', 'libvulkan1', 'vulkan-validationlayers', 'vulkan-tools', 'libstdc++6', 'libatomic1'];

/** @typedef {{ tree: import('./newer-debian.mjs').Tree, manifest: string, layers: string, node: string }} NewerDriver */

/** @returns {Promise<{ driver: NewerDriver } | { reason: string }>} `reason`: why there is none */
export async function ensureNewerDriver() {
  try {
    return { driver: await prepare() };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

/** @returns {Promise<NewerDriver>} */
async function prepare() {
  if (process.platform !== 'linux') throw new Error('there is no newer software driver for this system');
  let tree = unpackedTree('lavapipe');
  if (!tree) {
    say('unpacking a newer software Vulkan driver for tests into .tools/vulkan/ (about 90 MB to fetch) ...');
    tree = await unpackNewer('lavapipe', packages, { backports: true });
  }

  const manifest = join(tree.folder, 'lvp_icd.json');
  if (!existsSync(manifest)) {
    // A relative library path is taken from the manifest's folder.
    const library = relative(tree.folder, join(tree.libraries, 'libvulkan_lvp.so'));
    writeFileSync(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: `./${library}`, api_version: '1.4.0' } }));
  }
  const { stdout } = await capture(writeLauncher(tree, 'vulkaninfo'), [], {
    env: { ...process.env, VK_DRIVER_FILES: manifest, VK_LOADER_LAYERS_DISABLE: '~implicit~' },
  });
  if (!stdout.includes('VK_KHR_cooperative_matrix')) throw new Error('the newer software driver does not offer VK_KHR_cooperative_matrix');

  const node = join(tree.folder, 'bin', 'node');
  const runs = async () => (await capture(node, ['--version'])).stdout.trim() === process.version;
  // It knows the place of its libraries: in a checkout that was moved or copied it does not run any more.
  if (!existsSync(node) || statSync(node).mtimeMs < statSync(process.execPath).mtimeMs || !(await runs())) {
    await copyOnto(tree, process.execPath, `${node}.partial`);
    renameSync(`${node}.partial`, node);
  }
  if (!(await runs())) throw new Error('the copy of Node for the newer C library does not run');
  return { tree, manifest, layers: join(tree.folder, 'root/usr/share/vulkan/explicit_layer.d'), node };
}
