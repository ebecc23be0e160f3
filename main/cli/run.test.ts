import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../storage/store.ts';
import { openArchiveServices } from '../archive-services.ts';
import { openDocumentServices } from '../document-services.ts';
import { createDocumentReader } from '../documents/document-client.ts';
import { line as textLine, writePdf } from '../documents/test/write-pdf.ts';
import { forkHost } from '../process/channel.ts';
import { createEngineClient } from '../engine/client.ts';
import { createFakeEngine } from '../engine/test/fake-engine.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { createTextRecogniser } from '../ocr/ocr-client.ts';
import { demoModel } from '../host/paths.ts';
import { LoupeError, type Failure } from '../errors.ts';
import type { Engine, LoadedModel } from '../services/ports.ts';
import { oddNames } from '../services/models/test/odd-names.ts';
import { readSafetensors } from '../storage/safetensors.ts';
import { runLoupe } from './run.ts';
import type { ExitCode, Terminal } from './terminal.ts';

const addon = fileURLToPath(new URL('../engine/test/addon-double.cjs', import.meta.url));
/** One process for all tests: each start takes its time. */
const pictures = createPictureWorker();
const ocr = createTextRecogniser();
afterAll(() => Promise.all([pictures.close(), ocr.close()]));
const picture = fileURLToPath(new URL('../../resources/demo-model/samples/train-font-05.png', import.meta.url));

interface Outcome {
  code: ExitCode;
  out: string;
  err: string;
}

interface Situation {
  engine?: Engine;
  input?: string;
  /** Of stdin, for bytes that are not text. */
  bytes?: Uint8Array;
  errIsTerminal?: boolean;
  interrupt?: AbortController;
  onOut?: () => void;
  /** Of what the web host keeps. */
  problem?: Failure | null;
}

async function run(
  args: string[],
  {
    engine = createFakeEngine(),
    input = '',
    bytes = new Uint8Array(),
    errIsTerminal = false,
    interrupt = new AbortController(),
    onOut,
    problem = null,
  }: Situation = {},
): Promise<Outcome> {
  const said = { out: '', err: '' };
  const terminal: Terminal = {
    out: (text) => {
      said.out += text;
      onOut?.();
    },
    err: (text) => void (said.err += text),
    errIsTerminal,
    readInput: () => Promise.resolve(input),
    input: () => Readable.from([bytes]),
    startEngine: () => engine,
    startPictures: () => ({ ...pictures, close: async () => {} }),
    startOcr: () => ({ ...ocr, close: async () => {} }),
    startDocuments: () => createDocumentReader(),
    openModels: () => Promise.reject(new Error('no models in this test')),
    openDocuments: async (options) => openDocumentServices(options),
    openArchives: async (options) => openArchiveServices(options),
    startWeb: async ({ dataDirectory, port }) => {
      said.err += `web host on port ${port ?? 'any'} keeps ${dataDirectory}\n`;
      return {
        link: () => 'http://127.0.0.1/#token=t',
        open: async () => false,
        problem: () => problem,
        close: async () => void (said.err += 'closed\n'),
      };
    },
    startApi: async ({ port, key = 'a-new-key-of-its-own', origins }) => {
      said.err += `api for ${origins.join(' and ') || 'programs alone'}\n`;
      return { port, key, close: async () => void (said.err += 'closed\n') };
    },
    callTool: () => Promise.reject(new Error('no tools in this test')),
    interrupted: interrupt.signal,
  };
  return { code: await runLoupe(args, terminal), ...said };
}

const realProcess = (env: NodeJS.ProcessEnv): Engine =>
  createEngineClient({ spawn: () => forkHost({ env: { LOUPE_ADDON: addon, ...env } }) });

