/** Entry of the desktop app. */
import * as electron from 'electron';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startShell } from './shell.ts';

// What Loupe writes is its owner's alone.
process.umask(0o077);
const entry = fileURLToPath(import.meta.url);
// Electron that is not packaged is told what to run, among its switches: that is no file to ask about.
const args = process.argv.slice(1).filter((argument) => resolve(argument) !== entry);
startShell(electron, { bundle: dirname(entry), args });
