/** Ollama's dialect: /api/generate, /api/chat, /api/tags, /api/show, /api/version. What differs from it is in docs/api.md. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import type { Answerer, ProgramAnswer } from './answerer.ts';
import { wordsOf, type Call, type Dialect } from './dialect.ts';
import { mostMessages, mostPictures } from './limits.ts';
import type { ProgramMessage } from './message.ts';
import { changedAt, type NamedModel } from './names.ts';
import { loupeOptions, parseBody, pictureOf, refuseFields, samplingOf, seed, stops, type ProgramRequest } from './request.ts';

const number = v.nullish(v.pipe(v.number(), v.minValue(0)));
const share = v.nullish(v.pipe(v.number(), v.minValue(0), v.maxValue(1)));
/** Others say how to run the model, which Loupe decides. */
const options = v.nullish(
  v.object({
    /** -1 and -2: as many as the context holds. */
    num_predict: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(-2))),
    temperature: number,
    top_p: share,
    min_p: share,
    top_k: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0))),
    repeat_penalty: v.nullish(v.pipe(v.number(), v.gtValue(0))),
    seed: v.nullish(seed),
    stop: v.nullish(stops),
  }),
);
const images = v.nullish(v.pipe(v.array(v.string()), v.maxLength(mostPictures)));
const common = { model: v.string(), stream: v.nullish(v.boolean()), options, store: v.nullish(v.boolean()), loupe: loupeOptions };
const generateBody = v.looseObject({
  ...common,
  prompt: v.nullish(v.string()),
  system: v.nullish(v.string()),
  images,
  raw: v.nullish(v.boolean()),
});
const chatBody = v.looseObject({
  ...common,
  messages: v.nullish(
    v.pipe(
      v.array(v.object({ role: v.picklist(['system', 'user', 'assistant']), content: v.nullish(v.string()), images })),
      v.maxLength(mostMessages),
    ),
  ),
});
/** Either name is one: programs of before 2024 send `name`. */
const showBody = v.pipe(
  v.object({ model: v.nullish(v.string()), name: v.nullish(v.string()) }),
  v.transform(({ model, name }) => model ?? name ?? ''),
);

/** Fields that would change the answer, and the values with which they do not. */
const unsupported = {
  format: [''],
  suffix: [''],
  template: [''],
  tools: [[]],
  think: [false],
  logprobs: [false],
  context: [[]],
};

export interface OllamaOptions {
  demoModel: string;
  /** Loupe's. */
  version: string;
}

export function createOllamaDialect(answerer: Answerer, { demoModel, version }: OllamaOptions): Dialect {
  const handlers: Record<string, (call: Call) => void | Promise<void>> = {
    'GET /api/version': ({ reply }) => reply.json({ version }),
    'GET /api/tags': ({ reply }) => reply.json({ models: answerer.models().map((model) => listed(model, demoModel)) }),
    'POST /api/show': ({ body, reply }) => reply.json(shown(answerer.find(parseBody(showBody, body)), demoModel)),
    'POST /api/generate': (call) => answer(answerer, call, generateForm, readGenerate(call.body)),
    'POST /api/chat': (call) => answer(answerer, call, chatForm, readChat(call.body)),
  };
  return {
    prefix: '/api/',
    streamType: 'application/x-ndjson',
    find: (method, path) => handlers[`${method} ${path}`] ?? null,
    failure: (error) => ({ error: wordsOf(error) }),
    failureInStream: (error) => line({ error: wordsOf(error) }),
  };
}

// --- models

function detailsOf({ choice }: NamedModel): object {
  const format = choice.id.toLowerCase().includes('.gguf') ? 'gguf' : 'safetensors';
  const family = choice.kind === 'vision' || choice.kind === 'demo' ? 'mllama' : 'llama';
  return { parent_model: '', format, family, families: [family], parameter_size: '', quantization_level: '' };
}

const timeOf = ({ choice }: NamedModel, demoModel: string): string => new Date(changedAt(choice, demoModel)).toISOString();

function listed(model: NamedModel, demoModel: string): object {
  const { name, choice } = model;
  // Names the entry: the files are gigabytes, and nobody reads them for a list.
  const digest = createHash('sha256').update(choice.id).digest('hex');
  return { name, model: name, modified_at: timeOf(model, demoModel), size: choice.bytes ?? 0, digest, details: detailsOf(model) };
}