describe('documents ask', () => {
  const asked = async (reply: string, ...more: string[]): Promise<Outcome> => {
    const data = mkdtempSync(join(tmpdir(), 'loupe-documents-ask-'));
    const file = join(data, 'lease.pdf');
    writeFileSync(file, writePdf({ pages: [{ content: textLine('Notice period: 3 months') }, { content: '' }] }));
    const engine = createFakeEngine({ answer: () => reply });
    try {
      return await run(['documents', 'ask', file, 'What is the notice period?', '--data', join(data, 'data'), ...more], { engine });
    } finally {
      rmSync(data, { recursive: true });
    }
  };

  test('adds the file, answers, checks each quote and says what was looked at', async () => {
    const { code, out, err } = await asked('Three months [p. 1 "Notice period: 3 months"], or two [p. 1 "Notice period: 2 months"].');
    expect([code, out]).toEqual([
      0,
      'Three months [p. 1 "Notice period: 3 months"], or two [p. 1 "Notice period: 2 months"].\n\n' +
        'Verified: page 1 has “Notice period: 3 months”.\n' +
        'Numbers differ: page 1 has “Notice period: 3 months”, not “Notice period: 2 months”.\n' +
        'Looked at 1 of 2 pages (1). 1 is blank.\n',
    ]);
    expect(err.split('\n')).toEqual(['loupe: 2 pages: 1 with text, 1 blank', expect.stringContaining('the small demo model answers'), '']);
  });

  test('says that nothing was checked, and gives all of it as JSON', async () => {
    expect((await asked('Three months.')).out).toContain('The answer quotes no page, so nothing in it was checked.\n');
    expect(JSON.parse((await asked('So [p. 1 "3 months"].', '--json')).out)).toMatchObject({
      ok: true,
      answer: 'So [p. 1 "3 months"].',
      citations: [{ page: '1', quote: '3 months', finding: 'verified', number: 1 }],
      coverage: { looks: [{ number: 1, label: '1' }], blank: 1, pages: 2 },
      coverageLine: 'Looked at 1 of 2 pages (1). 1 is blank.',
    });
    expect((await run(['documents', 'ask', 'lease.pdf'])).code).toBe(2);
  });
});

