/** A process that imports an archive and says each step, to be killed: `node importer.ts DIRECTORY FILE`. */
import { writeSync } from 'node:fs';
import { openStore } from '../../../storage/store.ts';
import { createPictures } from '../../pictures.ts';
import type { PictureWorker } from '../../ports.ts';
import { importArchive } from '../import.ts';

const [directory, path] = process.argv.slice(2) as [string, string];
const store = openStore(directory);
const facts = { width: 4, height: 3, thumbnail: Buffer.from('small'), display: null };
const pictures = createPictures({ store, worker: { inspect: async () => facts } as unknown as PictureWorker });
await importArchive({ store, pictures, path, onStep: (done) => void writeSync(1, `${done}\n`) });
store.close();
