/**
 * Conversation -> prompt tokens.
 *
 * The checkpoint's chat template decides the format; Instruct checkpoints that lost theirs
 * get Meta's documented one, base models get plain completion. Llama Guard's own template is
 * recognised, since what it writes are verdicts.
 * Source: meta-llama/llama-models, models/llama3_2/{vision,text}_prompt_format.md
 */
import { LoupeError } from '../errors.ts';
import type { Role } from '../protocol.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import { parseTemplate, type RunTemplate } from './run-template.ts';
import { turnEnd } from './stops.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Pictures are given by position: the n-th image part belongs to the n-th picture of the request. */
export type ContentPart = { type: 'text'; text: string } | { type: 'image' };

export interface Message {
  role: Role;
  content: ContentPart[];
}

export interface PromptFormat {
  readonly kind: 'template' | 'llama3' | 'completion' | 'guard';
  /** How the end of an answer is spelled, in tokens or as text; null where the format does not say. */
  readonly turnEnd: string | null;
  /** The whole prompt, ending where the answer begins. */
  encode(messages: Message[]): Int32Array;
}

const image = '<|image|>';
const begin = '<|begin_of_text|>';
const eot = '<|eot_id|>';
/** In every prompt of Llama Guard, and in no other. */
const guardPolicy = '<BEGIN UNSAFE CONTENT CATEGORIES>';

export function createPromptFormat(files: CheckpointFiles, tokenizer: Tokenizer, stopTokens: readonly number[]): PromptFormat {
  const guard = createGuard(tokenizer);
  const encode = (messages: Message[], render: (messages: Message[]) => string): Int32Array => {
    const guarded = guard.messages(messages);
    return Int32Array.from(encodeRendered(render(guarded.messages), guarded.mark, tokenizer));
  };
  if (files.chatTemplate !== null) {
    const render = templateRenderer(files.chatTemplate, files);
    // A guard's template wraps a conversation: what follows an answer in it is not what ends a verdict.
    const isGuard = files.chatTemplate.includes(guardPolicy);
    return {
      kind: isGuard ? 'guard' : 'template',
      turnEnd: isGuard ? null : renderedTurnEnd(render, tokenizer),
      encode: (messages) => encode(messages, render),
    };
  }
  const endOfTurn = tokenizer.specialToken(eot);
  if (endOfTurn !== null && stopTokens.includes(endOfTurn)) {
    return { kind: 'llama3', turnEnd: eot, encode: (messages) => encode(messages, renderLlama3) };
  }
  return { kind: 'completion', turnEnd: null, encode: (messages) => encode(messages, renderCompletion) };
}

/** What the template puts after an answer when the conversation continues. */
function renderedTurnEnd(render: (messages: Message[]) => string, tokenizer: Tokenizer): string | null {
  // Words that no template writes of its own.
  const [question, answer, next] = ['loupe-question', 'loupe-answer', 'loupe-next'];
  const message = (role: Role, text: string): Message => ({ role, content: [{ type: 'text', text }] });
  try {
    const [, after] = render([message('user', question), message('assistant', answer), message('user', next)]).split(answer);
    return after === undefined ? null : turnEnd(after.split(next)[0]!, tokenizer);
  } catch {
    // One that refuses several turns says so when it is asked.
    return null;
  }
}

/** Meta's vision and text chat format. */
function renderLlama3(messages: Message[]): string {
  const turn = ({ role, content }: Message): string => `${header(role)}${spell(content).trim()}${eot}`;
  return begin + messages.map(turn).join('') + header('assistant');
}

function header(role: Role): string {
  return `<|start_header_id|>${role}<|end_header_id|>\n\n`;
}

/**
 * A base model continues one text and knows no turns. What it wrote before stands where it wrote it; what
 * is added after that begins a line. A picture comes before the text that it was given with.
 */
function renderCompletion(messages: Message[]): string {
  const pieces = messages.map(
    ({ role, content }, index) => (index === 0 || role === 'assistant' ? '' : '\n') + spell(picturesFirst(content)),
  );
  return begin + pieces.join('');
}

function picturesFirst(content: ContentPart[]): ContentPart[] {
  const isPicture = ({ type }: ContentPart): boolean => type === 'image';
  return [...content.filter(isPicture), ...content.filter((part) => !isPicture(part))];
}

function spell(content: ContentPart[]): string {
  return content.map((part) => (part.type === 'image' ? image : part.text)).join('');
}

