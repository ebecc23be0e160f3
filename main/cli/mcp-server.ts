/**
 * The Model Context Protocol, as a server with tools: one JSON-RPC message a line. Four methods are all that such a server has:
 * initialize, ping, tools/list and tools/call, and of the notifications notifications/cancelled and notifications/progress.
 * https://modelcontextprotocol.io/specification/2025-11-25
 */
import * as v from 'valibot';
import { programToolSchema, type ProgramTool } from '../contract.ts';
import { toLoupeError, type LoupeError } from '../errors.ts';
import { isBounded } from '../json.ts';
import { programTools, type ToolAnswer } from '../program-tools.ts';

export interface McpCall {
  tool: ProgramTool;
  /** As it calls itself. */
  program: string;
  arguments: unknown;
}

export interface McpServerOptions {
  version: string;
  /** Rejects with what the program is told. */
  call: (call: McpCall, signal: AbortSignal) => Promise<ToolAnswer>;
  /** Without a line end. */
  write: (line: string) => void;
}

export interface McpServer {
  /** Never throws. Null: a line that was too long to be read. */
  take(line: string | null): void;
  /** Cancels what is being answered. Resolves when nothing is. */
  close(): Promise<void>;
}

/** Those that say the same of what is used here, newest first. */
const versions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
/** Above what any message needs. */
const shape = { deepest: 32, mostValues: 10_000 };
/** How often a program that asked for it is told that its call is not forgotten: many give up after a minute in which they hear nothing. */
export const progressMs = 10_000;
/** Calls that one program may have under way. */
export const mostCalls = 16;

/** Of JSON-RPC 2.0. */
const codes = { parse: -32_700, request: -32_600, method: -32_601, params: -32_602 };

const instructions =
  'Loupe looks at pictures and at the screen of the user with a vision model that runs on their computer. ' +
  'The user confirms in a window what you may do, which can take a while, and may decline.';

type Id = string | number;
const id = v.union([v.string(), v.pipe(v.number(), v.integer())]);
const message = v.looseObject({ jsonrpc: v.literal('2.0'), id: v.optional(id), method: v.string(), params: v.optional(v.unknown()) });
const initializeParams = v.looseObject({ protocolVersion: v.string(), clientInfo: v.looseObject({ name: v.string() }) });
const callParams = v.looseObject({
  name: v.string(),
  arguments: v.optional(v.unknown()),
  _meta: v.optional(v.looseObject({ progressToken: v.optional(id) })),
});
const cancelParams = v.looseObject({ requestId: id });

/** A message that cannot be answered as it was meant. */
class RpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export function createMcpServer({ version, call, write }: McpServerOptions): McpServer {
  /** Null before it has said so. */
  let program: string | null = null;
  const running = new Map<Id, { stop: AbortController; done: Promise<void> }>();

  const send = (value: object): void => write(JSON.stringify({ jsonrpc: '2.0', ...value }));
  const fail = (to: Id | null, code: number, words: string): void => send({ id: to, error: { code, message: words } });

  function initialize(params: unknown): object {
    const { protocolVersion, clientInfo } = parse(initializeParams, params);
    program = clientInfo.name;
    return {
      protocolVersion: versions.includes(protocolVersion) ? protocolVersion : versions[0],
      capabilities: { tools: {} },
      serverInfo: { name: 'loupe', title: 'Loupe', version },
      instructions,
    };
  }

  const list = (): object => ({
    tools: Object.entries(programTools).map(([name, tool]) => ({
      name,
      ...tool,
      annotations: { readOnlyHint: true, openWorldHint: false },
    })),
  });

  function begin(to: Id, params: unknown): void {
    const { name, arguments: given = {}, _meta } = parse(callParams, params);
    const tool = v.safeParse(programToolSchema, name);
    if (!tool.success) throw new RpcError(codes.params, `There is no tool "${name.slice(0, 100)}".`);
    if (program === null) throw new RpcError(codes.request, 'Call initialize first: Loupe asks the user by the name of the program.');
    if (running.has(to)) throw new RpcError(codes.request, 'A call with this id is being answered.');
    if (running.size >= mostCalls) throw new RpcError(codes.request, `${mostCalls} calls are being answered. Wait for one of them.`);
    const stop = new AbortController();
    const endProgress = tellProgress(_meta?.progressToken);
    const done = call({ tool: tool.output, program, arguments: given }, stop.signal)
      .then(
        ({ texts }) => contentOf(texts),
        (thrown: unknown) => ({ ...contentOf([wordsOf(toLoupeError(thrown))]), isError: true }),
      )
      .then((result) => {
        running.delete(to);
        endProgress();
        // Who has cancelled it expects no answer.
        if (!stop.signal.aborted) send({ id: to, result });
      });
    running.set(to, { stop, done });
  }

  /** Nobody knows how long a person takes, so it counts without an end. Returns the function that stops it. */
  function tellProgress(progressToken: Id | undefined): () => void {
    if (progressToken === undefined) return () => {};
    let progress = 0;
    const timer = setInterval(() => {
      send({
        method: 'notifications/progress',
        params: { progressToken, progress: ++progress, message: 'Loupe is waiting, or answering.' },
      });
    }, progressMs);
    return () => clearInterval(timer);
  }

  const methods = new Map<string, (params: unknown) => object>([
    ['initialize', initialize],
    ['ping', () => ({})],
    ['tools/list', list],
  ]);

  function answer(to: Id, method: string, params: unknown): void {
    if (method === 'tools/call') return begin(to, params);
    const handle = methods.get(method);
    if (!handle) throw new RpcError(codes.method, `Loupe has no method "${method.slice(0, 100)}".`);
    send({ id: to, result: handle(params) });
  }

  function notice(method: string, params: unknown): void {
    if (method !== 'notifications/cancelled') return;
    const cancel = v.safeParse(cancelParams, params);
    if (cancel.success) running.get(cancel.output.requestId)?.stop.abort();
  }

  return {
    take(line) {
      if (line === null) return fail(null, codes.parse, 'The line is longer than Loupe reads.');
      const value = jsonOf(line);
      if (value === undefined) return fail(null, codes.parse, 'The line is not JSON.');
      const read = v.safeParse(message, value);
      // An answer to what Loupe never asked is no request either.
      if (!read.success) return fail(idOf(value), codes.request, 'The line is not one JSON-RPC request or notification.');
      const { id: to, method, params } = read.output;
      if (to === undefined) return notice(method, params);
      try {
        answer(to, method, params);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        fail(to, error.code, error.message);
      }
    },
    async close() {
      const left = [...running.values()];
      for (const { stop } of left) stop.abort();
      await Promise.all(left.map(({ done }) => done));
    },
  };
}

function parse<Schema extends v.GenericSchema>(schema: Schema, params: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, params);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new RpcError(codes.params, `params${v.getDotPath(issue) ? `.${v.getDotPath(issue)}` : ''}: ${issue.message.slice(0, 200)}`);
}

/** Undefined for what is none. */
function jsonOf(line: string): unknown {
  try {
    return isBounded(line, shape) ? JSON.parse(line) : undefined;
  } catch {
    return undefined;
  }
}

function idOf(value: unknown): Id | null {
  const read = v.safeParse(v.looseObject({ id }), value);
  return read.success ? read.output.id : null;
}

const contentOf = (texts: readonly string[]): object => ({ content: texts.map((text) => ({ type: 'text', text })) });

const wordsOf = ({ message: what, nextStep }: LoupeError): string => `${what} ${nextStep}`;
