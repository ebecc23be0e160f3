/** A server of OpenAI's dialect on loopback that does what a test says: stalls, breaks off, refuses, sends nonsense. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  path: string;
  headers: IncomingHttpHeaders;
  /** Parsed; null for a request without one. */
  body: { model: string; messages: { role: string; content: unknown }[]; stream?: boolean; max_tokens?: number } | null;
}

export type Script = (response: ServerResponse, asked: Asked, request: IncomingMessage) => void | Promise<void>;

export interface ScriptedServer {
  /** As a person enters it. */
  address: string;
  port: number;
  /** Every request, in order. */
  asked: Asked[];
  /** Connections that were ever opened. */
  connections(): number;
  /** Connections that are open. */
  open(): number;
  /** What is done with the next requests, one after the other; the last of them with all that follow. */
  play(...scripts: Script[]): void;
  close(): Promise<void>;
}

export async function startScriptedServer(): Promise<ScriptedServer> {
  const asked: Asked[] = [];
  let scripts: Script[] = [];
  let opened = 0;
  let open = 0;
  const server = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const piece of request.setEncoding('utf8')) text += piece as string;
      const body = text === '' ? null : (JSON.parse(text) as Asked['body']);
      const one = { path: request.url!, headers: request.headers, body };
      asked.push(one);
      const script = scripts.length > 1 ? scripts.shift()! : scripts[0]!;
      await script(response, one, request);
    })().catch(() => response.destroy());
  });
  server.on('connection', (socket) => {
    opened++;
    open++;
    socket.on('close', () => open--);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}/v1`,
    port,
    asked,
    connections: () => opened,
    open: () => open,
    play: (...next) => (scripts = next),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const event = (data: unknown): string => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
export const word = (content: string): string => event({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
export const end = (reason = 'stop'): string => event({ choices: [{ index: 0, delta: {}, finish_reason: reason }] });
export const usage = (prompt: number, completion: number): string =>
  event({ choices: [], usage: { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion } });
export const done = event('[DONE]');

export const streaming = { 'content-type': 'text/event-stream' };

/** Sends all of it, and ends. */
export function streams(...pieces: string[]): Script {
  return (response) => {
    response.writeHead(200, streaming);
    for (const piece of pieces) response.write(piece);
    response.end();
  };
}

/** Sends all of it, and nothing more. */
export function stalls(...pieces: string[]): Script {
  return (response) => {
    response.writeHead(200, streaming);
    response.flushHeaders();
    for (const piece of pieces) response.write(piece);
  };
}

/** Sends all of it, and takes the connection away. */
export function breaksOff(...pieces: string[]): Script {
  return (response) => {
    response.writeHead(200, streaming);
    for (const piece of pieces) response.write(piece);
    setImmediate(() => response.destroy());
  };
}

export function answers(status: number, body: unknown = '', headers: Record<string, string> = {}): Script {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}
