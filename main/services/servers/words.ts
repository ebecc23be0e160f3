/** What goes wrong with a server, said so that a person knows what to do. Nothing of it quotes the question or the key. */
import { LoupeError } from '../../errors.ts';

const kept = 'Your question is kept.';
const inSettings = 'in Settings > Servers';
const unnamed = ['EAI_AGAIN', 'ENOTFOUND'];
const unreachable = ['ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL'];
const silent = ['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'];

/** A connection that could not be made, as one that another moment may make. */
export class NotReached extends LoupeError {
  constructor(message: string, nextStep: string) {
    super('server_unreachable', message, nextStep);
  }
}

/** What the network threw. */
export function connectionError(error: unknown, { host, proxy }: { host: string; proxy: string | null }): LoupeError {
  const { code, message } = innermost(error);
  const why = code || 'no reason was given';
  if (proxy !== null && (/^Proxy response/.test(message) || [...unnamed, ...unreachable, ...silent, 'ECONNREFUSED'].includes(code)))
    return new LoupeError(
      'server_unreachable',
      `The proxy ${proxy} did not lead to ${host} (${why}).`,
      `Correct HTTPS_PROXY or HTTP_PROXY, or name ${host} in NO_PROXY, then try again. ${kept}`,
    );
  if (code === 'ECONNREFUSED')
    return new NotReached(`${host} refuses the connection: no server listens there.`, `Start the server, then try again. ${kept}`);
  if (unnamed.includes(code))
    return new NotReached(
      `${host} cannot be found (${why}).`,
      `Check the connection and the address ${inSettings}, then try again. ${kept}`,
    );
  if (unreachable.includes(code) || silent.includes(code))
    return new NotReached(`${host} does not answer (${why}).`, `Check the connection, and that the server runs, then try again. ${kept}`);
  if (/CERT|SELF_SIGNED|UNABLE_TO_|TLS|SSL|EPROTO/.test(code))
    return new LoupeError(
      'server_refused',
      `The certificate of ${host} is not trusted here (${code}), so nothing was sent.`,
      'If the server is yours, set NODE_EXTRA_CA_CERTS to the file of its certificate and start Loupe again.',
    );
  return brokenOff(host);
}

export function brokenOff(host: string): LoupeError {
  return new LoupeError(
    'server_failed',
    `${host} broke the connection off before the answer was complete.`,
    'What was written is kept: continue the answer, or try again.',
  );
}

export function stalled(host: string, seconds: number, begun: boolean): LoupeError {
  return new LoupeError(
    'server_failed',
    begun ? `${host} sent nothing more for ${seconds} seconds.` : `${host} did not begin to answer within ${seconds} seconds.`,
    begun
      ? 'What was written is kept: continue the answer, or try again.'
      : `Look whether the server still loads its model, then try again. ${kept}`,
  );
}

export function malformed(host: string): LoupeError {
  return new LoupeError(
    'server_failed',
    `What ${host} sends is not an answer that Loupe can read.`,
    `Check that its address is the one for chat, usually one that ends with /v1. ${kept}`,
  );
}

export function tooMuch(host: string): LoupeError {
  return new LoupeError('server_failed', `${host} sends more than an answer can be, so Loupe closed the connection.`);
}

export interface Refusal {
  host: string;
  /** Null: it was asked for the list of its models. */
  model: string | null;
  status: number;
  /** Whether a key was sent. */
  keyed: boolean;
  /** What the server says, quoted; '' where it says nothing that can be shown. */
  said: string;
  retryAfterSeconds: number | null;
}

