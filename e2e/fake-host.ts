/**
 * The whole app but the engine, for working on the window:
 * `node e2e/fake-host.ts [--data DIR] [--port N] [--word-ms N] [--words-at-once N] [--card-fails]`.
 */
import { mkdtempSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createFakeEngine, describe } from '../main/engine/test/fake-engine.ts';
import { device } from '../main/engine/test/fake-facts.ts';
import { LoupeError } from '../main/errors.ts';
import type { DeviceInfo } from '../main/native-surface.ts';
import type { ChatMessage, Engine } from '../main/services/ports.ts';
import { serve } from '../main/web/serve.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    port: { type: 'string', default: '0' },
    'word-ms': { type: 'string', default: '30' },
    'words-at-once': { type: 'string', default: '0' },
    /** There is a graphics card, which is lost with each question, and a processor. */
    'card-fails': { type: 'boolean', default: false },
  },
});

const card: DeviceInfo = { ...device, index: 0, name: 'Graphics card', kind: 'discrete' };
const processor: DeviceInfo = { ...device, index: 1, name: 'Processor', kind: 'cpu' };

/** Reads a field of a page as it is, but for numbers of pages that speak of Bolt: one of their digits is another. */
function fieldOf(messages: ChatMessage[]): string | null {
  const prompt = messages.flatMap(({ content }) => content.map((part) => (part.type === 'text' ? part.text : ''))).join('\n');
  const field = /\nField: (.*)$/.exec(prompt)?.[1];
  if (field === undefined) return null;
  const value = prompt
    .split('\n')
    .find((line) => line.startsWith(`${field}: `))
    ?.slice(field.length + 2);
  if (value === undefined) return 'NONE';
  const said = prompt.includes('Bolt') ? value.replace('2', '7') : value;
  return `${said} [p. 1 "${field}: ${said}"]`;
}

/** A question that begins with "Quote" gets the line of a page that has most of its words, cited. */
function quoteOf(messages: ChatMessage[]): string | null {
  const prompt = messages.flatMap(({ content }) => content.map((part) => (part.type === 'text' ? part.text : ''))).at(-1) ?? '';
  // What else the question may be called.
  if (/\n\nQuote .*$/.test(prompt)) return 'terminate';
  const question = /\nQuestion: (Quote .*)$/.exec(prompt)?.[1];
  if (question === undefined) return null;
  const wanted = new Set(question.toLowerCase().match(/\p{L}+/gu));
  const shared = (text: string): number => (text.toLowerCase().match(/\p{L}+/gu) ?? []).filter((word) => wanted.has(word)).length;
  let page = '';
  let best = { score: 0, answer: 'The pages do not say.' };
  for (const text of prompt.split('\n').slice(0, -1)) {
    page = /^=+ page (\d+)/.exec(text)?.[1] ?? page;
    if (shared(text) > best.score) best = { score: shared(text), answer: `The page says so [p. ${page} "${text}"].` };
  }
  return best.answer;
}

/** Says back what it is asked, base models too; with a model that is called a guard it judges: questions are safe, answers are not. */
function startEngine(): Engine {
  const options = { wordMs: Number(values['word-ms']), wordsAtOnce: Number(values['words-at-once']), contextLength: 8192 };
  const chat = createFakeEngine({ ...options, answer: (messages) => fieldOf(messages) ?? quoteOf(messages) ?? describe(messages) });
  const guard = createFakeEngine({ ...options, answer: (messages) => (messages.at(-1)!.role === 'user' ? 'safe' : 'unsafe\nS6,S13') });
  let current = chat;
  /** What the model is loaded on. */
  let on = card;
  return {
    ...chat,
    devices: async (listeners) => (values['card-fails'] ? [card, processor] : chat.devices(listeners)),
    async load(request, loading) {
      on = request.engine.device === String(processor.index) ? processor : card;
      current = JSON.stringify(request).includes('Guard') ? guard : chat;
      const loaded = { ...(await current.load(request, loading)), ...(values['card-fails'] && { device: on }) };
      if (current === guard) return { ...loaded, promptFormat: 'guard' };
      return /11B-Vision[^-\w]/.test(JSON.stringify(request)) ? { ...loaded, promptFormat: 'completion' } : loaded;
    },
    async generate(...given) {
      if (values['card-fails'] && on === card) throw new LoupeError('device_lost', 'The graphics driver reset the device.');
      return current.generate(...given);
    },
    countTokens: (...given) => current.countTokens(...given),
    async close() {
      await Promise.all([chat.close(), guard.close()]);
    },
  };
}

const { host, close } = await serve({
  startEngine,
  version: '0.0.0',
  dataDirectory: values.data ?? mkdtempSync(join(tmpdir(), 'loupe-fake-')),
  port: Number(values.port),
});
process.stdout.write(`${host.link()}\n`);
// Where it is killed again and again, each start but the first then takes a third of the time.
flushCompileCache();
process.once('SIGTERM', () => void close());
process.once('SIGINT', () => void close());
