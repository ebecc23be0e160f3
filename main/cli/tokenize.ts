import { LoupeError } from '../services/errors.ts';
import { readCheckpointFiles } from '../services/prompt/checkpoint-files.ts';
import { createTokenizer } from '../services/prompt/tokenizer.ts';
import { demoModel } from '../paths.ts';
import { parseFlags } from './options.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

export const tokenizeHelp = `loupe tokenize --model DIR

  Reads one JSON string a line from stdin; writes its tokens as one JSON array a line.
  The strings are plain text: no special token is added, and none is recognised.
`;

export async function tokenize(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, { model: { type: 'string' } });
  if (positionals.length > 0) throw new LoupeError('usage', `"${positionals[0]}" belongs to no option.`);
  const directory = values.model ?? demoModel;
  const files = await readCheckpointFiles(directory);
  const tokenizer = createTokenizer(files.tokenizer, files.tokenizerConfig, directory);
  const lines = (await terminal.readInput()).split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    terminal.out(`${JSON.stringify(tokenizer.encodeText(parseLine(line, index + 1)))}\n`);
  }
  return exitCodes.ok;
}

function parseLine(line: string, number: number): string {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'string') return value;
  } catch {
    // The same complaint as for JSON of another kind.
  }
  throw new LoupeError('usage', `Line ${number} of stdin is not a JSON string.`, 'Write each text in quotation marks, as in "Hello".');
}
