/** Answers of the built engine end, whatever the copy of the model declares about their end. */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { demoModel } from '../host/paths.ts';
import { findModel } from '../services/models/local/find-model.ts';
import { write } from '../services/models/test/write-model.ts';
import type { GenerateReply, LoadedModel } from '../services/ports.ts';
import { createEngineClient } from './client.ts';
import { quantiseAlone } from './test/quantise-alone.ts';

const slow = { timeout: 600_000 };
const endOfText = 420;
const answer = 'There is no picture yet. Add one and ask again.';
type Json = Record<string, unknown>;

const engine = createEngineClient();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-stops-'));
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** The demo model as it would have been exported in spring 2024: nothing but <|end_of_text|> is declared. */
function early(name: string, { template, eos = '<|end_of_text|>' }: { template: boolean; eos?: string }): string {
  const copy = join(folder, name);
  cpSync(demoModel, copy, {
    recursive: true,
    filter: (path) => !/samples|README/.test(path) && (template || !path.endsWith('chat_template.jinja')),
  });
  const change = (file: string, to: (json: Json) => Json): void =>
    writeFileSync(join(copy, file), JSON.stringify(to(JSON.parse(readFileSync(join(copy, file), 'utf8')) as Json)));
  change('config.json', (config) => ({ ...config, text_config: { ...(config['text_config'] as Json), eos_token_id: endOfText } }));
  change('generation_config.json', (config) => ({ ...config, eos_token_id: endOfText }));
  change('tokenizer_config.json', ({ chat_template: known, ...config }) => ({
    ...config,
    eos_token: eos,
    ...(template ? { chat_template: known } : {}),
  }));
  return copy;
}

async function asGguf(directory: string): Promise<string> {
  const target = join(directory, 'gguf', 'Llama-early-Q8_0.gguf');
  write(directory, { 'gguf/.keep': '' });
  await quantiseAlone({ directory, target, text: 'q8_0', vision: 'f16' });
  return target;
}

/** An Ollama models folder with this file and these parameters; returns the manifest's path. */
function inOllama(name: string, file: string, parameters: object): string {
  const store = join(folder, name);
  const layer = (kind: string, content: Buffer): object => {
    const hex = createHash('sha256').update(content).digest('hex');
    write(store, { [`blobs/sha256-${hex}`]: content });
    return { mediaType: `application/vnd.ollama.image.${kind}`, digest: `sha256:${hex}`, size: content.length };
  };
  const layers = [layer('model', readFileSync(file)), layer('params', Buffer.from(JSON.stringify(parameters)))];
  const manifest = 'manifests/registry.ollama.ai/library/llama-early/latest';
  write(store, { [manifest]: JSON.stringify({ layers }) });
  return join(store, manifest);
}

async function ask(
  model: string,
  more: { maxTokens?: number } = {},
): Promise<{ reply: GenerateReply; streamed: string; format: LoadedModel['promptFormat'] }> {
  const { promptFormat: format } = await engine.load({ ...(await findModel(model)), contextLength: 256, engine: { activations: 'f32' } });
  let streamed = '';
  const reply = await engine.generate(
    {
      messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }] }],
      maxTokens: 60,
      sampling: { temperature: 0 },
      ...more,
    },
    { onText: (text) => (streamed += text) },
  );
  return { reply, streamed, format };
}

const ended = { format: 'template', streamed: answer, reply: { text: answer, finish: 'stop' } };

test('a folder, and a GGUF file of it, where only <|end_of_text|> is declared: the template tells how a turn ends', slow, async () => {
  const directory = early('template', { template: true });
  expect(await ask(directory)).toMatchObject(ended);
  expect(await ask(await asGguf(directory))).toMatchObject(ended);
});

test('no template: the tokenizer tells, in the folder and in a GGUF file of it', slow, async () => {
  const directory = early('tokenizer', { template: false, eos: '<|eot_id|>' });
  expect(await ask(directory)).toMatchObject({ ...ended, format: 'llama3' });
  expect(await ask(await asGguf(directory))).toMatchObject({ ...ended, format: 'llama3' });
});

test("nothing in the file: Ollama's stop parameters tell, tokens and texts", slow, async () => {
  const file = await asGguf(early('nothing', { template: false }));
  const stops = ['<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'];
  expect(await ask(inOllama('tokens', file, { stop: stops }))).toMatchObject({ ...ended, format: 'llama3' });

  // Several tokens, found in the middle of one; nothing of it is shown, not even for a moment.
  const cut = await ask(inOllama('texts', file, { stop: [...stops, 'Add one a'] }));
  expect(cut).toMatchObject({ streamed: 'There is no picture yet. ', reply: { text: 'There is no picture yet. ', finish: 'stop' } });
  expect(cut.reply.tokens.length).toBeLessThan(12);
  // What only begins like a stop is shown after all.
  const limited = await ask(inOllama('begun', file, { stop: [...stops, 'Add one picture'] }));
  expect(limited).toMatchObject({ streamed: answer, reply: { text: answer, finish: 'stop' } });
});

test('a base model goes on past what would end a turn', slow, async () => {
  const { format, reply } = await ask(early('base', { template: false }), { maxTokens: 24 });
  expect({ format, finish: reply.finish, tokens: reply.tokens.length }).toEqual({ format: 'completion', finish: 'length', tokens: 24 });
});
