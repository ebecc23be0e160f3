/** A process that opens a store, says so, and stays. */
import { writeSync } from 'node:fs';
import { openStore } from '../store.ts';

openStore(process.argv[2]!);
writeSync(1, 'open\n');
setInterval(() => {}, 1000);
