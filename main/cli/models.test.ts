import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LoupeError } from '../errors.ts';
import type { DeviceInfo } from '../native-surface.ts';
import { createFakeEngine, type FakeEngineOptions } from '../engine/test/fake-engine.ts';
import { openModelServices } from '../model-services.ts';
import { openStore } from '../storage/store.ts';
import { catalogueModel } from '../services/models/catalogue.ts';
import type { Engine } from '../services/ports.ts';
import { startHubDouble, type HubDouble, type HubDoubleOptions } from '../services/models/test/hub-double.ts';
import { oddNames } from '../services/models/test/odd-names.ts';
import { ggufBytes, publishedFiles, write } from '../services/models/test/write-model.ts';
import { runLoupe } from './run.ts';
import type { ExitCode } from './terminal.ts';
import { terminalDouble } from './test/terminal-double.ts';

const entry = catalogueModel('llama-3.2-11b-vision-instruct');
let folder: string;
let hub: HubDouble | undefined;
let environment: NodeJS.ProcessEnv;
let startEngine: () => Engine;
let hostMemoryBytes: number;
beforeEach(() => {
  startEngine = () => on({ kind: 'cpu', memoryBytes: 16e9 });
  hostMemoryBytes = 64e9;
  folder = mkdtempSync(join(tmpdir(), 'loupe-cli-models-'));
  environment = { HF_HUB_CACHE: '/nowhere', HF_TOKEN_PATH: '/nowhere', OLLAMA_MODELS: '/nowhere', LOUPE_MODELS: join(folder, 'models') };
});
afterEach(async () => {
  await hub?.close();
  hub = undefined;
  rmSync(folder, { recursive: true });
});

async function hubOf(repository: string, options: Partial<HubDoubleOptions> = {}): Promise<void> {
  hub = await startHubDouble({
    repository,
    files: new Map(Object.entries(publishedFiles()).map(([name, content]) => [name, Buffer.from(content)])),
    ...options,
  });
  environment['HF_ENDPOINT'] = hub.endpoint;
}

function on(device: Pick<DeviceInfo, 'kind' | 'memoryBytes'>, options: FakeEngineOptions = {}): Engine {
  const engine = createFakeEngine(options);
  return { ...engine, devices: async () => (await engine.devices()).map((fake) => ({ ...fake, ...device })) };
}

async function run(
  args: string[],
  {
    person = false,
    interrupt = new AbortController(),
    onErr = () => {},
  }: { person?: boolean; interrupt?: AbortController; onErr?: (text: string) => void } = {},
): Promise<{ code: ExitCode; out: string; err: string }> {
  const terminal = terminalDouble({
    err: (text) => {
      terminal.said.err += text;
      onErr(text);
    },
    errIsTerminal: person,
    openModels: async (options) => openModelServices(options, startEngine, { environment, hostMemoryBytes }),
    interrupted: interrupt.signal,
  });
  return { code: await runLoupe(['models', ...args, '--data', join(folder, 'data')], terminal), ...terminal.said };
}

test('list: what is here, what can be had, and how it would run', async () => {
  const { code, out } = await run(['list']);
  expect(code).toBe(0);
  expect(out).toContain('  Demo model\n');
  expect(out).toMatch(
    / {2}llama-3\.2-11b-vision-instruct, 21\.3 GB\n {6}Looks at screenshots.*\n {6}slow, as published: Without a graphics card/,
  );
  const json = JSON.parse((await run(['list', '--json'])).out) as { catalogue: { entries: unknown[] }; models: unknown[] };
  expect([json.catalogue.entries.length, json.models.length]).toEqual([13, 1]);
  // By its name of today, and by the one that programs may know.
  const [fitting] = (json.catalogue.entries[0] as { fits: { all: object[] }[] }).fits[0]!.all;
  expect(fitting).toMatchObject({ outcome: 'slow', verdict: 'slow' });
});

