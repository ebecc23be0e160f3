/** A process that starts the engine's or the picture process, prints its id, and waits to be killed. */
import { fileURLToPath } from 'node:url';
import { forkHost } from '../../process/channel.ts';

const entries = { engine: '../host.ts', pictures: '../../image/picture-worker.ts' };
const which = process.argv[2] as keyof typeof entries;
const host = forkHost({ entry: fileURLToPath(new URL(entries[which], import.meta.url)) });
let isPrinted = false;
// From its first beat on it watches its parent.
host.onBeat(() => {
  if (!isPrinted) process.stdout.write(`${host.pid}\n`);
  isPrinted = true;
});
