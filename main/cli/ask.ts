import { formatBytes } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { parseVerdict } from '../services/guard/verdict.ts';
import { findModel } from '../services/models/local/find-model.ts';
import { loadPlanned } from '../services/models/fit/placement.ts';
import type { ChatMessage, ChatPart, GenerateReply, LoadedModel } from '../services/ports.ts';
import { demoModel } from '../host/paths.ts';
import { decimal, engineFlags, engineSettings, namedModel, parseFlags, wholeNumber } from './options.ts';
import { namesStdin, takePicture, type NamedPicture } from './picture.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

export const askHelp = `loupe ask [options] "question"      ("-" reads the question from stdin)

  --model MODEL             folder with config.json, *.safetensors and tokenizer.json; FILE.gguf; TEXT.gguf,PROJECTOR.gguf
                            (or --model TEXT.gguf --model PROJECTOR.gguf); STORE:NAME:TAG of an Ollama models folder, or
                            NAME:TAG of your own (default: the demo model)
  --image FILE              the picture to ask about (PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, ICO); "-" reads it from stdin
  --page N                  which page, frame or size of a file that has several (default: the first page, the first frame
                            that is not of one colour, the largest size)
  --system TEXT             a system message
  --max-tokens N            longest answer (default 1024)
  --context N               tokens that the conversation and the answer share
  --temperature T           0 = always the most likely token (default: what the model's makers recommend, else 0)
  --top-k N  --top-p P  --min-p P  --repetition-penalty R  --seed N
  --device D                index or part of the name, see \`loupe doctor\`
  --activations f32|f16|auto
  --memory-budget MB        limit of device memory, in millions of bytes
  --validation              checks every Vulkan call (slow)
  --json                    one JSON object instead of the streamed answer
`;

export async function ask(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, {
    ...engineFlags,
    model: { type: 'string', multiple: true },
    image: { type: 'string', multiple: true },
    page: { type: 'string' },
    system: { type: 'string' },
    'max-tokens': { type: 'string' },
    context: { type: 'string' },
    temperature: { type: 'string' },
    'top-k': { type: 'string' },
    'top-p': { type: 'string' },
    'min-p': { type: 'string' },
    'repetition-penalty': { type: 'string' },
    seed: { type: 'string' },
    json: { type: 'boolean' },
  });
  const images = values.image ?? [];
  if (images.length > 1) {
    throw new LoupeError('image_several', `The model sees one picture at a time, and ${images.length} were given.`);
  }
  const [named] = images;
  const page = wholeNumber('--page', values.page, 1);
  if (page !== undefined && named === undefined) throw new LoupeError('usage', '--page goes with --image.');
  if (named !== undefined && namesStdin(named) && positionals[0] === '-') {
    throw new LoupeError('usage', 'The picture and the question cannot both come from stdin.', 'Give the question as an argument.');
  }
  const engine = engineSettings(values);
  const contextLength = wholeNumber('--context', values.context, 1);
  const maxTokens = wholeNumber('--max-tokens', values['max-tokens'], 0) ?? 1024;
  const sampling = {
    temperature: decimal('--temperature', values.temperature, 0, Infinity),
    topK: wholeNumber('--top-k', values['top-k'], 0),
    topP: decimal('--top-p', values['top-p'], 0, 1),
    minP: decimal('--min-p', values['min-p'], 0, 1),
    repetitionPenalty: decimal('--repetition-penalty', values['repetition-penalty'], Number.MIN_VALUE, Infinity),
    seed: wholeNumber('--seed', values.seed, 0),
  };
  const question = await readQuestion(positionals, terminal);
  if (values.model === undefined) {
    terminal.err('loupe: no --model given; the small demo model answers. It only reads short text in simple screenshots.\n');
  }

  const place = await findModel(namedModel(values.model) ?? demoModel);
  const picture = named === undefined ? null : await takePicture(named, page, terminal);
  for (const note of picture?.notes ?? []) terminal.err(`loupe: ${note}\n`);
  const client = terminal.startEngine();
  const signal = terminal.interrupted;
  try {
    const model = values.model?.join(' and ') ?? 'The demo model';
    const loaded = await loadPlanned(
      client,
      { ...place, engine, contextLength },
      { model, signal, onProgress: progressLine(terminal, values.json) },
    );
    const { hostBytes } = loaded.model.placement;
    if (hostBytes > 0 && !values.json)
      terminal.err(
        `loupe: ${formatBytes(hostBytes)} of the model do not fit ${loaded.device.name} and stay in the computer’s memory, ` +
          'which is slower.\n',
      );
    const note = loaded.promptFormat && notes[loaded.promptFormat];
    if (note && !values.json) terminal.err(note);
    const judges = loaded.promptFormat === 'guard';
    // Of verdicts the likeliest counts.
    if (judges) sampling.temperature ??= 0;
    const stream = values.json ? {} : { onText: (text: string) => terminal.out(text) };
    const reply = await client.generate(
      { messages: conversation(question, picture, values.system), maxTokens, sampling },
      { signal, ...stream },
    );
    if (values.json) {
      const verdict = judges ? { verdict: parseVerdict(reply.text) } : {};
      const all = { ...report(loaded, reply), picture: picture?.read ?? null, ...verdict, memory: await client.memory() };
      terminal.out(`${JSON.stringify(all)}\n`);
    } else finishStream(terminal, reply);
    return reply.finish === 'cancelled' ? exitCodes.interrupted : exitCodes.ok;
  } finally {
    await client.close();
  }
}

