/**
 * The tools of `loupe mcp`, for assistants: each call is confirmed in the window (`services/consents.ts`) before anything is looked at.
 * What comes back is text. Nothing that is asked or answered is kept.
 */
import * as v from 'valibot';
import { mostProgramCharacters, partLabel, programToolSchema, serverIdOf, type ProgramTool, type SearchHit } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { toolArguments, type ToolAnswer, type ToolArguments } from '../program-tools.ts';
import type { Consents } from '../services/consents.ts';
import type { CaptureHost, PictureWorker, Store } from '../services/ports.ts';
import type { Answerer, ProgramAnswer } from './answerer.ts';
import type { Dialect } from './dialect.ts';
import { checkPath, readNamedPicture, wholePath } from './named-picture.ts';
import { parseBody } from './request.ts';

/** What tools need of the app beside answers. */
export interface ToolParts {
  consents: Pick<Consents, 'ask'>;
  capture: Pick<CaptureHost, 'state' | 'take'>;
  worker: Pick<PictureWorker, 'inspect'>;
  conversations: Pick<Store['conversations'], 'search'>;
  privately: Pick<Store['privately'], 'has'>;
}

export interface ToolDialectOptions {
  answerer: Answerer;
  /** `id` of the chosen model. */
  chosen: () => string;
  /** Null where there is no window to confirm anything in. */
  parts: ToolParts | null;
}

const prefix = '/loupe/tools/';
/** Conversations that a question names; the rest is counted. */
const titlesShown = 5;
/** Of places that are searched for, to leave out private conversations; what a search of the window shows at most. */
const mostSearched = 200;

/** Without what is not seen: two names that look alike would be two programs, and one could turn the sentence around it. */
const seen = /^[^\p{C}\p{Zl}\p{Zp}]+$/u;
const callBody = v.strictObject({
  program: v.pipe(
    v.string(),
    v.transform((name) => name.normalize('NFC').replace(/\s+/g, ' ').trim()),
    v.minLength(1, 'is empty'),
    v.maxLength(mostProgramCharacters),
    v.regex(seen, 'holds characters that are not seen'),
  ),
  arguments: v.unknown(),
});

interface ToolCall<Tool extends ProgramTool> {
  program: string;
  given: ToolArguments<Tool>;
  signal: AbortSignal;
}

