import { dataDirectory } from '../host/paths.ts';
import { LoupeError } from '../errors.ts';
import { parseFlags, portNumber } from './options.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

export const serveHelp = `loupe serve [options]       opens the app in your browser; only this machine can reach it

  --port N                  listens on this port of 127.0.0.1 (default, or 0: any free one)
  --data DIR                where conversations and pictures are stored (default: LOUPE_DATA or the usual folder)
  --no-open                 prints the link and opens no browser
`;

/** Runs until it is interrupted; answers that are being written are kept. */
export async function serve(args: string[], terminal: Terminal): Promise<ExitCode> {
  const flags = { port: { type: 'string' }, data: { type: 'string' }, 'no-open': { type: 'boolean' } } as const;
  const { values, positionals } = parseFlags(args, flags);
  const [surplus] = positionals;
  if (surplus !== undefined) {
    const nextStep = /^\d+$/.test(surplus) ? `For a port, write --port ${surplus}.` : 'See `loupe serve --help`.';
    throw new LoupeError('usage', `loupe serve takes options only, not "${surplus}".`, nextStep);
  }
  const served = await terminal.startWeb({ dataDirectory: values.data ?? dataDirectory(), port: wantedPort(values.port) });
  const problem = served.problem();
  if (problem) terminal.err(`loupe: ${problem.message}\n${problem.nextStep}\n`);
  const link = served.link();
  terminal.out(`${link}\n`);
  if (terminal.errIsTerminal) terminal.err('This link works once. Press Ctrl-C to end Loupe.\n');
  if (!values['no-open'] && !(await served.open(link))) terminal.err('Open the link in a browser on this machine.\n');
  await new Promise<void>((resolve) => {
    if (terminal.interrupted.aborted) resolve();
    else terminal.interrupted.addEventListener('abort', () => resolve());
  });
  await served.close();
  return exitCodes.ok;
}

/**
 * Ports from 1024 on (the others are the system's) at which no browser opens a page, whoever listens there.
 * https://fetch.spec.whatwg.org/#port-blocking
 */
const blockedByBrowsers = [
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

function wantedPort(text: string | undefined): number | undefined {
  const nextStep = 'Choose one from 1024 to 65535, or leave --port out: Loupe then picks a free one.';
  const port = portNumber(text, nextStep);
  if (port !== undefined && blockedByBrowsers.includes(port)) {
    throw new LoupeError('usage', `Browsers refuse to open pages on port ${port}: it belongs to another kind of program.`, nextStep);
  }
  return port;
}