test('beside the running app: what reads works, and what writes says who has the folder', async () => {
  const app = openStore(join(folder, 'data'));
  try {
    const { code, out } = await run(['list']);
    expect([code, out]).toEqual([0, expect.stringContaining('  Demo model\n')]);
    expect((await run(['find', folder])).err).toContain('No model was found');
    expect((await run(['licence', '11b-vision-instruct'])).code).toBe(0);
    const pulled = await run(['pull', '11b-vision-instruct', '--accept-licence']);
    expect(pulled).toMatchObject({ code: 1, err: expect.stringMatching(/^loupe: Another Loupe is using .*data\.\nClose/) as string });
  } finally {
    app.close();
  }
});

test.each([
  'Llama 3.2 11B Vision Instruct',
  'llama-3.2-11b-vision-instruct',
  'meta-llama/Llama-3.2-11B-Vision-Instruct',
  'llama 3.2 11b vision instruct',
  '11B Vision Instruct',
])('the name %j is that of one model', async (name) => {
  const { code, err } = await run(['pull', name]);
  expect([code, err]).toEqual([1, expect.stringContaining('The Llama 3.2 Community License has not been agreed to yet.')]);
});

test('a name in pieces', async () => {
  const { code, err } = await run(['pull', 'Llama', '3.2', '11B']);
  expect([code, err]).toEqual([2, expect.stringContaining('Put a name of several words in quotation marks: "Llama 3.2 11B".')]);
});

test('pull: the licence first, then a bar, then the model; and away with it again', async () => {
  await hubOf(entry.mirrors[0]!);
  const refused = await run(['pull', '11b-vision-instruct']);
  expect(refused).toMatchObject({ code: 1, out: '' });
  expect(refused.err).toMatch(/Llama 3\.2 Community License \(2024-09-25\), in short:[^]*European Union[^]*--accept-licence/);
  expect(hub!.requests).toBe(0);

  const pulled = await run(['pull', '11b-vision-instruct', '--accept-licence'], { person: true });
  const directory = join(folder, 'models', 'Llama-3.2-11B-Vision-Instruct');
  expect(pulled).toMatchObject({ code: 0, out: `Llama 3.2 11B Vision Instruct is here: ${directory}\n` });
  expect(pulled.err).toMatch(/Instruct: (asking for the list of files|waits for its turn)/);
  expect(readFileSync(join(directory, 'NOTICE'), 'utf8')).toContain('All Rights Reserved');

  expect((await run(['list'])).out).toContain(directory);
  expect(await run(['verify', 'Llama-3.2-11B-Vision-Instruct'])).toMatchObject({
    code: 0,
    out: 'Llama-3.2-11B-Vision-Instruct: 2 files have the checksum of the source.\n',
  });
  truncateSync(join(directory, 'tokenizer.json'), 0);
  expect((await run(['remove', directory, '--files'])).out).toContain('and its files are gone');
  expect(existsSync(directory)).toBe(false);
});

test('pull without a connection says so with the first failure, once, and goes on by itself', { timeout: 30_000 }, async () => {
  let failures = 2;
  await hubOf(entry.mirrors[0]!, { next: (what) => (what === 'list' && failures-- > 0 ? 'drop' : null) });
  const { code, err } = await run(['pull', entry.id, '--accept-licence']);
  expect(code).toBe(0);
  expect(err.match(/Loupe keeps trying/g)).toHaveLength(1);
  expect(err).toMatch(/^loupe: The connection to 127\.0\.0\.1:\d+ broke \(.*\)\. Loupe keeps trying\.\n.*what has arrived is kept\.\n/);
});

test('pull --json says what came, and failures are failures', async () => {
  await hubOf(entry.repository, { token: 'hf_x' });
  const gated = await run(['pull', entry.id, '--from', entry.repository, '--accept-licence', '--json']);
  expect(gated.code).toBe(1);
  expect(JSON.parse(gated.out)).toMatchObject({ ok: false, code: 'hub_gated' });
  environment['HF_TOKEN'] = 'hf_x';
  // Agreed to already, and what failed is resumed.
  const pulled = await run(['pull', entry.repository, '--json', '--to', join(folder, 'else')]);
  expect(JSON.parse(pulled.out)).toMatchObject({
    ok: true,
    repository: entry.repository,
    model: { id: join(folder, 'else'), kind: 'vision' },
  });
});

