/** A window without a browser: enters by a link, asks, hears events. For tests. */
import { request as httpRequest } from 'node:http';
import { WebSocket } from 'ws';
import { parseOutput, type EventMessage, type Input, type Output, type RequestName } from '../../contract.ts';
import { decodeFrame, encodeFrame } from '../frames.ts';

export interface HttpAnswer {
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** As `fetch`, with headers that it forbids and without following redirects. */
export function httpGet(port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, path, method, headers: { host: `127.0.0.1:${port}`, ...headers } },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
      },
    );
    request.on('error', reject).end();
  });
}

/** The cookie that a link gives. */
export async function enter(link: string): Promise<{ port: number; cookie: string }> {
  const { port, pathname, search } = new URL(link);
  const { headers } = await httpGet(Number(port), pathname + search);
  return { port: Number(port), cookie: String(headers['set-cookie']).split(';')[0]! };
}

/** Null when it is not let in. */
export function openSocket(port: number, headers: Record<string, string>, path = '/socket'): Promise<WebSocket | null> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
    socket.once('open', () => resolve(socket));
    socket.once('error', () => resolve(null));
  });
}

let nextId = 1;

/** The reply as it came, a failure too. */
export function askRaw(socket: WebSocket, name: string, input: unknown): Promise<unknown> {
  const id = nextId++;
  return new Promise((resolve, reject) => {
    const hear = (data: Buffer): void => {
      const reply = decodeFrame(data.toString()) as { id?: number };
      if (reply.id !== id) return;
      socket.off('message', hear);
      resolve(reply);
    };
    socket.on('message', hear);
    socket.once('close', () => reject(new Error('The connection was closed.')));
    socket.send(encodeFrame({ id, name, input }));
  });
}

export interface WebClient {
  ask<Name extends RequestName>(name: Name, input: Input<Name>): Promise<Output<Name>>;
  onEvent(listener: (event: EventMessage) => void): void;
  close(): void;
}

export async function connectWindow(link: string): Promise<WebClient> {
  const { port, cookie } = await enter(link);
  const socket = await openSocket(port, { cookie, origin: `http://127.0.0.1:${port}` });
  if (!socket) throw new Error('The web host let nobody in.');
  return {
    async ask(name, input) {
      const reply = (await askRaw(socket, name, input)) as { ok: boolean; output: unknown; message: string };
      if (!reply.ok) throw new Error(reply.message);
      return parseOutput(name, reply.output);
    },
    onEvent: (listener) =>
      void socket.on('message', (data: Buffer) => {
        const message = decodeFrame(data.toString()) as EventMessage;
        if ('event' in message) listener(message);
      }),
    close: () => socket.terminate(),
  };
}
