// `vite build`, the same for everybody.
import { follow } from './exec.mjs';
import { inRoot, root } from './paths.mjs';

/**
 * As for a release, whatever NODE_ENV says where it is called: with another value, other code is made of the same sources.
 * @param {string[]} args
 */
export function viteBuild(args) {
  const vite = inRoot('node_modules/vite/bin/vite.js');
  return follow(process.execPath, [vite, 'build', ...args], { cwd: root, env: { ...process.env, NODE_ENV: 'production' } });
}