/** What models do that do not chat. */
const notes: Partial<Record<NonNullable<LoadedModel['promptFormat']>, string>> = {
  completion: 'loupe: this is a base model: it continues the text and does not answer.\n',
  guard: 'loupe: this is a guard: it says whether the question is safe and does not answer it.\n',
};

async function readQuestion(positionals: string[], terminal: Terminal): Promise<string> {
  if (positionals.length !== 1) {
    throw new LoupeError(
      'usage',
      positionals.length === 0 ? 'The question is missing.' : 'Put the question in quotation marks: it is one argument.',
    );
  }
  const text = positionals[0] === '-' ? await terminal.readInput() : positionals[0]!;
  if (text.trim() === '') throw new LoupeError('usage', 'The question is empty.');
  return text.trim();
}

function conversation(question: string, picture: NamedPicture | null, system: string | undefined): ChatMessage[] {
  const pictures: ChatPart[] = picture ? [{ type: 'image', image: picture.image }] : [];
  const user: ChatMessage = { role: 'user', content: [...pictures, { type: 'text', text: question }] };
  return system === undefined ? [user] : [{ role: 'system', content: [{ type: 'text', text: system }] }, user];
}

/** Models of gigabytes take a while; only a person who watches sees the progress. */
function progressLine(terminal: Terminal, json: boolean | undefined): (doneBytes: number, totalBytes: number) => void {
  if (json || !terminal.errIsTerminal) return () => {};
  let shown = -1;
  return (doneBytes, totalBytes) => {
    const percent = totalBytes > 0 ? Math.floor((doneBytes / totalBytes) * 100) : 100;
    if (percent === shown) return;
    shown = percent;
    terminal.err(percent < 100 ? `\rloading the model: ${percent} %` : '\r\x1b[K');
  };
}

function report({ model, device, paths }: LoadedModel, { text, finish, statistics, sampling, images, tokens }: GenerateReply): object {
  return {
    ok: true,
    answer: text,
    finish,
    tokens: Array.from(tokens),
    statistics: { ...statistics, tokensPerSecond: tokensPerSecond(statistics) },
    sampling,
    images,
    device: device.name,
    paths,
    contextLength: model.contextLength,
    placement: model.placement,
  };
}

function finishStream(terminal: Terminal, { text, finish, statistics }: GenerateReply): void {
  if (!text.endsWith('\n')) terminal.out('\n');
  if (finish === 'context') terminal.err('loupe: the context is full, so the answer ends here. Raise --context for a longer one.\n');
  if (!terminal.errIsTerminal) return;
  const speed = tokensPerSecond(statistics);
  const pace = speed === null ? '' : `, ${speed.toFixed(1)} tokens/s`;
  terminal.err(`${statistics.generatedTokens} tokens${pace}, first after ${Math.round(statistics.firstTokenMs)} ms\n`);
}

/** From the first token to the last; null where fewer than two leave nothing to measure. */
function tokensPerSecond({ generatedTokens, decodeMs }: GenerateReply['statistics']): number | null {
  return generatedTokens > 1 && decodeMs > 0 ? ((generatedTokens - 1) * 1000) / decodeMs : null;
}