function shown(model: NamedModel, demoModel: string): object {
  const sees = model.choice.kind === 'vision' || model.choice.kind === 'demo';
  return {
    modelfile: '',
    parameters: '',
    template: '',
    details: detailsOf(model),
    model_info: {},
    capabilities: ['completion', ...(sees ? ['vision'] : [])],
    modified_at: timeOf(model, demoModel),
  };
}

// --- requests

interface Asked {
  /** Null: the model is only to be loaded. */
  request: ProgramRequest | null;
  model: string;
  stream: boolean;
}

function readGenerate(body: unknown): Asked {
  const read = parseBody(generateBody, body);
  refuseFields(read, unsupported);
  const { prompt, system, raw, images: given } = read;
  const pictures = (given ?? []).map((image, index) => ({ type: 'image' as const, image: pictureOf(image, `picture ${index + 1}`) }));
  if (!prompt && pictures.length === 0) return asked(read, null);
  const messages: ProgramMessage[] = [{ role: 'user', content: [...pictures, { type: 'text', text: prompt ?? '' }] }];
  if (system) messages.unshift({ role: 'system', content: [{ type: 'text', text: system }] });
  return asked(read, { kind: raw === true ? 'complete' : 'chat', messages });
}

function readChat(body: unknown): Asked {
  const read = parseBody(chatBody, body);
  refuseFields(read, unsupported);
  let pictures = 0;
  const messages = (read.messages ?? []).map(({ role, content, images: given }): ProgramMessage => ({
    role,
    content: [
      ...(given ?? []).map((image) => ({ type: 'image' as const, image: pictureOf(image, `picture ${++pictures}`) })),
      { type: 'text', text: content ?? '' },
    ],
  }));
  return asked(read, messages.length === 0 ? null : { kind: 'chat', messages });
}

function asked(
  { model, stream, options: given, store, loupe }: v.InferOutput<v.ObjectSchema<typeof common, undefined>>,
  rest: Pick<ProgramRequest, 'kind' | 'messages'> | null,
): Asked {
  const { num_predict: most, temperature, top_p: topP, top_k: topK, min_p: minP, repeat_penalty: repetitionPenalty } = given ?? {};
  return {
    model,
    stream: stream !== false,
    request: rest && {
      ...rest,
      model,
      maxTokens: typeof most !== 'number' ? null : most < 0 ? Infinity : most,
      sampling: samplingOf({ temperature, topP, topK, minP, repetitionPenalty, seed: given?.seed }),
      stops: given?.stop ?? [],
      compose: loupe?.compose === 'grid',
      store: store === true,
    },
  };
}

// --- answers

interface Form {
  piece(text: string): object;
}
const generateForm: Form = { piece: (response) => ({ response }) };
const chatForm: Form = { piece: (content) => ({ message: { role: 'assistant', content } }) };

async function answer(answerer: Answerer, { reply, signal }: Call, form: Form, { request, model, stream }: Asked): Promise<void> {
  const piece = (text: string, more: object): object => ({ model, created_at: new Date().toISOString(), ...form.piece(text), ...more });
  const close = (last: object): void => {
    if (!stream) return reply.json(last);
    reply.write(line(last));
    reply.end();
  };
  if (!request) {
    const loadMs = await answerer.load(model, signal);
    return close(piece('', { done: true, done_reason: 'load', total_duration: nanoseconds(loadMs), load_duration: nanoseconds(loadMs) }));
  }
  const onText = (text: string): void => reply.write(line(piece(text, { done: false })));
  const whole = await answerer.answer(request, { signal, ...(stream ? { onText } : {}) });
  close(piece(stream ? '' : whole.text, { done: true, done_reason: whole.finish, ...measured(whole), ...loupeOf(whole) }));
}

function measured({ tokens, ms }: ProgramAnswer): object {
  return {
    total_duration: nanoseconds(ms.total),
    load_duration: nanoseconds(ms.load),
    prompt_eval_count: tokens.prompt,
    prompt_eval_duration: nanoseconds(ms.prompt),
    eval_count: tokens.answer,
    eval_duration: nanoseconds(ms.answer),
  };
}

function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}

function loupeOf({ model, pictures, kept }: ProgramAnswer): object {
  return { loupe: { model, ...(pictures && { pictures }), ...(kept && { kept }) } };
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
