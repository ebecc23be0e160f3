/** OpenAI's dialect: /v1/chat/completions, /v1/completions, /v1/models. What differs from it is in docs/api.md. */
import { randomUUID } from 'node:crypto';
import * as v from 'valibot';
import { LoupeError, type ErrorCode } from '../errors.ts';
import type { Answerer, ProgramAnswer } from './answerer.ts';
import { statusOf, wordsOf, type Call, type Dialect } from './dialect.ts';
import { mostMessages } from './limits.ts';
import type { ProgramMessage, ProgramPart } from './message.ts';
import { changedAt, type NamedModel } from './names.ts';
import { loupeOptions, parseBody, pictureOf, refuseFields, samplingOf, seed, stops, type ProgramRequest } from './request.ts';

const part = v.variant('type', [
  v.object({ type: v.literal('text'), text: v.string() }),
  v.object({ type: v.literal('image_url'), image_url: v.object({ url: v.string() }) }),
]);
const message = v.object({
  role: v.picklist(['system', 'developer', 'user', 'assistant']),
  content: v.lazy((input) => (typeof input === 'string' ? v.string() : v.array(part))),
});
const sampling = {
  model: v.string(),
  stream: v.nullish(v.boolean()),
  stream_options: v.nullish(v.object({ include_usage: v.nullish(v.boolean()) })),
  max_tokens: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1))),
  temperature: v.nullish(v.pipe(v.number(), v.minValue(0), v.maxValue(2))),
  top_p: v.nullish(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  seed: v.nullish(seed),
  store: v.nullish(v.boolean()),
  stop: v.nullish(stops),
  loupe: loupeOptions,
};
const chatBody = v.looseObject({
  ...sampling,
  max_completion_tokens: sampling.max_tokens,
  messages: v.pipe(v.array(message), v.minLength(1), v.maxLength(mostMessages)),
});
const completionBody = v.looseObject({
  ...sampling,
  prompt: v.lazy((input) => (typeof input === 'string' ? v.string() : v.tuple([v.string()]))),
});

/** Fields that would change the answer, and the values with which they do not. */
const unsupported = {
  n: [1],
  best_of: [1],
  logprobs: [false],
  top_logprobs: [0],
  tools: [[]],
  functions: [[]],
  response_format: [{ type: 'text' }],
  frequency_penalty: [0],
  presence_penalty: [0],
  logit_bias: [{}],
  modalities: [['text']],
  audio: [],
  echo: [false],
  suffix: [''],
};

export function createOpenAiDialect(answerer: Answerer, demoModel: string): Dialect {
  const modelView = ({ name, choice }: NamedModel): object => ({
    ...{ id: name, object: 'model', created: Math.floor(changedAt(choice, demoModel) / 1000), owned_by: 'loupe' },
  });
  const handlers: Record<string, (call: Call) => void | Promise<void>> = {
    'GET /v1/models': ({ reply }) => reply.json({ object: 'list', data: answerer.models().map(modelView) }),
    'POST /v1/chat/completions': (call) => answer(answerer, call, chatForm, readChat(call.body)),
    'POST /v1/completions': (call) => answer(answerer, call, completionForm, readCompletion(call.body)),
  };
  const oneModel = '/v1/models/';
  return {
    prefix: '/v1/',
    streamType: 'text/event-stream; charset=utf-8',
    find(method, path) {
      const handler = handlers[`${method} ${path}`];
      if (handler || method !== 'GET' || !path.startsWith(oneModel)) return handler ?? null;
      return ({ reply }) => reply.json(modelView(answerer.find(decodeName(path.slice(oneModel.length)))));
    },
    failure: failureOf,
    failureInStream: (error) => event(failureOf(error)),
  };
}

