import { basename } from 'node:path';
import { textOf } from '../contract.ts';
import { LoupeError, toLoupeError } from '../errors.ts';
import type { TextRecogniser } from '../services/ports.ts';
import { parseFlags, wholeNumber } from './options.ts';
import { namesStdin, takePicture } from './picture.ts';
import { exitCodes, reportFailure, type ExitCode, type Terminal } from './terminal.ts';

export const textHelp = `loupe text [options] FILE...

  Reads the text in pictures (PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, ICO), on this machine and without a model: in the order of
  reading, columns one after the other, tables with tabs between their cells, paragraphs with an empty line between them. "-" reads
  a picture from stdin. Measured in English; German, Italian, French and Polish in clear type keep their words and accents.
  Handwriting, Cyrillic, Arabic, Hebrew and Asian scripts are not read.

  --page N                  which page, frame or size of a file that has several (default: the first page, the first frame
                            that is not of one colour, the largest size)
  --json                    one JSON object: for each picture its text, and its lines with the corners of the line and of its words
                            in pixels, and its confidence (0 to 1)
`;

interface Read {
  file: string;
  text: string;
  lines: Awaited<ReturnType<TextRecogniser['recognise']>>;
}

export async function text(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, { page: { type: 'string' }, json: { type: 'boolean' } });
  if (positionals.length === 0) throw new LoupeError('usage', 'The picture is missing.', 'Name one, as in: loupe text screenshot.png');
  if (positionals.filter(namesStdin).length > 1) throw new LoupeError('usage', 'stdin can be read only once.');
  const page = wholeNumber('--page', values.page, 1);
  const recogniser = terminal.startOcr();
  const reads: (Read | { file: string; failure: ReturnType<LoupeError['toFailure']> })[] = [];
  let worst: ExitCode = exitCodes.ok;
  try {
    for (const [index, file] of positionals.entries()) {
      try {
        if (positionals.length > 1 && !values.json) terminal.out(`${index > 0 ? '\n' : ''}==> ${file} <==\n`);
        reads.push(await readOne(recogniser, file, page, values.json === true, terminal));
      } catch (error) {
        if (terminal.interrupted.aborted) throw error;
        worst = Math.max(worst, reportFailure(terminal, error, false)) as ExitCode;
        reads.push({ file, failure: toLoupeError(error).toFailure() });
      }
    }
    if (values.json) terminal.out(`${JSON.stringify({ ok: worst === exitCodes.ok, pictures: reads })}\n`);
    return worst;
  } finally {
    await recogniser.close();
  }
}

async function readOne(
  recogniser: TextRecogniser,
  file: string,
  page: number | undefined,
  json: boolean,
  terminal: Terminal,
): Promise<Read> {
  const picture = await takePicture(file, page, terminal, 'Loupe reads');
  for (const note of picture.notes) terminal.err(`loupe: ${note}\n`);
  const lines = await recogniser.recognise(
    { source: picture.image },
    { signal: terminal.interrupted, ...(json ? {} : { onLine: ({ before, text }) => terminal.out(before + text) }) },
  );
  if (lines.length === 0) terminal.err(`loupe: no text was found in ${namesStdin(file) ? 'the picture' : basename(file)}.\n`);
  else if (!json) terminal.out('\n');
  return { file, text: textOf(lines), lines };
}