test('Ctrl-C keeps what has arrived, and the same command resumes it', { timeout: 30_000 }, async () => {
  const interrupt = new AbortController();
  await hubOf(entry.mirrors[0]!, { next: (what) => (what.endsWith('.safetensors') && !interrupt.signal.aborted ? 'stall' : null) });
  const stopped = await run(['pull', entry.id, '--accept-licence'], {
    person: true,
    interrupt,
    onErr: (text) => / B of /.test(text) && interrupt.abort(),
  });
  expect(stopped.code).toBe(130);
  expect(stopped.err).toContain('the same command resumes it');
  expect((await run(['list'])).out).toMatch(/Llama 3\.2 11B Vision Instruct: paused at/);
  expect((await run(['pull', entry.id])).code).toBe(0);
});

test('find and import, with and without a licence', async () => {
  const path = join(
    write(folder, {
      'Llama-3.2-3B-Instruct-Q4_K_M.gguf': ggufBytes({ 'general.architecture': 'llama' }),
      'half.gguf': ggufBytes({ 'general.architecture': 'mllama' }),
    }),
    'Llama-3.2-3B-Instruct-Q4_K_M.gguf',
  );
  const missing = new LoupeError('file_missing', 'The projector is missing.', 'Put it beside it.');
  const inspect: FakeEngineOptions['inspect'] = async (place) => {
    const files = 'gguf' in place ? place.gguf : [];
    if (files.some((file) => file.endsWith('half.gguf'))) throw missing;
    return { architecture: 'llama', precision: 'Q4_K', files, fileBytes: 100, deviceBytes: 100 };
  };
  startEngine = () => on({ kind: 'cpu', memoryBytes: 16e9 }, { inspect });
  const found = await run(['find', folder]);
  expect(found.out).toContain(`Llama-3.2-3B-Instruct-Q4_K_M (folder, Q4_K, `);
  expect(found.out).toContain('incomplete: The projector is missing. Put it beside it.');
  expect((await run(['find'])).out).toContain('No model was found');
  expect((await run(['import', path])).err).toContain('--accept-licence');
  expect((await run(['import', path, '--accept-licence'])).out).toBe(
    'Llama-3.2-3B-Instruct-Q4_K_M is in the list; its files stay where they are.\n',
  );
  expect((await run(['verify', path])).out).toContain('of 1 no source states one');
  truncateSync(path, 100);
  expect(await run(['import', join(folder, 'half.gguf')])).toMatchObject({
    code: 1,
    err: expect.stringContaining('The projector is missing.') as string,
  });
  expect((await run(['remove', 'Llama-3.2-3B-Instruct-Q4_K_M'])).code).toBe(0);
  expect(existsSync(path)).toBe(true);
});

test.each(oddNames)('a model below %j: found, taken into the list, named, forgotten', async (name) => {
  const place = write(join(folder, name), { 'Llama-3.2-1B-Instruct.gguf': ggufBytes({ 'general.architecture': 'llama' }) });
  const path = join(place, 'Llama-3.2-1B-Instruct.gguf');
  expect((await run(['find', place])).out).toContain(path);
  expect(await run(['import', path, '--accept-licence'])).toMatchObject({ code: 0 });
  expect((await run(['list'])).out).toContain(path);
  expect(await run(['verify', path])).toMatchObject({ code: 0 });
  expect(await run(['remove', path])).toMatchObject({ code: 0 });
});

