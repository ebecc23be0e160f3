/** A call to a Loupe that runs already and lets programs in: the other end of `tools.ts`, for `loupe mcp`. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import * as v from 'valibot';
import type { ProgramTool } from '../contract.ts';
import { isErrorCode, LoupeError } from '../errors.ts';
import type { ToolAnswer } from '../program-tools.ts';

export interface ApiAddress {
  /** Of 127.0.0.1. */
  port: number;
  key: string;
}

export interface ToolRequest {
  tool: ProgramTool;
  /** As it calls itself. */
  program: string;
  arguments: unknown;
}

/** Bytes; answers are texts of at most a context's length. */
const longestAnswer = 8_000_000;
const answerSchema = v.strictObject({ texts: v.array(v.string()) });
const failureSchema = v.object({ code: v.string(), message: v.string(), nextStep: v.string() });

/**
 * Waits for as long as a person may take to confirm it. Rejects with what that Loupe refuses it with, with `network_failed` where none
 * answers, and with `cancelled` for an aborted signal: the connection is then closed, which cancels there what is being answered.
 */
export async function callTool({ port, key }: ApiAddress, { tool, ...body }: ToolRequest, signal: AbortSignal): Promise<ToolAnswer> {
  let reply: { status: number; value: unknown };
  try {
    reply = await post(port, { path: `/loupe/tools/${tool}`, key, body: JSON.stringify(body), signal });
  } catch (error) {
    if (signal.aborted) throw new LoupeError('cancelled', 'The call was cancelled.');
    throw error instanceof LoupeError ? error : nobody(port, error);
  }
  const answer = v.safeParse(answerSchema, reply.value);
  if (reply.status === 200 && answer.success) return answer.output;
  const failure = v.safeParse(failureSchema, reply.value);
  if (!failure.success || !isErrorCode(failure.output.code)) throw stranger(port);
  const { code, message, nextStep } = failure.output;
  throw code === 'key_wrong'
    ? new LoupeError(code, message, 'Put the key of Settings > For programs into LOUPE_API_KEY, where this assistant starts `loupe mcp`.')
    : new LoupeError(code, message, nextStep);
}

interface Post {
  path: string;
  key: string;
  body: string;
  signal: AbortSignal;
}

async function post(port: number, { path, key, body, signal }: Post): Promise<{ status: number; value: unknown }> {
  const headers = {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method: 'POST', headers, agent: false, signal }, resolve);
    request.on('error', reject).end(body);
  });
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk as string;
    if (text.length > longestAnswer) throw stranger(port);
  }
  return { status: response.statusCode ?? 0, value: jsonOf(text) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function nobody(port: number, cause: unknown): LoupeError {
  return new LoupeError(
    'network_failed',
    `No Loupe answers programs on port ${port} of this computer.`,
    'Start Loupe, switch on Settings > For programs, and give `loupe mcp` the port that stands there (--port).',
    { cause },
  );
}

function stranger(port: number): LoupeError {
  return new LoupeError(
    'protocol',
    `What answers on port ${port} of this computer is not a Loupe of this version.`,
    'Give `loupe mcp` the port that stands in Settings > For programs (--port), and use one version of Loupe for both.',
  );
}
