import { dataDirectory } from '../host/paths.ts';
import { LoupeError } from '../errors.ts';
import { parseFlags, portNumber } from './options.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

const usualPort = 11_535;

export const apiHelp = `loupe api [options]         answers other programs on this machine, as OpenAI's and Ollama's servers do (docs/api.md)

  --port N                  listens on this port of 127.0.0.1 (default: ${usualPort}; 0: any free one)
  --key KEY                 what programs have to send (default: LOUPE_API_KEY, or a new one each time)
  --allow-origin ORIGIN     lets pages of this origin use it, as in https://notes.example; may be repeated
  --data DIR                whose models and settings are used (default: LOUPE_DATA or the usual folder)
`;

/** Runs until it is interrupted; what is being answered then is cancelled. */
export async function api(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, {
    port: { type: 'string' },
    key: { type: 'string' },
    'allow-origin': { type: 'string', multiple: true },
    data: { type: 'string' },
  });
  const [surplus] = positionals;
  if (surplus !== undefined) throw new LoupeError('usage', `loupe api takes options only, not "${surplus}".`, 'See `loupe api --help`.');
  const origins = values['allow-origin'] ?? [];
  for (const origin of origins) checkOrigin(origin);
  const served = await terminal.startApi({
    dataDirectory: values.data ?? dataDirectory(),
    port: portNumber(values.port, 'Choose one from 1024 to 65535.') ?? usualPort,
    key: values.key ?? (process.env['LOUPE_API_KEY'] || undefined),
    origins,
  });
  const address = `http://127.0.0.1:${served.port}`;
  terminal.out(`OpenAI   ${address}/v1\nOllama   ${address}/${served.key}\nkey      ${served.key}\n`);
  if (terminal.errIsTerminal) terminal.err('Only programs on this machine that send the key are answered. Press Ctrl-C to end Loupe.\n');
  await new Promise<void>((resolve) => {
    if (terminal.interrupted.aborted) resolve();
    else terminal.interrupted.addEventListener('abort', () => resolve());
  });
  await served.close();
  return exitCodes.ok;
}

function checkOrigin(origin: string): void {
  if (URL.parse(origin)?.origin === origin) return;
  throw new LoupeError(
    'usage',
    `--allow-origin takes an origin, not "${origin}".`,
    'Write it as browsers send it: https://notes.example, without a path.',
  );
}
