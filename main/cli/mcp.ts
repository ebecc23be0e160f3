import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';
import { defaultSettings } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { createMcpServer } from './mcp-server.ts';
import { parseFlags, portNumber } from './options.ts';
import { exitCodes, loupeVersion, type ExitCode, type Terminal } from './terminal.ts';

export const mcpHelp = `loupe mcp [options]         gives tools to an assistant that speaks MCP and starts this command (docs/api.md)

  --port N                  where Loupe answers programs: Settings > For programs (default: ${defaultSettings.programsPort})
  --key KEY                 its key (default: LOUPE_API_KEY, which other users of this machine cannot see)

It speaks with a Loupe that is open, and asks you there before it does anything.
`;

/** UTF-16 units. A question is 4,000, a path as many; what is longer than this is no call. */
const longestLine = 1_000_000;

/** Runs until its input ends or it is interrupted; what is being answered then is cancelled. */
export async function mcp(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, { port: { type: 'string' }, key: { type: 'string' } });
  const [surplus] = positionals;
  if (surplus !== undefined) throw new LoupeError('usage', `loupe mcp takes options only, not "${surplus}".`, 'See `loupe mcp --help`.');
  const port = portNumber(values.port, 'Give it the port that stands in Settings > For programs.') ?? defaultSettings.programsPort;
  const key = values.key ?? process.env['LOUPE_API_KEY'] ?? '';
  if (terminal.inputIsTerminal) {
    terminal.err('This command is for assistants, which start it themselves: docs/api.md says how. Press Ctrl-C to end it.\n');
  }
  const server = createMcpServer({
    version: loupeVersion(),
    async call(call, signal) {
      if (key !== '') return terminal.callTool({ port, key }, call, signal);
      throw new LoupeError(
        'key_wrong',
        '`loupe mcp` was started without a key.',
        'Make a key in Settings > For programs, and put it into LOUPE_API_KEY where this assistant starts `loupe mcp`.',
      );
    },
    write: (line) => terminal.out(`${line}\n`),
  });
  const input = terminal.input();
  const leave = (): void => void input.destroy();
  terminal.interrupted.addEventListener('abort', leave);
  try {
    for await (const line of linesOf(input)) server.take(line);
  } catch (error) {
    if (!terminal.interrupted.aborted) throw error;
  } finally {
    terminal.interrupted.removeEventListener('abort', leave);
    await server.close();
  }
  return exitCodes.ok;
}

/** Null in the place of one that is too long: it is read past, and never kept. */
async function* linesOf(input: Readable): AsyncGenerator<string | null> {
  const decoder = new StringDecoder('utf8');
  let begun = '';
  let isTooLong = false;
  for await (const chunk of input) {
    const pieces = (begun + decoder.write(chunk as Buffer)).split('\n');
    begun = pieces.pop()!;
    for (const line of pieces) {
      const skipped = isTooLong || line.length > longestLine;
      isTooLong = false;
      if (skipped) yield null;
      else if (line.trim() !== '') yield line;
    }
    if (begun.length > longestLine) {
      isTooLong = true;
      begun = '';
    }
  }
  if (isTooLong) yield null;
  else if (begun.trim() !== '') yield begun;
}
