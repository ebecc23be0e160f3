// Where things are. Everything that set-up creates lies in node_modules/, .tools/ or build/.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** @param {string[]} parts */
export const inRoot = (...parts) => join(root, ...parts);

export const tools = inRoot('.tools');
export const nativeBuild = inRoot('build', 'native');
export const shaderBuild = inRoot('build', 'shaders');
/** Held while something is installed or built. */
export const setupLock = inRoot('build', '.setup-lock');
export const reports = inRoot('build', 'reports');
export const rendererBuild = inRoot('build', 'renderer');
export const shellBuild = inRoot('build', 'app');
