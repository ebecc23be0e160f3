/** A window without a browser: enters by a link, asks, hears events. For tests. */
import { request as httpRequest } from 'node:http';
import { WebSocket } from 'ws';
import { parseOutput, type EventMessage, type Input, type Output, type RequestName } from '../../contract.ts';
import type { Session } from '../access.ts';
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

/** What the page asks with the token of its link, or the key that it has. */
export function askSession(port: number, secret: string, headers: Record<string, string> = {}): Promise<HttpAnswer> {
  return httpGet(port, '/session', { origin: `http://127.0.0.1:${port}`, authorization: `Loupe ${secret}`, ...headers }, 'POST');
}

export const tokenOf = (link: string): string => new URL(link).hash.slice('#token='.length);

/** The session that a link gives. */
export async function enter(link: string): Promise<Session & { port: number }> {
  const port = Number(new URL(link).port);
  return { port, ...(JSON.parse((await askSession(port, tokenOf(link))).body) as Session) };
}

/** What a connection of our page brings. */
export function ofPage(port: number, key: string): SocketHeaders {
  return { origin: `http://127.0.0.1:${port}`, key };
}

export type SocketHeaders = Record<string, string> & { key?: string };

/** Null when it is not let in. */
export function openSocket(port: number, { key, ...headers }: SocketHeaders, path = '/socket'): Promise<WebSocket | null> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, key === undefined ? [] : ['loupe', `session.${key}`], { headers });
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
      socket.off('message', hear).off('close', lose);
      resolve(reply);
    };
    const lose = (): void => reject(new Error('The connection was closed.'));
    socket.on('message', hear).once('close', lose);
    socket.send(encodeFrame({ id, name, input }));
  });
}

export interface WebClient {
  /** Rejects with what the app says of it. */
  ask<Name extends RequestName>(name: Name, input: Input<Name>): Promise<Output<Name>>;
  /** What is shown of a picture. */
  thumbnail(hash: string): Promise<Uint8Array>;
  onEvent(listener: (event: EventMessage) => void): void;
  close(): void;
}

export async function connectWindow(link: string): Promise<WebClient> {
  const { port, key, pictures } = await enter(link);
  const socket = await openSocket(port, ofPage(port, key));
  if (!socket) throw new Error('The web host let nobody in.');
  return {
    async ask(name, input) {
      const reply = (await askRaw(socket, name, input)) as { ok: boolean; output: unknown; message: string };
      if (!reply.ok) throw Object.assign(new Error(reply.message), reply);
      return parseOutput(name, reply.output);
    },
    async thumbnail(hash) {
      const answer = await fetch(`http://127.0.0.1:${port}/pictures/${hash}/thumb?key=${pictures}`);
      if (!answer.ok) throw new Error(`The picture was answered with ${answer.status}.`);
      return answer.bytes();
    },
    onEvent: (listener) =>
      void socket.on('message', (data: Buffer) => {
        const message = decodeFrame(data.toString()) as EventMessage;
        if ('event' in message) listener(message);
      }),
    close: () => socket.terminate(),
  };
}