export function createToolDialect({ answerer, chosen, parts }: ToolDialectOptions): Dialect {
  const here = (): ToolParts => {
    if (parts) return parts;
    throw new LoupeError(
      'request_refused',
      'This Loupe has no window in which this could be confirmed.',
      'End `loupe api`, open Loupe, and let programs in from Settings > For programs.',
    );
  };

  const tools: { [Tool in ProgramTool]: (call: ToolCall<Tool>) => Promise<ToolAnswer> } = {
    async capture_and_ask({ program, given: { question }, signal }) {
      const { consents, capture } = here();
      const seeing = seeingModel(answerer, chosen());
      const { by, reason } = await capture.state();
      if (by !== 'app') {
        throw new LoupeError(
          'capture_failed',
          reason ?? 'In a browser, only a person can begin to capture the screen.',
          'Use the desktop app, or ask_about_file with a screenshot.',
        );
      }
      await consents.ask({ program, tool: 'capture_and_ask', words: question, path: null, found: null }, signal);
      const bytes = await capture.take(program, signal);
      return said(await look({ answerer, model: seeing, image: { bytes, name: 'screen.png' }, question, signal }), []);
    },

    async ask_about_file({ program, given: { path, question, page }, signal }) {
      const { consents, worker } = here();
      checkPath(path);
      const seeing = seeingModel(answerer, chosen());
      const whole = await wholePath(path);
      await consents.ask({ program, tool: 'ask_about_file', words: question, path: whole, found: null }, signal);
      const source = await readNamedPicture(whole);
      const { part, display, cutOff } = await worker.inspect(source, page);
      const image = part && display ? { bytes: display, name: source.name } : source;
      const notes = [
        ...(part && page === undefined ? [`The file has ${part.count} ${part.unit}s; this is about ${partLabel(part)}.`] : []),
        ...(cutOff ? ['The file is cut off: this is about what there is of it.'] : []),
      ];
      return said(await look({ answerer, model: seeing, image, question, signal }), notes);
    },

    async search_history({ program, given: { query, limit }, signal }) {
      const { consents, conversations, privately } = here();
      const hits = conversations
        .search(query, mostSearched)
        .filter(({ conversationId }) => !privately.has(conversationId))
        .slice(0, limit);
      const titles = new Map(hits.map(({ conversationId, title }) => [conversationId, title]));
      const found = { places: hits.length, conversations: titles.size, titles: [...titles.values()].slice(0, titlesShown) };
      await consents.ask({ program, tool: 'search_history', words: query, path: null, found }, signal);
      if (hits.length === 0) return { texts: [`Nothing in the conversations has all of these words: ${query}`] };
      return { texts: hits.map(placeInWords) };
    },
  };

  async function call(tool: ProgramTool, body: unknown, signal: AbortSignal): Promise<ToolAnswer> {
    const { program, arguments: given } = parseBody(callBody, body);
    const run = tools[tool] as (call: { program: string; given: unknown; signal: AbortSignal }) => Promise<ToolAnswer>;
    return run({ program, given: parseBody(toolArguments[tool], given ?? {}), signal });
  }

  return {
    prefix,
    streamType: 'application/json',
    find(method, path) {
      const tool = v.safeParse(programToolSchema, path.slice(prefix.length));
      if (method !== 'POST' || !path.startsWith(prefix) || !tool.success) return null;
      return async ({ body, reply, signal }) => reply.json(await call(tool.output, body, signal));
    },
    failure: (error) => error.toFailure(),
    failureInStream: (error) => JSON.stringify(error.toFailure()),
  };
}

/** The `id` of the chosen model, which is there and sees. Nobody is asked to confirm what cannot be answered. */
function seeingModel(answerer: Answerer, chosen: string): string {
  const model = answerer.models().find(({ choice }) => choice.id === chosen);
  if (!model) {
    const why = serverIdOf(chosen) === null ? 'is not there' : 'is a server’s, and programs are answered on this computer alone';
    throw new LoupeError('model_missing', `The model that is chosen in Loupe ${why}.`, 'Choose another in Settings > Models.');
  }
  if (model.choice.kind === 'text' || model.choice.kind === 'guard') {
    throw new LoupeError(
      'image_unseen',
      `${model.name}, the model that is chosen in Loupe, sees no pictures.`,
      'Choose a vision model in Settings > Models.',
    );
  }
  return chosen;
}

interface Looking {
  answerer: Answerer;
  model: string;
  image: { bytes: Uint8Array; name: string };
  question: string;
  signal: AbortSignal;
}

function look({ answerer, model, image, question, signal }: Looking): Promise<ProgramAnswer> {
  const content = [
    { type: 'image' as const, image },
    { type: 'text' as const, text: question },
  ];
  const messages = [{ role: 'user' as const, content }];
  const request = { model, kind: 'chat' as const, messages, maxTokens: null, sampling: {}, stops: [], compose: false, store: false };
  return answerer.answer(request, { signal });
}

function said({ text, finish }: ProgramAnswer, notes: string[]): ToolAnswer {
  return { texts: [text, ...notes, ...(finish === 'length' ? ['The answer ends here because it has reached the greatest length.'] : [])] };
}

function placeInWords({ title, snippet, at, messageId, picture, inName }: SearchHit): string {
  const day = new Date(at).toISOString().slice(0, 10);
  const name = messageId === null ? 'a tag' : 'the name of a file';
  const where = inName ? name : messageId === null ? 'the title' : picture === null ? 'a message' : 'the text of a picture';
  return `${title} (${day}, in ${where}): ${snippet.map(({ text }) => text).join('')}`;
}
