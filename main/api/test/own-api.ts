/** The API on a fake engine, and a program that calls it. For tests. */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { createFakeEngine, type FakeEngineOptions } from '../../engine/test/fake-engine.ts';
import type { ModelChoice } from '../../contract.ts';
import { LoupeError } from '../../errors.ts';
import { createEngineService, type EngineService } from '../../services/engine-service.ts';
import { defaultSettings } from '../../contract.ts';
import type { Engine, PictureWorker } from '../../services/ports.ts';
import type { ApiLimits } from '../limits.ts';
import { startApi } from '../serve.ts';
import type { ApiServer } from '../server.ts';

export const key = 'a-key-for-tests-0123456789';
/** Of one white pixel. */
export const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAAMBAQDJ/pLvAAAAAElFTkSuQmCC';

export const demo: ModelChoice = { id: 'demo', name: 'Demo model', kind: 'demo', bytes: 24, present: true };

export interface OwnApi {
  api: ApiServer;
  engine: EngineService;
  /** What the engine was asked. */
  port: Engine & { crash(): void };
}

export interface OwnApiOptions extends FakeEngineOptions {
  choices?: ModelChoice[];
  limits?: ApiLimits;
  origins?: string[];
  compose?: PictureWorker['compose'];
}

export async function startOwnApi({ choices = [demo], limits, origins = [], compose, ...fake }: OwnApiOptions = {}): Promise<OwnApi> {
  const port = createFakeEngine(fake);
  const settings = () => ({ ...defaultSettings, maxTokens: 50 });
  const engine = createEngineService({
    engine: port,
    settings,
    model: (id) => {
      const choice = choices.find((model) => model.id === id);
      if (!choice) throw new LoupeError('model_missing', `No ${id}.`);
      return { choice, place: async () => ({ directory: id }) };
    },
    onChange: () => {},
  });
  const api = await startApi({
    engine,
    models: { list: () => choices },
    pictures: { compose: compose ?? (() => Promise.reject(new Error('nothing to compose in this test'))) },
    history: { keep: () => Promise.reject(new Error('nothing to keep in this test')) },
    settings,
    version: '1.2.3',
    port: 0,
    key,
    origins,
    ...(limits && { limits }),
  });
  return { api, engine, port };
}

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
  json(): unknown;
}

export interface Asking {
  method?: string;
  headers?: Record<string, string>;
  /** Already written, or an object. */
  body?: unknown;
}

/** With the key, unless `headers` say otherwise; nothing else that a client would add. */
export function begin(port: number, path: string, { method = 'POST', headers = {} }: Asking = {}): ClientRequest {
  const all = { host: `127.0.0.1:${port}`, authorization: `Bearer ${key}`, ...headers };
  return httpRequest({ host: '127.0.0.1', port, path, method, headers: all, agent: false });
}

export function ask(port: number, path: string, asking: Asking = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = begin(port, path, asking);
    request.on('error', reject);
    request.on('response', (response) => void readAnswer(response).then(resolve, reject));
    const { body } = asking;
    request.end(body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body));
  });
}

export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return { status: response.statusCode!, headers: response.headers, text, json: () => JSON.parse(text) as unknown };
}

/** The objects of a stream of either dialect. */
export function piecesOf(text: string): unknown[] {
  return text
    .split('\n')
    .map((line) => line.replace(/^data: /, ''))
    .filter((line) => line !== '' && line !== '[DONE]')
    .map((line) => JSON.parse(line) as unknown);
}
