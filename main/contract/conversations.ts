/** Conversations, their messages and how far an answer is. */
import * as v from 'valibot';
import { id, count, time, hash, text, limits, failure } from './common.ts';
import { askedScope, citation, coverage } from './asking.ts';
import { difference } from './differences.ts';
import { picture } from './pictures.ts';
import { answeredBy } from './servers.ts';

export const turnStatistics = v.strictObject({
  promptTokens: count,
  reusedTokens: count,
  generatedTokens: count,
  /** Tokens that were checked before they were said, and those of them that the model then said; absent in older answers. */
  proposedTokens: v.optional(count),
  acceptedTokens: v.optional(count),
  imagesEncoded: count,
  imagesCached: count,
  prepareMs: v.number(),
  encodeMs: v.number(),
  prefillMs: v.number(),
  firstTokenMs: v.number(),
  decodeMs: v.number(),
  /** Of the last token; null where fewer than two leave nothing to measure. */
  tokensPerSecond: v.nullable(v.number()),
  contextLength: count,
  /** Oldest messages that were left out of the prompt because they no longer fit. */
  forgottenMessages: count,
  /** The model got the text that Loupe read in the picture. */
  hinted: v.optional(v.boolean()),
});

/**
 * `streaming`: being written by this process. `interrupted`: the process ended meanwhile; it
 * can be continued. `stopped`: by the reader. `failed`: see `failure`; what there is stays.
 */
const messageState = v.picklist(['complete', 'streaming', 'interrupted', 'stopped', 'failed']);

/** `unclear`: the guard wrote neither word. Categories as the guard names them: "S1" to "S14". */
const verdict = v.strictObject({ finding: v.picklist(['safe', 'unsafe', 'unclear']), categories: v.array(v.string()) });

/** What a guard says of a question and its answer, with the picture in force. */
export const judgement = v.strictObject({
  /** Name of the guard. Where the guard also answered, the text of the answer is the verdict on the question. */
  by: v.string(),
  question: verdict,
  answer: v.nullable(verdict),
  /** From asking for it to its last word; includes loading the guard where that was needed. */
  ms: v.number(),
});

export const message = v.strictObject({
  id,
  conversationId: id,
  /** Null for the first message. Siblings (same parent) are branches. */
  parentId: v.nullable(id),
  role: v.picklist(['user', 'assistant']),
  text: v.string(),
  /** In order; of several, the model sees the last. */
  pictures: v.array(picture),
  state: messageState,
  failure: v.nullable(failure),
  /** Why an answer ended: a stop token, the length asked for, or a full context. */
  finish: v.nullable(v.picklist(['stop', 'length', 'context', 'cancelled'])),
  /** Who answered; null for users. */
  model: v.nullable(v.string()),
  /** The server that was asked, if one was: the question left for it. Absent: it was answered here. */
  server: v.exactOptional(answeredBy),
  /** Of an answer that stands beside others in a comparison: `id` of the model that was asked for it. */
  compared: v.exactOptional(v.string()),
  statistics: v.nullable(turnStatistics),
  /** Null where no guard was asked. */
  judgement: v.nullable(judgement),
  /** Of a question about documents: what it is about. */
  scope: v.nullable(askedScope),
  /** Of an answer to one: what was looked at for it. Null until that is decided. */
  coverage: v.nullable(coverage),
  /** Of an answer to one, once it has ended: its quotes, checked, in the order of the text. */
  citations: v.array(citation),
  /** Of an answer about a picture: where the picture's text has something else, in the order of the answer. */
  differences: v.array(difference),
  createdAt: time,
});

/** A word or a few that a person files conversations under; without blanks around it, on one line. */
export const tag = v.pipe(
  v.string(),
  v.transform((text) =>
    text
      .toWellFormed()
      .normalize('NFC')
      .replace(/[\s\p{Cc}]+/gu, ' ')
      .trim(),
  ),
  v.minLength(1),
  v.maxLength(limits.tag),
);

