import { dataDirectory } from '../paths.ts';
import { LoupeError } from '../services/errors.ts';
import { parseFlags, wholeNumber } from './options.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

export const serveHelp = `loupe serve [options]       the app in your browser, for this machine alone

  --port N                  listen on this port of 127.0.0.1 (default: any free one)
  --data DIR                where conversations and pictures are kept (default: LOUPE_DATA or the system's place)
  --no-open                 print the link and open no browser
`;

/** Runs until it is interrupted; answers that are being written are kept. */
export async function serve(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values } = parseFlags(args, { port: { type: 'string' }, data: { type: 'string' }, 'no-open': { type: 'boolean' } });
  const port = wholeNumber('--port', values.port, 0);
  if (port !== undefined && port > 65_535) throw new LoupeError('usage', `--port takes a number up to 65535, not "${values.port}".`);
  const served = await terminal.startWeb({ dataDirectory: values.data ?? dataDirectory(), port });
  const problem = served.problem();
  if (problem) terminal.err(`loupe: ${problem.message}\n${problem.nextStep}\n`);
  const link = served.link();
  terminal.out(`${link}\n`);
  if (terminal.errIsTerminal) terminal.err('This link works once. Press Ctrl-C to end Loupe.\n');
  if (!values['no-open'] && !(await terminal.openLink(link))) terminal.err('Open the link in a browser on this machine.\n');
  await new Promise<void>((resolve) => {
    if (terminal.interrupted.aborted) resolve();
    else terminal.interrupted.addEventListener('abort', () => resolve());
  });
  await served.close();
  return exitCodes.ok;
}
