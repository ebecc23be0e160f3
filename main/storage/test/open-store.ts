/** A process that opens a store, forgets it, says so, and stays. */
import { writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openStore } from '../store.ts';

openStore(process.argv[2]!);
// That nobody refers to the store any more must not release the lock.
setFlagsFromString('--expose-gc');
(runInNewContext('gc') as () => void)();
writeSync(1, 'open\n');
setInterval(() => {}, 1000);