describe('bench', () => {
  test('measures what fits the context, and names what does not', async () => {
    const { code, out, err } = await run(['bench', '--prompt', '64,9000', '--depth', '0', '--json']);
    expect([code, err]).toEqual([0, '']);
    const report = JSON.parse(out) as Record<string, unknown> & { measurements: { name: string }[] };
    expect(report).toMatchObject({ ok: true, device: 'Fake device', copyBytesPerSecond: 1e9 });
    expect(report.measurements).toContainEqual({ name: 'pp64', mean: 500, deviation: 0, unit: 'tokens/s' });
    expect(report.measurements.map(({ name }) => name)).toEqual([
      'pp64',
      'pp9000',
      'tg16 @ 0',
      "tg16 @ 0, model's sampling",
      'encode 1 tile',
      'first token, 1 tile seen first',
      'first token, 1 tile seen before',
      'tg16 @ 0, picture',
    ]);
    expect(report.measurements[2]).toMatchObject({ mean: 1500, token: { dispatches: 9, barriers: 8, submissions: 1, hostUs: 20 } });
  });

  test('writes a line a measurement, and says that a processor does the work', async () => {
    const engine = createFakeEngine({ contextLength: 100 });
    const estimate = (request: Parameters<Engine['estimate']>[0]): ReturnType<Engine['estimate']> =>
      (request.contextLength ?? 0) > 100
        ? Promise.reject(new LoupeError('context_full', 'This model was trained for 100 tokens.'))
        : createFakeEngine({ contextLength: 100 }).estimate(request);
    const { code, out } = await run(['bench', '--prompt', '64,2048', '--tiles', '0'], { engine: { ...engine, estimate } });
    expect(code).toBe(0);
    expect(out).toContain('The demo model on Fake device, fake\n');
    expect(out).toMatch(/A processor of \d+ threads does this/);
    expect(out).toMatch(/^pp64 +500\.00 ± 0\.00 tokens\/s$/m);
    expect(out).toMatch(
      /^tg16 @ 0 +1500\.00 ± 0\.00 tokens\/s, \d+ % of the copy; a token: 9 dispatches, 8 barriers, 1 submission, 20 us/m,
    );
    expect(out).toContain('left out: reading 2048 tokens: the context holds 100\n');
    expect(out).not.toContain('tile');
  });

  test('refuses numbers that are none', async () => {
    expect(await run(['bench', '--prompt', '64,many'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--prompt takes a whole number from 1 on, not "many".') as string,
    });
    expect((await run(['bench', 'fast'])).code).toBe(2);
  });
});

describe('ask', () => {
  test('streams the answer to stdout, and says once that the demo model answers', async () => {
    const { code, out, err } = await run(['ask', '--image', picture, 'What is it?']);
    expect({ code, out }).toEqual({ code: 0, out: 'You asked: What is it? I was given 1 picture.\n' });
    expect(err.match(/demo model/g)).toHaveLength(1);
    expect(err.split('\n')).toHaveLength(2);
  });

  test('statistics go to a terminal only', async () => {
    expect((await run(['ask', '--model', demoModel, 'Hi'])).err).toBe('');
    expect((await run(['ask', '--model', demoModel, 'Hi'], { errIsTerminal: true })).err).toContain('tokens');
  });

  test('the question from stdin, a system message, sampling', async () => {
    expect((await run(['ask', '-'], { input: 'From stdin?\n' })).out).toContain('You asked: From stdin?');
    const { out } = await run(['ask', '--json', '--system', 'Be brief.', '--temperature', '0.5', '--seed', '7', 'Hi']);
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      finish: 'stop',
      sampling: { temperature: 0.5, seed: 7 },
      statistics: { imagesEncoded: 0 },
    });
  });

  test('models that do not chat say what they do; a verdict is data', async () => {
    const used = (promptFormat: LoadedModel['promptFormat'], answer: string): Engine => {
      const engine = createFakeEngine({ answer: () => answer });
      return { ...engine, load: async (...given) => ({ ...(await engine.load(...given)), promptFormat }) };
    };
    const model = ['ask', '--model', demoModel];
    expect(await run([...model, 'Once'], { engine: used('completion', 'upon a time') })).toMatchObject({
      out: 'upon a time\n',
      err: expect.stringContaining('continues the text') as string,
    });
    expect(await run([...model, 'Hi'], { engine: used('guard', 'safe') })).toMatchObject({
      out: 'safe\n',
      err: expect.stringContaining('whether the question is safe') as string,
    });
    const { out, err } = await run([...model, '--json', 'Hi'], { engine: used('guard', '\n\nunsafe\nS2,S9') });
    expect(err).toBe('');
    expect(JSON.parse(out)).toMatchObject({ verdict: { finding: 'unsafe', categories: ['S2', 'S9'] }, sampling: { temperature: 0 } });
    expect(JSON.parse((await run([...model, '--json', 'Hi'])).out)).not.toHaveProperty('verdict');
  });

  test('what does not fit the device is said, or why nothing can be done', async () => {
    const engine = () => createFakeEngine({ sizes: { deviceBudgetBytes: 1400 } });
    const { out, err } = await run(['ask', '--model', demoModel, 'Hi'], { engine: engine() });
    expect(err).toBe('loupe: 400 B of the model do not fit Fake device and stay in the computer’s memory, which is slower.\n');
    expect(out).toContain('You asked: Hi');
    expect(JSON.parse((await run(['ask', '--json', 'Hi'], { engine: engine() })).out)).toMatchObject({
      placement: { deviceBytes: 600, hostBytes: 400, hostLayers: [1], embeddingOnHost: true },
    });
    const refused = await run(['ask', '--model', demoModel, 'Hi'], { engine: createFakeEngine({ sizes: { deviceBudgetBytes: 100 } }) });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('are missing');
  });

  test('a page of a file: said on stderr, and as data', async () => {
    const pages = fileURLToPath(new URL('../../fixtures/pictures/pages.tif', import.meta.url));
    const { code, out, err } = await run(['ask', '--json', '--image', pages, 'What is it?']);
    expect(code).toBe(0);
    expect(err).toContain('pages.tif has 3 pages; the model sees page 1 of 3. Choose another with --page N.\n');
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      picture: { part: { unit: 'page', number: 1, count: 3 }, ground: null, cutOff: false },
    });
    expect((await run(['ask', '--image', pages, '--page', '2', 'What is it?'])).err).not.toContain('pages');
    expect(await run(['ask', '--page', '2', 'What is it?'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--page goes with --image') as string,
    });
    expect(await run(['ask', '--image', pages, '--page', '0', 'What is it?'])).toMatchObject({ code: 2 });
  });

  test('a picture from stdin, but not both it and the question', async () => {
    expect(await run(['ask', '--image', '-', 'What is it?'], { bytes: readFileSync(picture) })).toMatchObject({
      code: 0,
      out: 'You asked: What is it? I was given 1 picture.\n',
    });
    expect(await run(['ask', '--image', '-', '-'], { bytes: readFileSync(picture) })).toMatchObject({
      code: 2,
      err: expect.stringContaining('cannot both come from stdin') as string,
    });
  });

  test('several pictures: composing is the next step', async () => {
    const { code, out, err } = await run(['ask', '--json', '--image', 'a.png', '--image', 'b.png', 'Compare']);
    expect(code).toBe(2);
    expect(err).toMatch(/[Cc]ompose/);
    expect(JSON.parse(out)).toMatchObject({ ok: false, code: 'image_several', nextStep: expect.stringContaining('Compose') });
  });

  test.each([
    [[], 'The command is missing.\nKnown: ask, serve,'],
    [['sing'], 'There is no command "sing".\nKnown: ask, serve,'],
    [['constructor'], 'There is no command'],
    [['ask'], 'The question is missing.\nSee `loupe ask --help`.'],
    [['ask', 'two', 'words'], 'quotation marks'],
    [['ask', '-'], 'The question is empty'],
    [['ask', '--tempurature', '1', 'Hi'], '--tempurature'],
    [['ask', '--temperature', 'hot', 'Hi'], '--temperature takes'],
    [['ask', '--top-p', '1.5', 'Hi'], '--top-p takes a number from 0 to 1'],
    [['ask', '--max-tokens', '-3', 'Hi'], '--max-tokens'],
    [['ask', '--activations', 'f64', 'Hi'], '--activations takes auto, f32, f16'],
    [['trace', '--tokens', '1', '--out', 'x'], '--model is missing'],
    [['trace', '--model', demoModel, '--out', 'x', '--tokens', '1,b'], '--tokens takes'],
  ])('usage: %j', async (args, words) => {
    const { code, err, out } = await run(args);
    expect(code).toBe(2);
    expect(err).toContain(words);
    expect(err.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
    expect(out).toBe('');
  });

  test('Ctrl-C in mid-answer keeps what there is and ends with 130', async () => {
    const interrupt = new AbortController();
    const { code, out } = await run(['ask', 'Count'], {
      engine: createFakeEngine({ answer: () => 'one two three', wordMs: 1 }),
      interrupt,
      onOut: () => interrupt.abort(),
    });
    expect(code).toBe(130);
    expect(out).toBe('one\n');
  });

  test('Ctrl-C while loading', async () => {
    const interrupt = new AbortController();
    interrupt.abort();
    expect((await run(['ask', 'Count'], { interrupt })).code).toBe(130);
  });

  test('a crash is told in two lines', async () => {
    const engine = createFakeEngine();
    engine.crash();
    const { code, err } = await run(['ask', '--model', demoModel, 'Hi'], { engine });
    expect(code).toBe(1);
    expect(err.trimEnd().split('\n')).toEqual([expect.stringContaining('signal SIGKILL'), expect.stringContaining('Ask again')]);
  });
});

