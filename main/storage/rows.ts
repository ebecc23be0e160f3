/** Rows as SQLite returns them -> entities of the contract. JSON of another shape than expected counts as absent. */
import * as v from 'valibot';
import {
  answeredBySchema,
  differencesSchema,
  failureSchema,
  judgementSchema,
  originSchema,
  statisticsSchema,
  type ConversationSummary,
  type Message,
  type Picture,
} from '../contract.ts';

export interface PictureRow {
  hash: string;
  name: string;
  width: number;
  height: number;
  bytes: number;
  origin: string;
}

export const pictureColumns = 'pictures.hash, pictures.name, pictures.width, pictures.height, pictures.bytes, pictures.origin';

export function toPicture({ hash, name, width, height, bytes, origin }: PictureRow): Picture {
  return { hash, name, width, height, bytes, origin: parseJson(originSchema, origin) ?? { kind: 'file' } };
}

export interface SummaryRow {
  id: number;
  title: string;
  pinned: number;
  createdAt: number;
  updatedAt: number;
  messageCount: number;
  picture: string | null;
  instructions: string;
  /** JSON. */
  tags: string;
}

export const summaryColumns =
  'id, title, pinned, created_at as createdAt, updated_at as updatedAt, message_count as messageCount, picture, instructions, tags';

const tagList = v.array(v.string());

export function toSummary({ pinned, instructions, tags, ...row }: SummaryRow): ConversationSummary {
  const { id, title, createdAt, updatedAt, messageCount, picture } = row;
  const told = instructions === '' ? {} : { instructions };
  const given = parseJson(tagList, tags) ?? [];
  const filed = given.length === 0 ? {} : { tags: given };
  return { id, title, pinned: pinned === 1, createdAt, updatedAt, messageCount, picture, busy: false, ...told, ...filed };
}

export interface MessageRow {
  id: number;
  conversationId: number;
  parentId: number | null;
  role: Message['role'];
  text: string;
  state: Message['state'];
  failure: string | null;
  finish: Message['finish'];
  model: string | null;
  server: string | null;
  compared: string | null;
  statistics: string | null;
  judgement: string | null;
  differences: string | null;
  createdAt: number;
}

export const messageColumns = [
  'messages.id',
  'messages.conversation_id as conversationId',
  'messages.parent_id as parentId',
  'messages.role',
  'messages.text',
  'messages.state',
  'messages.failure',
  'messages.finish',
  'messages.model',
  'messages.server',
  'messages.compared',
  'messages.statistics',
  'messages.judgement',
  'messages.differences',
  'messages.created_at as createdAt',
].join(', ');

export function toMessage(
  { failure, statistics, judgement, differences, server, compared, ...row }: MessageRow,
  pictures: Picture[],
): Message {
  const answeredBy = parseJson(answeredBySchema, server);
  return {
    ...row,
    ...(answeredBy && { server: answeredBy }),
    ...(compared !== null && { compared }),
    pictures,
    // What is kept of questions about documents: see asking.ts.
    ...{ scope: null, coverage: null, citations: [] },
    failure: parseJson(failureSchema, failure),
    statistics: parseJson(statisticsSchema, statistics),
    judgement: parseJson(judgementSchema, judgement),
    differences: parseJson(differencesSchema, differences) ?? [],
  };
}

export function parseJson<Schema extends v.GenericSchema>(schema: Schema, text: string | null): v.InferOutput<Schema> | null {
  if (text === null) return null;
  try {
    const result = v.safeParse(schema, JSON.parse(text));
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}

export function toJson(value: object | null): string | null {
  return value && JSON.stringify(value);
}