function decodeName(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// --- requests

interface Asked {
  request: ProgramRequest;
  stream: boolean;
  usage: boolean;
}

function readChat(body: unknown): Asked {
  const read = parseBody(chatBody, body);
  refuseFields(read, unsupported);
  let pictures = 0;
  const partOf = (given: v.InferOutput<typeof part>): ProgramPart =>
    given.type === 'text' ? given : { type: 'image', image: pictureAt(given.image_url.url, `picture ${++pictures}`) };
  const messages = read.messages.map(({ role, content }): ProgramMessage => ({
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? [{ type: 'text', text: content }] : content.map(partOf),
  }));
  return asked(read, { kind: 'chat', messages, maxTokens: read.max_completion_tokens ?? read.max_tokens ?? null });
}

function readCompletion(body: unknown): Asked {
  const read = parseBody(completionBody, body);
  refuseFields(read, unsupported);
  const text = typeof read.prompt === 'string' ? read.prompt : read.prompt[0];
  return asked(read, {
    kind: 'complete',
    messages: [{ role: 'user', content: [{ type: 'text', text }] }],
    maxTokens: read.max_tokens ?? null,
  });
}

function asked(
  {
    model,
    stream,
    stream_options,
    temperature,
    top_p,
    seed,
    stop,
    store,
    loupe,
  }: v.InferOutput<v.ObjectSchema<typeof sampling, undefined>>,
  rest: Pick<ProgramRequest, 'kind' | 'messages' | 'maxTokens'>,
): Asked {
  return {
    request: {
      ...rest,
      model,
      sampling: samplingOf({ temperature, topP: top_p, seed }),
      stops: stop ?? [],
      compose: loupe?.compose === 'grid',
      store: store === true,
    },
    stream: stream === true,
    usage: stream_options?.include_usage === true,
  };
}

function pictureAt(url: string, name: string): ReturnType<typeof pictureOf> {
  if (/^data:/i.test(url)) return pictureOf(url, name);
  throw new LoupeError(
    'request_invalid',
    `The address of ${name} is not a data: address, and Loupe opens no connections by itself.`,
    'Send the picture itself: data:image/png;base64,...',
  );
}

// --- answers

interface Form {
  id: string;
  object: string;
  streamObject: string;
  /** Before the first word of a stream. */
  opening: object | null;
  piece(text: string): object;
  whole(text: string): object;
  /** With the reason why it ended. */
  closing: object;
}

const chatForm: Form = {
  id: 'chatcmpl',
  object: 'chat.completion',
  streamObject: 'chat.completion.chunk',
  opening: { delta: { role: 'assistant', content: '' } },
  piece: (text) => ({ delta: { content: text } }),
  whole: (text) => ({ message: { role: 'assistant', content: text, refusal: null } }),
  closing: { delta: {} },
};

const completionForm: Form = {
  id: 'cmpl',
  object: 'text_completion',
  streamObject: 'text_completion',
  opening: null,
  piece: (text) => ({ text }),
  whole: (text) => ({ text }),
  closing: { text: '' },
};

async function answer(answerer: Answerer, { reply, signal }: Call, form: Form, { request, stream, usage }: Asked): Promise<void> {
  const head = { id: `${form.id}-${randomUUID()}`, created: Math.floor(Date.now() / 1000), model: answerer.find(request.model).name };
  const choice = (content: object, finish: string | null): object => ({ index: 0, ...content, logprobs: null, finish_reason: finish });
  if (!stream) {
    const whole = await answerer.answer(request, { signal });
    reply.json({
      ...head,
      object: form.object,
      model: whole.model,
      choices: [choice(form.whole(whole.text), whole.finish)],
      usage: usageOf(whole),
      ...loupeOf(whole),
    });
    return;
  }
  const chunk = (choices: object[], more: object = {}): void =>
    reply.write(event({ ...head, object: form.streamObject, choices, ...(usage ? { usage: null } : {}), ...more }));
  let opening = form.opening;
  const open = (): void => {
    if (opening) chunk([choice(opening, null)]);
    opening = null;
  };
  const onText = (text: string): void => {
    open();
    chunk([choice(form.piece(text), null)]);
  };
  const whole = await answerer.answer(request, { signal, onText });
  open();
  chunk([choice(form.closing, whole.finish)], loupeOf(whole));
  if (usage) chunk([], { usage: usageOf(whole) });
  reply.write('data: [DONE]\n\n');
  reply.end();
}

function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

function usageOf({ tokens: { prompt, cached, answer } }: ProgramAnswer): object {
  return {
    prompt_tokens: prompt,
    completion_tokens: answer,
    total_tokens: prompt + answer,
    prompt_tokens_details: { cached_tokens: cached },
  };
}

function loupeOf({ pictures, kept }: ProgramAnswer): object {
  return pictures || kept ? { loupe: { ...(pictures && { pictures }), ...(kept && { kept }) } } : {};
}

// --- failures

const codes: Partial<Record<ErrorCode, string>> = {
  key_wrong: 'invalid_api_key',
  model_missing: 'model_not_found',
  context_full: 'context_length_exceeded',
  queue_full: 'rate_limit_exceeded',
};

function failureOf(error: LoupeError): object {
  const status = statusOf(error);
  const type =
    status === 401 ? 'authentication_error' : status === 429 ? 'rate_limit_error' : status < 500 ? 'invalid_request_error' : 'server_error';
  return { error: { message: wordsOf(error), type, param: null, code: codes[error.code] ?? error.code } };
}