describe('text', () => {
  const form = fileURLToPath(new URL('../../fixtures/ocr/pictures/18.png', import.meta.url));
  const list = fileURLToPath(new URL('../../fixtures/ocr/pictures/36.png', import.meta.url));
  const truth = JSON.parse(readFileSync(fileURLToPath(new URL('../../fixtures/ocr/truth.json', import.meta.url)), 'utf8')) as {
    file: string;
    lines: string[];
  }[];
  const linesOf = (file: string): string[] => truth.find((entry) => entry.file.endsWith(basename(file)))!.lines;

  test('is plain text, without any model', async () => {
    const { code, out, err } = await run(['text', list]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n').filter(Boolean)).toEqual(linesOf(list));
    expect(out.endsWith('\n')).toBe(true);
  });

  test('of several pictures each has its heading, and one that cannot be read does not stop the others', async () => {
    const { code, out, err } = await run(['text', form, '/nowhere.png', list]);
    expect(code).toBe(1);
    expect(err).toContain('loupe: The picture /nowhere.png does not exist.\nCheck the path of the picture.\n');
    expect(out.split('\n').filter((line) => line.startsWith('==>'))).toEqual([
      `==> ${form} <==`,
      '==> /nowhere.png <==',
      `==> ${list} <==`,
    ]);
    const [, value] = linesOf(form).slice(1, 3);
    expect(out).toContain(`\t${value!}`);
    expect(out).toContain(linesOf(list).at(-1));
  });

  test('as JSON: text, lines, corners, words and how sure each is', async () => {
    const { code, out } = await run(['text', '--json', '-'], { bytes: readFileSync(list) });
    expect(code).toBe(0);
    const { ok, pictures: read } = JSON.parse(out) as {
      ok: boolean;
      pictures: {
        file: string;
        text: string;
        lines: { text: string; confidence: number; quad: number[][]; words: { text: string }[] }[];
      }[];
    };
    expect(ok).toBe(true);
    expect(read).toHaveLength(1);
    const { file, text, lines } = read[0]!;
    expect(file).toBe('-');
    expect(text.split('\n').filter(Boolean)).toEqual(linesOf(list));
    for (const line of lines) {
      expect(line.confidence).toBeGreaterThan(0.9);
      expect(line.quad).toHaveLength(4);
      expect(line.words.map((word) => word.text).join(' ')).toBe(line.text);
    }
    const failed = await run(['text', '--json', '/nowhere.png']);
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.out)).toMatchObject({ ok: false, pictures: [{ file: '/nowhere.png', failure: { code: 'image_missing' } }] });
  });

  test('a page of several, no text, and no picture are said', async () => {
    const pages = fileURLToPath(new URL('../../fixtures/pictures/pages.tif', import.meta.url));
    expect((await run(['text', pages])).err).toContain('pages.tif has 3 pages; Loupe reads page 1 of 3. Choose another with --page N.');
    expect((await run(['text', pages, '--page', '4'])).err).toContain('has 3 pages');
    const empty = await sharp({ create: { width: 90, height: 60, channels: 3, background: '#fff' } })
      .png()
      .toBuffer();
    expect(await run(['text', '-'], { bytes: empty })).toEqual({ code: 0, out: '', err: 'loupe: no text was found in the picture.\n' });
    expect(await run(['text'])).toMatchObject({ code: 2, err: expect.stringContaining('The picture is missing.') as string });
    expect(await run(['text', '-', '-'])).toMatchObject({ code: 2 });
  });

  test('Ctrl-C ends it', async () => {
    const interrupt = new AbortController();
    const screen = fileURLToPath(new URL('../../fixtures/ocr/screen.png', import.meta.url));
    const { code } = await run(['text', screen], { interrupt, onOut: () => interrupt.abort() });
    expect(code).toBe(130);
  });
});