function templateRenderer(source: string, files: CheckpointFiles): (messages: Message[]) => string {
  const fail = (error: unknown): LoupeError =>
    new LoupeError(
      'template_failed',
      `The chat template in ${files.directory} refused this conversation: ${error instanceof Error ? error.message : String(error)}.`,
    );
  let run: RunTemplate;
  try {
    run = parseTemplate(source);
  } catch (error) {
    throw fail(error);
  }
  const bosToken = tokenSpelling(files.tokenizerConfig?.['bos_token']) ?? begin;
  const eosToken = tokenSpelling(files.tokenizerConfig?.['eos_token']) ?? '';
  const render = (messages: { role: Role; content: string | ContentPart[] }[]): string =>
    run({ messages, add_generation_prompt: true, bos_token: bosToken, eos_token: eosToken });
  const takesPlain = takesPlainText(render);
  const renderAll = (messages: Message[]): string => {
    const rendered = render(
      messages.map(({ role, content }) => ({ role, content: takesPlain || role === 'system' ? plainWhereTextOnly(content) : content })),
    );
    // Templates of GGUF files may leave it to the program that runs them.
    return rendered.startsWith(bosToken) ? rendered : bosToken + rendered;
  };
  return (messages) => {
    try {
      return renderAll(messages);
    } catch (error) {
      const merged = systemInFirstQuestion(messages);
      if (!merged) throw fail(error);
      try {
        return renderAll(merged);
      } catch {
        throw fail(error);
      }
    }
  };
}

/** The published vision templates refuse a system message beside a picture: there it opens the first question. Null where there is none. */
function systemInFirstQuestion([system, question, ...rest]: Message[]): Message[] | null {
  if (system?.role !== 'system' || question?.role !== 'user') return null;
  return [{ role: 'user', content: picturesFirst([{ type: 'text', text: `${spell(system.content)}\n\n` }, ...question.content]) }, ...rest];
}

/**
 * The published vision templates look through parts and fail at a string; Llama Guard's loses it.
 * System messages are strings in all of them.
 */
function takesPlainText(render: (messages: { role: Role; content: string }[]) => string): boolean {
  try {
    return render([{ role: 'user', content: 'plain' }]).includes('plain');
  } catch {
    return false;
  }
}

/** Text templates know only strings. */
function plainWhereTextOnly(content: ContentPart[]): string | ContentPart[] {
  return content.some(({ type }) => type === 'image') ? content : spell(content);
}

/** Configurations write a token as a string or as an object with `content`. */
export function tokenSpelling(value: unknown): string | null {
  if (typeof value === 'string') return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : null;
}

interface Guard {
  /** The messages with `mark` after every character that could begin a special token. */
  messages(messages: Message[]): { messages: Message[]; mark: string };
}

/**
 * Keeps special spellings in a conversation from becoming special tokens: a mark that occurs
 * nowhere in it breaks them until the rendered prompt has been cut at the template's own.
 */
function createGuard(tokenizer: Tokenizer): Guard {
  const firsts = new Set([...tokenizer.specialTokens.keys(), image].map((spelling) => spelling[0]!));
  const breakUp = (text: string, mark: string): string => {
    let result = '';
    for (const character of text) result += firsts.has(character) ? character + mark : character;
    return result;
  };
  return {
    messages(messages) {
      const mark = unusedCharacter(messages);
      const guarded = messages.map(({ role, content }) => ({
        role,
        content: content.map((part): ContentPart => (part.type === 'image' ? part : { type: 'text', text: breakUp(part.text, mark) })),
      }));
      return { messages: guarded, mark };
    },
  };
}

/** A noncharacter (U+FDD0 .. U+FDEF), or a private one, that no message contains. */
function unusedCharacter(messages: Message[]): string {
  const text = messages.map(({ content }) => spell(content)).join('');
  for (const [from, to] of [
    [0xfdd0, 0xfdef],
    [0xe000, 0xf8ff],
  ] as const) {
    for (let code = from; code <= to; code++) {
      const character = String.fromCharCode(code);
      if (!text.includes(character)) return character;
    }
  }
  throw new LoupeError('prompt_invalid', 'The text uses every private-use character that exists.', 'Send less of it.');
}

/** Special spellings that stand in `rendered` are the template's; the rest is text. */
function encodeRendered(rendered: string, mark: string, tokenizer: Tokenizer): number[] {
  const spellings = [...tokenizer.specialTokens.keys()].map((spelling) => spelling.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const pieces = spellings.length > 0 ? rendered.split(new RegExp(`(${spellings.join('|')})`)) : [rendered];
  const tokens: number[] = [];
  for (const [index, piece] of pieces.entries()) {
    // split() puts what the group matched at odd positions.
    if (index % 2 === 1) tokens.push(tokenizer.specialToken(piece)!);
    else for (const token of tokenizer.encodeText(piece.replaceAll(mark, ''))) tokens.push(token);
  }
  return tokens;
}
