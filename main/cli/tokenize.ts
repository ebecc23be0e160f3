import { demoModel } from '../host/paths.ts';
import { LoupeError } from '../errors.ts';
import { findModel } from '../services/models/local/find-model.ts';
import { readGgufMetadata } from '../services/models/local/gguf-summary.ts';
import type { ModelPlace } from '../services/ports.ts';
import { readCheckpointFiles, type CheckpointFiles } from '../prompt/checkpoint-files.ts';
import { ggufCheckpointFiles } from '../prompt/gguf-files.ts';
import { createTokenizer } from '../prompt/tokenizer.ts';
import { namedModel, parseFlags } from './options.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

export const tokenizeHelp = `loupe tokenize --model MODEL

  Reads one JSON string a line from stdin; writes its tokens as one JSON array a line.
  The strings are plain text: no special token is added, and none is recognised.

  --model MODEL             folder; FILE.gguf; TEXT.gguf,PROJECTOR.gguf or twice --model; STORE:NAME:TAG (Ollama) (default: the demo model)
`;

export async function tokenize(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, { model: { type: 'string', multiple: true } });
  if (positionals.length > 0) throw new LoupeError('usage', `"${positionals[0]}" belongs to no option.`);
  const files = await languageOf(await findModel(namedModel(values.model) ?? demoModel));
  const tokenizer = createTokenizer(files.tokenizer, files.tokenizerConfig, files.directory);
  if (terminal.inputIsTerminal) terminal.err('Write a text in quotation marks on each line, as in "Hello"; Ctrl-D ends.\n');
  const lines = (await terminal.readInput()).split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    terminal.out(`${JSON.stringify(tokenizer.encodeText(parseLine(line, index + 1)))}\n`);
  }
  return exitCodes.ok;
}

/** Of several files the text file's entries count, which is the one with tokens. */
async function languageOf(place: ModelPlace): Promise<CheckpointFiles> {
  if ('directory' in place) return readCheckpointFiles(place.directory);
  const all = await Promise.all(place.gguf.map(readGgufMetadata));
  return ggufCheckpointFiles(all.find((metadata) => metadata.has('tokenizer.ggml.tokens')) ?? new Map(), place.gguf[0] ?? 'the GGUF file');
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
