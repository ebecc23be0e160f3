/** Entry of the desktop app. */
import * as electron from 'electron';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startShell } from './shell.ts';

// What Loupe writes is its owner's alone.
process.umask(0o077);
startShell(electron, { bundle: dirname(fileURLToPath(import.meta.url)), args: process.argv.slice(1) });
