/** Entry of a thread that helps to read the lines of a picture. It takes the next that nobody has taken, until there is none. */
import { parentPort, workerData } from 'node:worker_threads';
import { createLineReader } from './read-line.ts';
import { takeNext, type LinesToRead, type LineWasRead } from './shared-lines.ts';

const { directory } = workerData as { directory: string };
const port = parentPort!;
const reader = await createLineReader(directory);

async function help({ id, picture, quads, taken }: LinesToRead): Promise<void> {
  for (let index = takeNext(taken, quads); index !== null; index = takeNext(taken, quads))
    port.postMessage({ id, index, line: await reader.read(picture, quads[index]!) } satisfies LineWasRead);
}

let before = Promise.resolve();
port.on('message', (lines: LinesToRead) => {
  before = before.then(() => help(lines));
});
