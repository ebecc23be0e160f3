// The window: one Vite build of renderer/ into build/renderer/.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describeEnd } from './exec.mjs';
import { withLock } from './lock.mjs';
import { inRoot, rendererBuild, root, setupLock } from './paths.mjs';
import { say, SetupError } from './report.mjs';
import { describeFile, fingerprint, isCurrent, listFiles, removeStamp, writeStamp } from './stamps.mjs';
import { viteBuild } from './vite.mjs';

const stamp = inRoot('build', '.renderer-stamp');

function buildFingerprint() {
  const alone = ['main/contract.ts', 'package-lock.json', 'tsconfig.json', 'setup/renderer.mjs', 'setup/vite.mjs'].map((path) =>
    describeFile(root, path),
  );
  return fingerprint([...listFiles(root, ['renderer', 'main/contract']), ...alone]);
}

const page = join(rendererBuild, 'index.html');
const isBuilt = () => isCurrent(stamp, buildFingerprint()) && existsSync(page);

export async function ensureRenderer() {
  if (isBuilt()) return;
  await withLock(setupLock, async () => {
    // The process that we waited for may have built it.
    if (!isBuilt()) await build();
  });
}

async function build() {
  removeStamp(stamp);
  // Sources that change during the build must not count as built.
  const print = buildFingerprint();
  say('building the window ...');
  const end = await viteBuild(['renderer', '--logLevel', 'warn']);
  if (end.code !== 0 || !existsSync(page))
    throw new SetupError(
      `the window could not be built: vite ${describeEnd(end)} (see above).`,
      'If the messages do not help, remove node_modules/ and run again.',
    );
  writeStamp(stamp, print);
}
