/** A note in the data folder that names where the app is being served, for a second start. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { LoupeError } from '../errors.ts';
import { withoutSession } from './server.ts';

const notePath = (dataDirectory: string): string => join(dataDirectory, 'serving.json');

/** Returns the function that removes the note. Without a note a second start only lacks its advice. */
export function noteServing(dataDirectory: string, port: number): () => void {
  const path = notePath(dataDirectory);
  try {
    writeFileSync(path, `${JSON.stringify({ port, pid: process.pid })}\n`, { mode: 0o600 });
  } catch {
    return () => {};
  }
  return () => rmSync(path, { force: true });
}

/** `store_locked`, with the way to the Loupe that holds the folder where it is one in a browser. */
export async function withWayToRunning(error: LoupeError, dataDirectory: string): Promise<LoupeError> {
  const running = readNote(dataDirectory);
  // A Loupe that was killed leaves its note behind; by now the desktop app may be using the folder.
  if (!running || !(await isLoupe(running.port))) return error;
  const page = `http://127.0.0.1:${running.port}`;
  const ways = [`Continue in its page, ${page}, in the browser that opened its link`, `end it (process ${running.pid})`];
  const nextStep = `${ways.join('; or ')}; or name another folder with --data.`;
  return new LoupeError(error.code, error.message, nextStep, { cause: error });
}

function readNote(dataDirectory: string): { port: number; pid: number } | null {
  try {
    const { port, pid } = JSON.parse(readFileSync(notePath(dataDirectory), 'utf8')) as { port?: unknown; pid?: unknown };
    return Number.isInteger(port) && Number.isInteger(pid) ? { port: Number(port), pid: Number(pid) } : null;
  } catch {
    return null;
  }
}

/** Whether who listens there turns strangers away in our words. */
function isLoupe(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/session', timeout: 2000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
        if (body.length > 1000) request.destroy();
      });
      response.once('close', () => resolve(body.trim() === withoutSession));
    });
    request.once('timeout', () => request.destroy()).once('error', () => resolve(false));
  });
}