describe('doctor', () => {
  test('--bundle writes what a report needs, beside nothing that is there, and no word of the person', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loupe-Quillfeather-'));
    try {
      const [data, file] = [join(folder, 'data'), join(folder, 'bundle.json')];
      const store = openStore(data);
      store.saveSettings({ systemPrompt: 'You are Quillfeather.', maxTokens: 77 });
      store.close();
      const { code, err } = await run(['doctor', '--data', data, '--bundle', file], { engine: realProcess({}) });
      expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining(`${file} holds what a report needs`) as string });
      const text = readFileSync(file, 'utf8');
      expect(JSON.parse(text)).toMatchObject({ loupe: { host: 'cli' }, settings: { maxTokens: 77, systemPromptCharacters: 21 } });
      expect(text).not.toContain('Quillfeather');
      const again = await run(['doctor', '--data', data, '--bundle', file], { engine: realProcess({}) });
      expect(again).toMatchObject({ code: 2, err: expect.stringContaining(`${file} is there already.`) as string });
      expect(readFileSync(file, 'utf8')).toBe(text);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a machine that works', async () => {
    const { code, out } = await run(['doctor', '--json'], { engine: realProcess({}) });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, devices: [{ name: 'double' }], test: { items: [{ ok: true }] }, problems: [] });
    const words = await run(['doctor'], { engine: realProcess({}) });
    expect(words.out).toMatch(/double[^]*memory 1\.1 GB, free unknown[^]*lacks: cooperativeMatrix[^]*ok {6}matmul[^]*All is well/);
  });

  test.each([
    ['no loader', { DOUBLE_NO_LOADER: '1' }, 'libvulkan.so.1', 'Install libvulkan1.'],
    ['no addon', { LOUPE_ADDON: '/nowhere/loupe.node' }, '/nowhere/loupe.node', 'set-up'],
    ['a failing self-test', { DOUBLE_BROKEN: '1' }, 'Self-test matmul failed', 'driver'],
  ])('%s: problem, next step, exit code 1', async (_, env, problem, nextStep) => {
    const { code, out } = await run(['doctor'], { engine: realProcess(env) });
    expect(code).toBe(1);
    expect(out).toMatch(new RegExp(`Problem: .*${problem.replaceAll('.', '\\.')}`));
    expect(out).toMatch(new RegExp(`Next step: .*${nextStep.replaceAll('.', '\\.')}`));
    expect(JSON.parse((await run(['doctor', '--json'], { engine: realProcess(env) })).out)).toMatchObject({ ok: false });
  });
});

