/**
 * Results of a run, a line of JSON each, written when a row is judged: what ends the program costs the row that was running. The first line
 * says what was asked of what; a run goes on only with the same.
 */
import { constants } from 'node:fs';
import { access, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { LoupeError } from '../errors.ts';

const header = v.object({
  loupeEval: v.literal(1),
  set: v.string(),
  model: v.string(),
  seed: v.number(),
  /** Of the loaded model and its device: what makes other numbers. */
  parameters: v.number(),
  weightBytes: v.number(),
  device: v.string(),
  paths: v.record(v.string(), v.string()),
});
export type ResultsHeader = Omit<v.InferOutput<typeof header>, 'loupeEval'>;

const result = v.object({
  id: v.string(),
  question: v.string(),
  answers: v.array(v.string()),
  reply: v.string(),
  score: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  /** Of the row, in seconds. */
  seconds: v.number(),
  tokens: v.number(),
  /** Why the row could not be asked; it counts as wrong. */
  failure: v.optional(v.string()),
  /** The reply was cut off at the most tokens. */
  cut: v.optional(v.boolean()),
});
export type EvalResult = v.InferOutput<typeof result>;

/** Of every first line, even of one that was not written to its end. */
const beginning = '{"loupeEval":1';
const otherFile = 'Name another file with --out, or remove this one to begin again.';

export class ResultsFile {
  readonly path: string;
  readonly results: EvalResult[];
  /** Null in a new file, until a run begins. */
  header: ResultsHeader | null;
  /** Null where there is no file yet. */
  #handle: FileHandle | null;
  #bytes: number;

  private constructor(path: string, handle: FileHandle | null, bytes: number, found: ResultsHeader | null, results: EvalResult[]) {
    this.path = path;
    this.#handle = handle;
    this.#bytes = bytes;
    this.header = found;
    this.results = results;
  }

  /** Creates no file: that is for the run that begins. A last line that was not written to its end is dropped. */
  static async open(path: string): Promise<ResultsFile> {
    try {
      const handle = await open(path, constants.O_RDWR | (constants.O_NONBLOCK ?? 0));
      return await ResultsFile.#read(path, handle);
    } catch (error) {
      if (error instanceof LoupeError) throw error;
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unwritable(path, error);
    }
    // Told now, not when the model is loaded.
    await access(dirname(path), constants.W_OK).catch((error: unknown) => {
      throw unwritable(path, error);
    });
    return new ResultsFile(path, null, 0, null, []);
  }

  static async #read(path: string, handle: FileHandle): Promise<ResultsFile> {
    try {
      if (!(await handle.stat()).isFile()) throw new LoupeError('file_unwritable', `${path} is not a regular file.`, otherFile);
      const bytes = await handle.readFile();
      const whole = bytes.lastIndexOf(0x0a) + 1;
      const [first, ...lines] = bytes.subarray(0, whole).toString('utf8').split('\n').slice(0, -1);
      if (first === undefined && bytes.length > 0 && !bytes.toString('utf8').startsWith(beginning)) throw foreign(path);
      const found = first === undefined ? null : parseHeader(path, first);
      const results = lines.map((line, index) => parseResult(path, line, index + 2));
      await handle.truncate(whole);
      return new ResultsFile(path, handle, whole, found, results);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Refuses to go on with results of something else. */
  check(wanted: Partial<ResultsHeader>): void {
    if (!this.header) return;
    for (const [name, value] of Object.entries(wanted)) {
      const kept = this.header[name as keyof ResultsHeader];
      if (JSON.stringify(kept) === JSON.stringify(value)) continue;
      const [was, is] = [kept, value].map((one) => (typeof one === 'object' ? JSON.stringify(one) : String(one)));
      throw new LoupeError(
        'usage',
        `${this.path} holds results of another run: ${labels[name] ?? name} was ${was} and is ${is}.`,
        otherFile,
      );
    }
  }

  async begin(values: ResultsHeader): Promise<void> {
    if (this.header) return;
    await this.#append({ loupeEval: 1, ...values });
    this.header = values;
  }

  async add(one: EvalResult): Promise<void> {
    await this.#append(one);
    this.results.push(one);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }

  async #append(value: object): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(value)}\n`);
    try {
      this.#handle ??= await open(this.path, 'wx+', 0o600);
      if ((await this.#handle.stat()).size !== this.#bytes) throw shared(this.path);
      // In one piece, and on the disk before the next row begins.
      await this.#handle.write(line, 0, line.length, this.#bytes);
      await this.#handle.datasync();
    } catch (error) {
      if (error instanceof LoupeError) throw error;
      throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? shared(this.path) : unwritable(this.path, error);
    }
    this.#bytes += line.length;
  }
}

function shared(path: string): LoupeError {
  return new LoupeError('file_unwritable', `Another program writes to ${path}.`, 'Let one run end before another goes on with its file.');
}

const labels: Record<string, string> = {
  weightBytes: 'the size of its weights',
  parameters: 'the number of its parameters',
  set: 'the set',
  model: 'the model',
  device: 'the device',
  seed: '--seed',
  paths: 'the kernels',
};

function parseHeader(path: string, line: string): ResultsHeader {
  const parsed = v.safeParse(header, asJson(line));
  if (!parsed.success) throw foreign(path);
  const { loupeEval: _, ...values } = parsed.output;
  return values;
}

function parseResult(path: string, line: string, number: number): EvalResult {
  const parsed = v.safeParse(result, asJson(line));
  if (parsed.success) return parsed.output;
  const field = parsed.issues[0].path?.map(({ key }) => String(key)).join('.');
  const what = field ? `the field ${field} is missing or wrong` : 'this is no result';
  throw new LoupeError('request_invalid', `${path}, line ${number}: ${what}.`, 'Remove the line: its row is then asked again.');
}

function foreign(path: string): LoupeError {
  return new LoupeError('usage', `${path} is no file of results of \`loupe eval\`.`, 'Name another file with --out.');
}

function asJson(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return null;
  }
}

function unwritable(path: string, error: unknown): LoupeError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new LoupeError('file_unwritable', `${path} cannot be written (${code ?? message}).`, undefined, { cause: error });
}
