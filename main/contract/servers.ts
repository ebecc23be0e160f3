/** Servers elsewhere, or on this computer, whose models answer beside those that run here. */
import * as v from 'valibot';
import { count, id, text } from './common.ts';

/** Names of models and of servers, in UTF-16 units. */
export const longestServerName = 200;
export const mostServers = 20;

const name = v.pipe(text(longestServerName), v.trim(), v.minLength(1));

/** As headers take it: printable ASCII. */
export const serverKey = v.pipe(text(500), v.trim(), v.regex(/^[\x21-\x7e]+$/));
export const serverAddress = v.pipe(text(500), v.trim(), v.minLength(1));

/** Where a server is. `here`: on this computer. */
const place = { host: v.string(), here: v.boolean() };

/** Of an answer: who wrote it, or a part of it. */
export const answeredBy = v.strictObject({ name: v.string(), ...place });

export const server = v.strictObject({
  id,
  name: v.string(),
  /** All requests begin with it; ends without "/". */
  address: v.string(),
  ...place,
  encrypted: v.boolean(),
  /** As the server calls it. */
  model: v.string(),
  /** Its model is shown pictures. */
  sees: v.boolean(),
  /** A person agreed that it gets pages of documents. */
  documents: v.boolean(),
  /** Tokens, where the server says. */
  contextLength: v.nullable(count),
  /** Where its key is kept, if it has one. */
  key: v.nullable(v.picklist(['keychain', 'session'])),
  keyProblem: v.nullable(v.string()),
});

/** `unencrypted`: a person agreed that what goes to another computer can be read on the way. */
export const newServer = v.strictObject({
  name,
  address: serverAddress,
  key: v.nullable(serverKey),
  model: name,
  sees: v.boolean(),
  contextLength: v.nullable(count),
  unencrypted: v.boolean(),
});

export const serverChange = v.strictObject({
  id,
  name: v.exactOptional(name),
  model: v.exactOptional(name),
  sees: v.exactOptional(v.boolean()),
  documents: v.exactOptional(v.boolean()),
  contextLength: v.exactOptional(v.nullable(count)),
  /** Null forgets it. */
  key: v.exactOptional(v.nullable(serverKey)),
});

/** A model that a server offers. */
export const offeredModel = v.strictObject({ model: v.string(), contextLength: v.nullable(count) });

/** Of a choice: what is known of the server behind it. */
export const choiceServer = v.strictObject({ ...answeredBy.entries, sees: v.boolean(), contextLength: v.nullable(count) });

export type AnsweredBy = v.InferOutput<typeof answeredBy>;
export type Server = v.InferOutput<typeof server>;
export type NewServer = v.InferOutput<typeof newServer>;
export type ServerChange = v.InferOutput<typeof serverChange>;
export type OfferedModel = v.InferOutput<typeof offeredModel>;

const prefix = 'server:';

/** `id` of the ModelChoice of a server. */
export function serverChoiceId(id: number): string {
  return `${prefix}${id}`;
}

/** Null for a model on this computer. */
export function serverIdOf(model: string): number | null {
  const digits = model.startsWith(prefix) ? model.slice(prefix.length) : '';
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : null;
}

/** "Left this computer: sent to Office (example.org)": true of an answer that failed, too. */
export function answeredByInWords({ name, host, here }: AnsweredBy): string {
  return here ? `Sent to ${name}, a server on this computer (${host})` : `Left this computer: sent to ${name} (${host})`;
}