export const conversationSummary = v.strictObject({
  id,
  title: v.string(),
  pinned: v.boolean(),
  createdAt: time,
  /** Of the last message. */
  updatedAt: time,
  messageCount: count,
  /** The last picture, for the list. */
  picture: v.nullable(hash),
  /** An answer is being written. */
  busy: v.boolean(),
  /** What the model is told at its start, after the system prompt of the settings. Absent: nothing. */
  instructions: v.exactOptional(v.string()),
  /** In the order in which they were given; no two differ in case alone. Absent: none. */
  tags: v.exactOptional(v.array(v.string())),
  /** Nothing of it reaches a disk: it is gone when it is closed, and when Loupe ends. Absent: it is kept. */
  private: v.exactOptional(v.literal(true)),
});

export const draft = v.strictObject({
  text: text(limits.message),
  pictures: v.array(picture),
  /** Absent: none was left here. */
  scope: v.exactOptional(v.nullable(askedScope)),
});

/** How far a guard is with checking an answer; `message.changed` reports its verdict. */
export const checkState = v.strictObject({
  messageId: id,
  conversationId: id,
  phase: v.picklist(['waiting', 'judging', 'failed']),
  failure: v.nullable(failure),
});

export const conversation = v.strictObject({
  ...conversationSummary.entries,
  /** The whole tree, parents before children. */
  messages: v.array(message),
  /** The last message of the branch that is shown; null while there is none. */
  leafId: v.nullable(id),
  /** Stays in force whatever is attached later; null = the last picture is in force. */
  pinnedPicture: v.nullable(picture),
  /** Of answers that wait for a guard, or could not be checked. */
  checks: v.array(checkState),
  draft,
});

export const searchHit = v.strictObject({
  conversationId: id,
  /** Null when the title or a tag was found. */
  messageId: v.nullable(id),
  title: v.string(),
  /** Text around the hit, in pieces; the marked ones matched. */
  snippet: v.array(v.strictObject({ text: v.string(), hit: v.boolean() })),
  at: time,
  /** The words are in this picture of the message; null: in its text, in the title, or in the name of a file. */
  picture: v.nullable(v.string()),
  /** The words are in the name of a picture or a document that the message brings; without a message, in a tag. */
  inName: v.boolean(),
});

/** What an answer is busy with; `sent`: a server has the question. `done` of `total`: pages, vision layers while looking, tokens while reading. */
export const turnState = v.strictObject({
  messageId: id,
  conversationId: id,
  phase: v.picklist(['waiting', 'loading', 'restarting', 'preparing', 'text', 'pages', 'sent', 'looking', 'reading', 'writing']),
  done: count,
  total: count,
});

export type Message = v.InferOutput<typeof message>;
export type MessageState = v.InferOutput<typeof messageState>;
export type TurnStatistics = v.InferOutput<typeof turnStatistics>;
export type Verdict = v.InferOutput<typeof verdict>;
export type Judgement = v.InferOutput<typeof judgement>;
export type CheckState = v.InferOutput<typeof checkState>;
export type TurnState = v.InferOutput<typeof turnState>;
export type ConversationSummary = v.InferOutput<typeof conversationSummary>;
export type Conversation = v.InferOutput<typeof conversation>;
export type Draft = v.InferOutput<typeof draft>;
export type SearchHit = v.InferOutput<typeof searchHit>;

/** What a private conversation is called, until a person calls it something else: its questions are in no list and no title. */
export const privateTitle = 'Private conversation';

/** A guard wrote this answer, so it is a verdict. */
export function isVerdict({ judgement, model }: Pick<Message, 'judgement' | 'model'>): boolean {
  return judgement !== null && judgement.by === model;
}

/** The branch that is shown, from its first message on; a comparison with all its answers. */
export function shownMessages({ messages, leafId }: Pick<Conversation, 'messages' | 'leafId'>): Message[] {
  const byId = new Map(messages.map((one) => [one.id, one]));
  const branch: Message[] = [];
  for (let at = byId.get(leafId ?? 0); at; at = byId.get(at.parentId ?? 0)) branch.push(at);
  return branch.reverse().flatMap((one) => (one.compared === undefined ? [one] : comparedWith(one, messages)));
}

function comparedWith({ parentId }: Message, messages: readonly Message[]): Message[] {
  return messages.filter((one) => one.parentId === parentId && one.compared !== undefined);
}