/** An answer with any status but 200. */
export function refusal({ host, model, status, keyed, said, retryAfterSeconds }: Refusal): LoupeError {
  const quoted = said === '' ? '' : ` It says: “${said}”`;
  const refused = (message: string, nextStep: string): LoupeError => new LoupeError('server_refused', `${message}${quoted}`, nextStep);
  if (status >= 300 && status < 400)
    return refused(
      `${host} redirects to another address (HTTP ${status}), and Loupe sends nothing there by itself.`,
      `Remove it, and add the server under its other address ${inSettings}. ${kept}`,
    );
  if (status === 401 || status === 407)
    return refused(
      keyed ? `${host} does not accept the key (HTTP ${status}).` : `${host} asks for a key (HTTP ${status}).`,
      `Enter ${keyed ? 'the key again' : 'its key'} ${inSettings}, then try again. ${kept}`,
    );
  if (status === 403)
    return refused(`${host} does not allow this (HTTP 403).`, `Check what the key may use, or choose another model of it. ${kept}`);
  if ((status === 404 || status === 405) && model === null)
    return refused(
      `${host} has no list of models at this address (HTTP ${status}).`,
      'Check the address, which usually ends with /v1. If it is right, enter the name of the model by hand.',
    );
  if (status === 404 || status === 405)
    return refused(
      `${host} has no model “${model}”, or does not chat at this address (HTTP ${status}).`,
      `Choose one of its models ${inSettings}. ${kept}`,
    );
  if (status === 413)
    return refused(`The pictures are too large for ${host} (HTTP 413).`, `Crop the picture, or attach a smaller one. ${kept}`);
  if (status === 429)
    return refused(
      `${host} asks for a pause: it counts too many requests (HTTP 429).`,
      `Try again ${retryAfterSeconds === null ? 'in a minute' : `in ${inWords(retryAfterSeconds)}`}, or choose another model. ${kept}`,
    );
  if (status >= 500)
    return new LoupeError(
      'server_failed',
      `${host} answered HTTP ${status}, a fault of its own.${quoted}`,
      `Try again, or look at what the server writes where it runs. ${kept}`,
    );
  if (status >= 400 && /context|too long|too many tokens|maximum.{0,20}tokens/i.test(said))
    return new LoupeError(
      'context_full',
      `The conversation is too long for ${model ?? 'the model'} (HTTP ${status}).${quoted}`,
      `Begin a new conversation, or shorten the question. ${kept}`,
    );
  if (status >= 400 && /image|vision|multimodal|modalit/i.test(said))
    return refused(
      `${model ?? 'The model'} did not take the picture (HTTP ${status}).`,
      `If it cannot see, switch “Sees pictures” off ${inSettings}, or choose another model. ${kept}`,
    );
  return refused(`${host} did not take the question (HTTP ${status}).`, `Check its model ${inSettings}, then try again. ${kept}`);
}

function inWords(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} ${Math.ceil(seconds) === 1 ? 'second' : 'seconds'}`;
  return seconds < 5_400 ? `${Math.ceil(seconds / 60)} minutes` : `${Math.ceil(seconds / 3_600)} hours`;
}

const longestQuote = 200;

/** What a server says of an error, as one short line without what may be the key; '' for pages of HTML and for nothing. */
export function quote(text: string, key: string | null): string {
  let said = text;
  try {
    said = messageIn(JSON.parse(text)) ?? '';
  } catch {
    if (/^\s*</.test(text)) return '';
  }
  const line = plain(key === null ? said : said.replaceAll(key, '…'))
    // What turns the direction of reading would reach beyond the quote.
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > longestQuote ? `${line.slice(0, longestQuote).toWellFormed()}…` : line;
}

function messageIn(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return null;
  const { error, message, detail } = value as Record<string, unknown>;
  return messageIn(error) ?? messageIn(message) ?? messageIn(detail);
}

/** Without controls, but for tabs and ends of lines. */
export function plain(text: string): string {
  return text.replace(/(?![\t\n])\p{Cc}/gu, '');
}

function innermost(error: unknown): { code: string; message: string } {
  let at = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  if (at instanceof AggregateError && at.errors.length > 0) return innermost(at.errors[0]);
  const { code, message } = at as { code?: unknown; message?: unknown };
  return { code: typeof code === 'string' ? code : '', message: typeof message === 'string' ? message : '' };
}