describe('trace and tokenize', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loupe-cli-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('trace writes the tensors that it names', async () => {
    const file = join(folder, 'out.safetensors');
    const { code, out } = await run(['trace', '--model', demoModel, '--tokens', '1,2,3', '--continue', '2', '--out', file]);
    expect(code).toBe(0);
    expect(out).toBe('logits [3, 320]\ngreedy_tokens [2]\ngreedy_logits [2, 320]\n');
    const tensors = await readSafetensors(file);
    expect(tensors.get('logits')).toEqual({ shape: [3, 320], data: new Float32Array(960) });
    expect(tensors.get('greedy_tokens')).toEqual({ shape: [2], data: new Int32Array(2) });
  });

  test('a file that cannot be written', async () => {
    const { code, err } = await run(['trace', '--model', demoModel, '--tokens', '1', '--out', join(folder, 'none', 'x')]);
    expect(code).toBe(1);
    expect(err).toContain('ENOENT');
  });

  test('tokenize: GGUF files and tags of a store, as for other commands', async () => {
    const reference = fileURLToPath(new URL('../../fixtures/reference/gguf/', import.meta.url));
    const outs: string[] = [];
    for (const model of ['unified-q4_0.gguf', 'legacy-f16-text.gguf', 'store:legacy', 'store:llama3.2-vision:latest']) {
      const { code, out } = await run(['tokenize', '--model', join(reference, model)], { input: '"What is it?"\n' });
      expect(code).toBe(0);
      outs.push(out);
    }
    expect(JSON.parse(outs[0]!)).toEqual(expect.arrayContaining([expect.any(Number)]));
    expect(new Set(outs).size).toBe(1);
    expect(await run(['tokenize', '--model', join(reference, 'none.gguf')], { input: '' })).toMatchObject({
      code: 1,
      err: expect.stringContaining('none.gguf') as string,
    });
  });

  test.each(oddNames)('tokenize, trace and ask with a model below %j', async (name) => {
    const place = join(folder, 'odd', name);
    await cp(demoModel, place, { recursive: true, filter: (path) => !/samples|safetensors$/.test(path) });
    expect(await run(['tokenize', `--model=${place}`], { input: '"a"\n' })).toMatchObject({ code: 0, out: '[97]\n', err: '' });
    expect(await run(['trace', '--model', place, '--tokens', '1', '--out', join(place, 'out.safetensors')])).toMatchObject({
      code: 0,
      err: '',
    });
    expect(await run(['ask', '--model', place, 'Hi'])).toMatchObject({ code: 0, err: '' });
  });

  test('two files: twice --model, or a comma between them', async () => {
    const reference = fileURLToPath(new URL('../../fixtures/reference/gguf/', import.meta.url));
    const place = join(folder, 'Company, Inc');
    const files = ['legacy-f16-text.gguf', 'unified-q4_0.gguf'].map((file) => join(place, file));
    for (const file of files) await cp(join(reference, basename(file)), file);
    const input = '"What is it?"\n';
    const outs = await Promise.all(
      [
        ['--model', files[0]!, '--model', files[1]!],
        ['--model', files.join(',')],
        ['--model', files.toReversed().join(', ')],
      ].map((args) => run(['tokenize', ...args], { input })),
    );
    expect(outs.map(({ code, err }) => ({ code, err }))).toEqual(Array(3).fill({ code: 0, err: '' }));
    expect(new Set(outs.map(({ out }) => out)).size).toBe(1);
    expect(await run(['ask', '--model', files[0]!, '--model', join(place, 'gone.gguf'), 'Hi'])).toMatchObject({
      code: 1,
      err: expect.stringContaining(join(place, 'gone.gguf')) as string,
    });
    expect(await run(['ask', '--model', '', 'Hi'])).toMatchObject({ code: 2, err: expect.stringContaining('--model is empty') as string });
  });

  test('a name that begins with a dash: what to write', async () => {
    await cp(demoModel, join(folder, '-dashed'), { recursive: true, filter: (path) => !/samples|safetensors$/.test(path) });
    const before = process.cwd();
    process.chdir(folder);
    try {
      expect(await run(['tokenize', '--model', '-dashed'], { input: '' })).toMatchObject({
        code: 2,
        err: expect.stringContaining('If you mean what is called -dashed here, write ./-dashed.') as string,
      });
      expect(await run(['tokenize', '--model', './-dashed'], { input: '"a"\n' })).toMatchObject({ code: 0, out: '[97]\n' });
    } finally {
      process.chdir(before);
    }
  });

  test('tokenize: a line in, a line out', async () => {
    const { code, out } = await run(['tokenize'], { input: '"a"\n"\\u00e9<|eot_id|>"\n' });
    expect(code).toBe(0);
    const [a, b] = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as number[]);
    expect(a).toHaveLength(1);
    expect(b!.every((token) => token < 331)).toBe(true);
    expect((await run(['tokenize'], { input: 'bare words\n' })).err).toContain('Line 1');
    expect((await run(['tokenize', '--model', folder], { input: '' })).err).toContain('config.json');
  });
});