test('two files are two arguments, and either names the model afterwards', async () => {
  const vision = { 'general.architecture': 'mllama' };
  const place = write(join(folder, 'Company, Inc'), {
    'text.gguf': ggufBytes(vision),
    'mm,proj.gguf': ggufBytes({ ...vision, 'general.type': 'projector' }),
  });
  const [text, projector] = [join(place, 'text.gguf'), join(place, 'mm,proj.gguf')];
  expect(await run(['import', text, projector, '--accept-licence'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('text is in the list') as string,
  });
  expect((await run(['list'])).out).toContain(`\n      ${text}\n      ${projector}\n`);
  for (const named of [text, projector, `${text},${projector}`])
    expect((await run(['verify', named])).out).toContain('of 2 no source states one');
  expect((await run(['find', `${text},${projector}`])).out).toContain(`in the list\n    ${text}\n    ${projector}\n`);
  expect(await run(['verify', text, projector])).toMatchObject({
    code: 2,
    err: expect.stringContaining('one argument too many') as string,
  });
  expect((await run(['remove', projector])).code).toBe(0);
});

test('quantise: where it goes, and what the fake engine cannot do', async () => {
  const path = write(join(folder, 'my model'), publishedFiles());
  expect((await run(['quantise', path])).err).toContain('--accept-licence');
  expect(await run(['quantise', path, '--accept-licence', '--json'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('Llama-my-model-Q4_K_M.gguf') as string,
  });
  expect(await run(['quantise', path, '--form', 'q2'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('--form takes q4_k_m, q8_0') as string,
  });
  expect(await run(['quantise', path, '--to', join(folder, 'mine.gguf')])).toMatchObject({
    code: 2,
    err: expect.stringContaining('as the licence requires') as string,
  });
});

test('test: tries a model and says what came of it', async () => {
  expect(await run(['test', 'Demo model'])).toMatchObject({ code: 0, out: 'Demo model works on Fake device.\n' });
  expect((await run(['list'])).out).toMatch(/ {2}Demo model\n {6}works: checked on Fake device, \d{4}-\d\d-\d\d\n/);
  const blind = (): Engine =>
    createFakeEngine({ score: ({ texts }) => texts.map(() => ({ logProbabilities: new Float32Array(20), best: new Float32Array(20) })) });
  startEngine = blind;
  expect(await run(['test', 'demo'])).toMatchObject({
    code: 1,
    out: expect.stringMatching(/^Demo model gives wrong answers on Fake device\. It does not see what is in a picture\./) as string,
  });
  expect(JSON.parse((await run(['test', 'demo', '--json'])).out)).toMatchObject({
    ok: false,
    test: { sound: false, pictureOdds: 0, device: 'Fake device' },
  });
});

test('a model that is new is tried where it fits; elsewhere it is said how it would run', async () => {
  const path = write(join(folder, 'Llama-3.2-11B-Vision-Instruct'), publishedFiles());
  const slow = await run(['import', path, '--accept-licence']);
  expect(slow).toMatchObject({
    code: 0,
    err: expect.stringMatching(/Without a graphics card[^]*`loupe models test "Llama-3\.2-11B-Vision-Instruct"` does that/) as string,
  });
  startEngine = () => on({ kind: 'discrete', memoryBytes: 24e9 });
  expect((await run(['import', path])).out).toBe(
    'Llama-3.2-11B-Vision-Instruct is in the list; its files stay where they are.\nLlama-3.2-11B-Vision-Instruct works on Fake device.\n',
  );
});

test('pull: a model that runs in no form is not downloaded by mistake', async () => {
  const large = catalogueModel('llama-3.2-90b-vision-instruct');
  await hubOf(large.mirrors[0]!);
  hostMemoryBytes = 8e9;
  const refused = await run(['pull', large.id, '--accept-licence']);
  expect(refused).toMatchObject({ code: 2, err: expect.stringMatching(/would not run here in any form\..*[^]*--anyway/) as string });
  expect(hub!.requests).toBe(0);
  expect((await run(['pull', large.id, '--anyway'])).code).toBe(0);
});

test.each([
  [[], 'Say what to do with models.'],
  [['eat'], 'There is no command "models eat".'],
  [['pull'], 'models pull needs to know which one.\nAs in: loupe models pull 11b-vision-instruct'],
  [['list', 'x'], '"x" is one argument too many for models list.'],
  [['find', '--files'], 'models find has no option --files.'],
  [['pull', 'llama-3.2'], 'may be one of several models.'],
  [['verify', 'nothing'], 'There is no model "nothing" in the list.'],
])('%j is explained', async (args, message) => {
  const { code, err } = await run(args);
  expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) as string });
});
