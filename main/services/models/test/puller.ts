/** A process that downloads a model: says "begun" with the first bytes, then "complete" or the error's code. */
import { writeSync } from 'node:fs';
import { lockDownload } from '../../../storage/lock.ts';
import { toLoupeError } from '../../../errors.ts';
import { pull } from '../hub/pull.ts';
import { hubSource } from '../hub/repository.ts';
import { Pauses } from '../hub/timing.ts';
import { httpOf, memoryStore, quick } from './hub-setup.ts';

const [endpoint = '', repository = '', directory = ''] = process.argv.slice(2);
const store = memoryStore();
const http = httpOf(store);
const { id } = store.downloads.create({ model: 'm', repository, directory });
let begun = false;
try {
  await pull(id, {
    http,
    source: hubSource(endpoint),
    token: null,
    store: store.downloads,
    lock: lockDownload,
    signal: new AbortController().signal,
    timing: { ...quick, stallMs: 60_000 },
    pauses: new Pauses(() => {}),
    freeBytes: async () => Infinity,
    onBytes: (path, bytes) => {
      if (begun || !path.endsWith('.safetensors') || bytes === 0) return;
      begun = true;
      writeSync(1, 'begun\n');
    },
  });
  writeSync(1, 'complete\n');
} catch (error) {
  writeSync(1, `${toLoupeError(error).code}\n`);
} finally {
  await http.close();
}