test('help and version', async () => {
  const help = await run(['--help']);
  expect(help.code).toBe(0);
  for (const command of ['ask', 'doctor', 'trace', 'tokenize']) {
    expect(help.out).toContain(command);
    expect((await run([command, '--help'])).out).toContain(`loupe ${command}`);
  }
  expect((await run(['--version'])).out).toMatch(/^loupe \d+\.\d+\.\d+\n$/);
});

describe('serve', () => {
  test('prints the link, runs until interrupted, closes', async () => {
    const interrupt = new AbortController();
    const ended = run(['serve', '--port', '8123', '--data', '/somewhere'], { interrupt, onOut: () => interrupt.abort() });
    expect(await ended).toEqual({
      code: 0,
      out: 'http://127.0.0.1/#token=t\n',
      err: 'web host on port 8123 keeps /somewhere\nOpen the link in a browser on this machine.\nclosed\n',
    });
  });

  test('the API prints its addresses and its key, and who may use it', async () => {
    const api = (args: string[]): Promise<Outcome> => {
      const interrupt = new AbortController();
      return run(['api', ...args], { interrupt, onOut: () => interrupt.abort() });
    };
    expect(await api([])).toEqual({
      code: 0,
      out: 'OpenAI   http://127.0.0.1:11535/v1\nOllama   http://127.0.0.1:11535/a-new-key-of-its-own\nkey      a-new-key-of-its-own\n',
      err: 'api for programs alone\nclosed\n',
    });
    expect(
      await api(['--port', '8124', '--key', 'my-own-key', '--allow-origin', 'https://a.example', '--allow-origin', 'http://b:1']),
    ).toMatchObject({
      out: expect.stringContaining('http://127.0.0.1:8124/my-own-key\n') as string,
      err: 'api for https://a.example and http://b:1\nclosed\n',
    });
    for (const origin of ['a.example', 'https://a.example/', '*', 'null']) {
      expect(await api(['--allow-origin', origin])).toMatchObject({ code: 2, err: expect.stringContaining(`not "${origin}"`) as string });
    }
    expect(await api(['8124'])).toMatchObject({ code: 2 });
    expect(await api(['--port', '99999'])).toMatchObject({ code: 2 });
  });

  test.each(['99999', 'high', '-1', '80.5', '0x50', '', ' 80', '1e3'])('--port=%s is none', async (port) => {
    expect(await run(['serve', `--port=${port}`])).toMatchObject({
      code: 2,
      err:
        `loupe: --port takes a whole number from 0 to 65535, not "${port}".\n` +
        'Choose one from 1024 to 65535, or leave --port out: Loupe then picks a free one.\n',
    });
  });

  test('a port at which no browser opens a page', async () => {
    for (const port of [6000, 6667, 10_080]) {
      expect(await run(['serve', '--port', String(port)])).toMatchObject({
        code: 2,
        err: expect.stringContaining(`Browsers refuse to open pages on port ${port}`) as string,
      });
      await expect(fetch(`http://127.0.0.1:${port}/`), 'as undici has it').rejects.toMatchObject({ cause: { message: 'bad port' } });
    }
  });

  test('a port without its flag', async () => {
    expect(await run(['serve', '8123'])).toMatchObject({
      code: 2,
      err: 'loupe: loupe serve takes options only, not "8123".\nFor a port, write --port 8123.\n',
    });
    expect(await run(['serve', 'now'])).toMatchObject({
      code: 2,
      err: 'loupe: loupe serve takes options only, not "now".\nSee `loupe serve --help`.\n',
    });
  });

  test('what is wrong with the data is said, and the window is there to put it right', async () => {
    const interrupt = new AbortController();
    const problem: Failure = { ok: false, code: 'store_damaged', message: 'It is damaged.', nextStep: 'Restore a backup.' };
    const { code, out, err } = await run(['serve', '--data', '/somewhere'], { interrupt, problem, onOut: () => interrupt.abort() });
    expect({ code, out }).toEqual({ code: 0, out: 'http://127.0.0.1/#token=t\n' });
    expect(err).toContain('loupe: It is damaged.\nRestore a backup.\n');
  });
});
