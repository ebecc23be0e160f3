/** What both dialects become: a conversation, and how it is to be answered. And what both parse alike. */
import * as v from 'valibot';
import { LoupeError } from '../errors.ts';
import type { Body } from '../services/ports.ts';
import type { ProgramMessage, ProgramPart } from './message.ts';

export interface ProgramRequest {
  /** As the program calls it. */
  model: string;
  /** `complete`: the one text is continued, which only base models do. */
  kind: 'chat' | 'complete';
  messages: ProgramMessage[];
  /** Tokens. Null: what the settings say; Infinity: what the context holds. */
  maxTokens: number | null;
  sampling: NonNullable<Body<'generate'>['sampling']>;
  /** The answer ends before the first of them. */
  stops: string[];
  /** Several pictures become one grid; otherwise the model looks at the last. */
  compose: boolean;
  /** The conversation and its answer are kept among those of the person. */
  store: boolean;
}

/** Base64 as people send it: with line breaks, and with or without the address that browsers put before it. Throws `image_unreadable`. */
export function pictureOf(base64: string, name: string): Extract<ProgramPart, { type: 'image' }>['image'] {
  const text = base64.replace(/^data:[^,]{0,200};base64,/, '').replace(/\s+/g, '');
  if (text === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw new LoupeError('image_unreadable', `${name} is not a picture in base64.`, 'Send the bytes of the file in base64.');
  }
  return { bytes: Buffer.from(text, 'base64'), name };
}

export const seed = v.pipe(v.number(), v.integer(), v.minValue(-1), v.maxValue(Number.MAX_SAFE_INTEGER));
/** One or several; a list either way. */
export const stops = v.pipe(
  v.lazy((input) => (typeof input === 'string' ? v.string() : v.pipe(v.array(v.string()), v.maxLength(16)))),
  v.transform((given) => [given].flat().filter((text) => text !== '')),
);
export const loupeOptions = v.nullish(v.strictObject({ compose: v.optional(v.literal('grid')) }));

/** Throws `request_invalid` with the field that is wrong. */
export function parseBody<Schema extends v.GenericSchema>(schema: Schema, body: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, body, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  // It may quote what was sent, a picture of megabytes included.
  const words = issue.message.length > 200 ? `${issue.message.slice(0, 200)}…` : issue.message;
  const path = v.getDotPath(issue);
  throw new LoupeError('request_invalid', `${path ? `${path}: ` : ''}${words}.`);
}

/** Throws `request_invalid` for fields that would change the answer and that Loupe cannot honour. `neutral`: what asks for nothing. */
export function refuseFields(body: Record<string, unknown>, neutral: Record<string, readonly unknown[]>): void {
  for (const [field, values] of Object.entries(neutral)) {
    const given = body[field];
    if (given === undefined || given === null) continue;
    const text = JSON.stringify(given).slice(0, 100);
    if (values.some((value) => JSON.stringify(value) === text)) continue;
    throw new LoupeError('request_invalid', `Loupe does not support "${field}".`, `Leave "${field}" out.`);
  }
}

/** -1 leaves it to chance. */
export function samplingOf(
  given: Partial<Record<'temperature' | 'topP' | 'topK' | 'minP' | 'repetitionPenalty' | 'seed', number | null | undefined>>,
): ProgramRequest['sampling'] {
  const stated = Object.entries(given).filter(([name, value]) => typeof value === 'number' && !(name === 'seed' && value < 0));
  return Object.fromEntries(stated);
}
