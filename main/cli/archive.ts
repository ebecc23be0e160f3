import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ArchiveOptions, ArchiveServices } from '../archive-services.ts';
import { archiveInWords } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { dataDirectory } from '../host/paths.ts';
import type { PictureWorker } from '../services/ports.ts';
import { parseFlags } from './options.ts';
import { exitCodes, loupeVersion, type ExitCode, type Terminal } from './terminal.ts';

export const exportHelp = `loupe export FILE [options]

  Writes all that Loupe keeps to one ZIP file, which is not encrypted: conversations with their pictures, tags and instructions,
  documents with the text of their pages, tables, and settings that make sense elsewhere. No keys, no tokens, no models, no private
  conversations, nothing that was deleted. Works while the app is open. A file that exists is not overwritten.

  --data FOLDER  the data folder; default: that of the app
  --json         prints what was written as one object
`;

export const importHelp = `loupe import FILE [options]

  Adds what is in an export and not here yet. What is here stays as it is; importing the same file again changes nothing. The app
  must be closed; its window imports as well (Settings > Backups).

  --data FOLDER  the data folder; default: that of the app
  --json         prints what was added as one object
`;

const flags = { data: { type: 'string' }, json: { type: 'boolean' } } as const;

interface Run {
  terminal: Terminal;
  work: 'export' | 'import';
  args: string[];
}

export const exportAll = (args: string[], terminal: Terminal): Promise<ExitCode> =>
  archive({ terminal, work: 'export', args }, async (services, path, options, json) => {
    const { counts, missing } = await services.export(path, options);
    if (json) terminal.out(`${JSON.stringify({ ok: true, path, ...counts, missing })}\n`);
    else terminal.out(`${archiveInWords({ work: 'export', path, counts, missing, merged: 0, known: 0 })}\nThe file is not encrypted.\n`);
  });

export const importAll = (args: string[], terminal: Terminal): Promise<ExitCode> =>
  archive({ terminal, work: 'import', args }, async (services, path, options, json) => {
    const { counts, merged, known } = await services.import(path, options);
    if (json) terminal.out(`${JSON.stringify({ ok: true, path, ...counts, merged, known })}\n`);
    else terminal.out(`${archiveInWords({ work: 'import', path, counts, merged, known, missing: 0 })}\n`);
  });

async function archive(
  { terminal, work, args }: Run,
  run: (services: ArchiveServices, path: string, options: ArchiveOptions, json: boolean) => Promise<void>,
): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, flags);
  const [named, ...more] = positionals;
  if (named === undefined || more.length > 0) throw new LoupeError('usage', 'Name one file.');
  const directory = values.data ?? dataDirectory();
  if (work === 'export' && !existsSync(directory))
    throw new LoupeError(
      'usage',
      `There is no data folder ${directory}, so there is nothing to export.`,
      'Name another folder with --data.',
    );
  let worker: PictureWorker | null = null;
  let services: ArchiveServices | null = null;
  try {
    if (work === 'import') worker = terminal.startPictures();
    services = await terminal.openArchives({ dataDirectory: directory, version: loupeVersion(), worker });
    await run(services, resolve(named), { signal: terminal.interrupted, onStep: progress(terminal) }, values.json === true);
    if (terminal.errIsTerminal) terminal.err('\r\u001b[K');
    return exitCodes.ok;
  } finally {
    services?.close();
    await worker?.close();
  }
}

function progress({ err, errIsTerminal }: Terminal): (done: number, all: number) => void {
  if (!errIsTerminal) return () => {};
  let shown = '';
  return (done, all) => {
    const now = `${Math.floor((100 * done) / Math.max(1, all))} %`;
    if (now !== shown) err(`\r\u001b[K${now}`);
    shown = now;
  };
}
