// The checkpoint behind fixtures/reference/slice/: 4 GB of weights that are generated, not stored.
import { join } from 'node:path';
import { describeEnd, follow } from './exec.mjs';
import { ensureNativeTool } from './native.mjs';
import { inRoot, root } from './paths.mjs';
import { say, SetupError } from './report.mjs';
import { describeFile, fingerprint, isCurrent, removeStamp, writeStamp } from './stamps.mjs';

/** @returns {Promise<string>} its folder */
export async function ensureSliceCheckpoint() {
  const fixture = 'fixtures/reference/slice';
  const folder = inRoot('build', 'slice');
  const stamp = join(folder, '.loupe-stamp');
  const synthesize = await ensureNativeTool('synthesize');
  const print = fingerprint(
    [`${fixture}/config.json`, `${fixture}/weights.crc32.json`]
      .map((path) => describeFile(root, path))
      .concat(describeFile('/', synthesize)),
  );
  if (isCurrent(stamp, print)) return folder;

  say('generating a checkpoint with the layer widths of the 11B model in build/slice/ (4 GB) ...');
  removeStamp(stamp);
  const end = await follow(synthesize, [
    '--config',
    inRoot(fixture, 'config.json'),
    '--out',
    folder,
    '--seed',
    '1',
    '--check',
    inRoot(fixture, 'weights.crc32.json'),
  ]);
  if (end.code !== 0)
    throw new SetupError(
      `the checkpoint for slice tests was not made: synthesize ${describeEnd(end)} (see above).`,
      'Check that the disk has 5 GB left, then run again.',
    );
  writeStamp(stamp, print);
  return folder;
}
