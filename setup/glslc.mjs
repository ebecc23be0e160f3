// A GLSL compiler that understands GL_KHR_cooperative_matrix, which glslc does since 2023.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { capture, which } from './exec.mjs';
import { unpackNewer, unpackedTree, writeLauncher } from './newer-debian.mjs';
import { say, SetupError } from './report.mjs';

const probe = `#version 450
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> sum;
void main() { sum = coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(0.0); }
`;

/** @param {string} glslc */
async function knowsCooperativeMatrices(glslc) {
  const { code } = await capture(glslc, ['-fshader-stage=compute', '--target-env=vulkan1.3', '-o', '/dev/null', '-'], { input: probe });
  return code === 0;
}

/** The compiler that the last build used, as far as one can tell without running it. */
export function presentGlslc() {
  const tree = unpackedTree('glslc');
  const unpacked = tree && join(tree.folder, 'bin', 'glslc');
  return unpacked && existsSync(unpacked) ? unpacked : which('glslc');
}

/** The compiler to build with: the best that is present, or a newer one that is unpacked now. */
export async function ensureGlslc() {
  const present = presentGlslc();
  if (present && (await knowsCooperativeMatrices(present))) return present;

  say('the glslc of this system does not support cooperative matrices; unpacking a newer one into .tools/vulkan/ ...');
  let reason;
  try {
    const newer = writeLauncher(await unpackNewer('glslc', ['glslc'], { backports: false }), 'glslc');
    if (await knowsCooperativeMatrices(newer)) return newer;
    reason = 'the unpacked one does not run or does not support them either';
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  const system = which('glslc');
  if (!system) throw new SetupError(`no glslc: ${reason}.`, 'Install the Vulkan SDK (https://vulkan.lunarg.com) and run again.');
  say(`SKIPPED: shaders with cooperative matrices, because ${reason}. Loupe works, but slower on GPUs that have them.`);
  return system;
}
