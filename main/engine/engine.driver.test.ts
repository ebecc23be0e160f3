/**
 * The built addon against reference values, on whatever Vulkan device there is (software
 * Vulkan counts). Not built, or no device: these tests fail and say so.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoModel } from '../host/paths.ts';
import { prepareImage } from '../image/prepare.ts';
import { createPromptEncoder } from '../prompt/encoder.ts';
import { readPromptLanguage } from '../prompt/prompt.ts';
import type { ChatMessage } from '../protocol.ts';
import { readSafetensors, type Tensor } from '../storage/safetensors.ts';
import type { Activations, Addon, GenerateOptions, ImageInput, NativeEngine, TokenWork, TraceResult } from '../native-surface.ts';
import { loadAddon, shaderDirectory } from '../process/addon.ts';
import { meaninglessPrompt } from './meaningless-prompt.ts';
import { relativeDistance } from './test/reference.ts';

interface Case {
  name: string;
  tokens: number[];
  images: string[];
  expected: string;
}

const referenceFolder = (name: string): string => fileURLToPath(new URL(`../../fixtures/reference/${name}/`, import.meta.url));
const casesIn = (folder: string): Case[] => (JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as { cases: Case[] }).cases;
const tiny = referenceFolder('tiny');
const cases = casesIn(tiny);
/** Whole checkpoints with what they compute; the second has the tiles and layers that the next demo model will have. */
const checkpoints = [
  { checkpoint: 'tiny', tileSize: 56 },
  { checkpoint: 'large-tiles', tileSize: 224 },
];
/** What one token may ask of the device. Counts that fall are written down, too. */
const budgets = JSON.parse(readFileSync(new URL('../../setup/token-budgets.json', import.meta.url), 'utf8')) as Record<
  string,
  Omit<TokenWork, 'hostUs'>
>;
const tinyImageToken = 320;
const greedy = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 1 };
// Seconds on idle cores, many times that on busy ones.
const slow = { timeout: 900_000 };

let addon: Addon;
beforeAll(() => {
  addon = loadAddon();
});

function open(activations: Activations): Promise<NativeEngine> {
  return addon.Engine.open({ shaderDirectory: shaderDirectory(), activations, validation: true });
}

const imageOf = (folder: string, path: string, tileSize: number): Promise<ImageInput> =>
  prepareImage({ path: join(folder, path) }, { tileSize, maxTiles: 4 });
const tinyImage = (path: string): Promise<ImageInput> => imageOf(tiny, path, 56);

async function inputsOf({ tokens, images }: Case): Promise<{ tokens: Int32Array; images: ImageInput[] }> {
  return { tokens: Int32Array.from(tokens), images: await Promise.all(images.map(tinyImage)) };
}

function caseNamed(name: string): Case {
  return cases.find((candidate) => candidate.name === name)!;
}

/** Tokens may part where the reference's two best logits are closer than `tie`; what follows is another text. */
function expectGreedyEqual(actual: TraceResult, reference: Map<string, Tensor>, tie: number): void {
  const wanted = reference.get('greedy_tokens')!.data;
  const { shape, data } = reference.get('greedy_logits')!;
  const vocabulary = shape[1]!;
  for (let step = 0; step < wanted.length; step++) {
    if (actual.greedyTokens[step] === Number(wanted[step])) continue;
    const [best, second] = Array.from(data.slice(step * vocabulary, (step + 1) * vocabulary), Number).sort((a, b) => b - a);
    expect(
      best! - second!,
      `greedy token ${step} is ${actual.greedyTokens[step]}, not ${wanted[step]}; distance of the two best logits`,
    ).toBeLessThan(tie);
    return;
  }
  expect(actual.greedyTokens.length).toBe(wanted.length);
}

const tolerances = [
  { activations: 'f32' as const, vision: 1e-4, logits: 2e-4, tie: 1e-3 },
  // Inputs of matrix products are rounded to 11 bits.
  { activations: 'f16' as const, vision: 5e-3, logits: 5e-3, tie: 5e-2 },
];
describe.each(tolerances.flatMap((tolerance) => checkpoints.map((each) => ({ ...tolerance, ...each }))))(
  'reference values of $checkpoint, $activations activations',
  ({ activations, vision, logits, tie, checkpoint, tileSize }) => {
    const folder = referenceFolder(checkpoint);
    let engine: NativeEngine | null = null;
    let why = '';
    beforeAll(async () => {
      const devices = await addon.listDevices();
      if (activations === 'f16' && !devices.some(({ suitable, features }) => suitable && features.cooperativeMatrix)) {
        why =
          `SKIPPED: no device here has cooperative matrices (${devices.map(({ name }) => name).join(', ')}), so the f16 path ` +
          'is not tested';
        console.warn(why);
        return;
      }
      engine = await open(activations);
      await engine.load({ directory: folder });
    }, 120_000);
    afterAll(() => engine?.close());

    test.for(casesIn(folder))('$name', slow, async (reference, { skip }) => {
      if (!engine) return skip(why);
      const expected = await readSafetensors(join(folder, reference.expected));
      const continueFor = expected.get('greedy_tokens')!.data.length;
      const images = await Promise.all(reference.images.map((path) => imageOf(folder, path, tileSize)));
      const actual = await engine.trace({ tokens: Int32Array.from(reference.tokens), images, continueFor });
      if (reference.images.length > 0) {
        expect(relativeDistance(actual.visionOutput!, expected, 'vision_output'), 'vision_output').toBeLessThanOrEqual(vision);
        expect(
          relativeDistance(actual.crossAttentionStates!, expected, 'cross_attention_states'),
          'cross_attention_states',
        ).toBeLessThanOrEqual(vision);
        expect(relativeDistance(actual.pixelValues!, expected, 'pixel_values'), 'pixel_values').toBeLessThanOrEqual(1e-5);
      }
      expect(relativeDistance(actual.logits, expected, 'logits'), 'logits').toBeLessThanOrEqual(logits);
      expectGreedyEqual(actual, expected, tie);
      expect(engine.memory().validationErrors).toBe(0);
    });
  },
);

describe('session', () => {
  let engine: NativeEngine;
  beforeAll(async () => {
    engine = await open('f32');
  });
  afterAll(() => engine.close());
  const generate = (tokens: number[], images: ImageInput[], more: Partial<GenerateOptions> = {}): ReturnType<NativeEngine['generate']> =>
    engine.generate({ tokens: Int32Array.from(tokens), images, maxTokens: 12, stopTokens: [], sampling: greedy, ...more });

  test('greedy generation equals the reference continuation, token by token', slow, async () => {
    await engine.load({ directory: tiny });
    const reference = caseNamed('image-small-upscaled');
    const { tokens, images } = await inputsOf(reference);
    const expected = await readSafetensors(join(tiny, reference.expected));
    const streamed: number[] = [];
    const result = await generate(Array.from(tokens), images, { onToken: (token) => streamed.push(token) });
    expect(Array.from(result.tokens)).toEqual(streamed);
    expect(streamed).toEqual(Array.from(expected.get('greedy_tokens')!.data.slice(0, 12), Number));
    expect(result.finish).toBe('length');
    expect(result.statistics).toMatchObject({
      promptTokens: tokens.length,
      reusedTokens: 0,
      generatedTokens: 12,
      imagesEncoded: 1,
      imagesCached: 0,
    });
  });

  test('a stop token ends the answer and is not part of it', slow, async () => {
    await engine.load({ directory: tiny });
    const { tokens } = await inputsOf(caseNamed('text'));
    const free = Array.from((await generate(Array.from(tokens), [])).tokens);
    const stop = free[5]!;
    const result = await generate(Array.from(tokens), [], { stopTokens: [stop] });
    expect(result.finish).toBe('stop');
    expect(Array.from(result.tokens)).toEqual(free.slice(0, free.indexOf(stop)));
  });

  test.each([
    ['a question more about the same picture', false],
    ['a new picture', true],
  ])('second turn, %s: cached prefix equals full computation', slow, async (_, newPicture) => {
    const { tokens, images } = await inputsOf(caseNamed('image-wide-strip'));
    const question = newPicture ? [10, tinyImageToken, 20, 30] : [10, 20, 30];
    const pictures = newPicture ? [...images, await tinyImage('images/image-tall-strip-0.png')] : images;
    await engine.load({ directory: tiny });
    const first = await generate(Array.from(tokens), images);
    const conversation = [...tokens, ...first.tokens, ...question];
    const second = await generate(conversation, pictures);
    expect(second.statistics.reusedTokens).toBeGreaterThanOrEqual(tokens.length);
    expect(second.statistics.imagesEncoded).toBe(newPicture ? 1 : 0);

    await engine.load({ directory: tiny });
    const full = await generate(conversation, pictures);
    expect(full.statistics.reusedTokens).toBe(0);
    expect(Array.from(second.tokens)).toEqual(Array.from(full.tokens));
  });

  test('an earlier picture that changes is not taken from the cache', slow, async () => {
    const { tokens, images } = await inputsOf(caseNamed('image-wide-strip'));
    const other = await tinyImage('images/image-tall-strip-0.png');
    await engine.load({ directory: tiny });
    const alone = await generate(Array.from(tokens), [other]);
    await engine.load({ directory: tiny });
    await generate(Array.from(tokens), images);
    const after = await generate(Array.from(tokens), [other]);
    expect(Array.from(after.tokens)).toEqual(Array.from(alone.tokens));
  });

  test('the same seed says the same, another seed something else', slow, async () => {
    await engine.load({ directory: tiny });
    const { tokens } = await inputsOf(caseNamed('text'));
    const say = async (seed: number): Promise<number[]> =>
      Array.from((await generate(Array.from(tokens), [], { sampling: { ...greedy, temperature: 1.5, seed }, maxTokens: 24 })).tokens);
    const once = await say(7);
    expect(await say(7)).toEqual(once);
    expect(await say(8)).not.toEqual(once);
  });

  test('cancel ends a generation, and the next one is whole', slow, async () => {
    await engine.load({ directory: tiny });
    const streamed: number[] = [];
    const result = await generate([256, 1, 2, 3], [], {
      maxTokens: 4000,
      onToken: (token) => {
        streamed.push(token);
        if (streamed.length === 3) engine.cancel();
      },
    });
    expect(result.finish).toBe('cancelled');
    // How far it got before this thread ran is the system's matter; that it is one step is counted in test_session.cpp.
    expect(result.tokens.length).toBeGreaterThanOrEqual(3);
    expect(result.tokens.length).toBeLessThan(4000);
    expect((await generate([256, 1, 2, 3], [])).finish).toBe('length');
  });

  test('one at a time', slow, async () => {
    await engine.load({ directory: tiny });
    const first = generate([256, 1, 2, 3], [], { maxTokens: 200 });
    await expect(generate([256, 1], [])).rejects.toMatchObject({ code: 'internal' });
    engine.cancel();
    await first;
  });

  test('a full context is named, or ends the answer', slow, async () => {
    const info = await engine.load({ directory: tiny, contextLength: 32 });
    expect(info.contextLength).toBe(32);
    const long = [256, ...Array.from({ length: 40 }, (_, i) => i)];
    await expect(generate(long, [])).rejects.toMatchObject({ code: 'context_full', message: expect.stringContaining('32') });
    const result = await generate(long.slice(0, 28), [], { maxTokens: 100 });
    expect(result.finish).toBe('context');
    expect(result.tokens.length).toBeGreaterThan(0);
    expect(result.tokens.length).toBeLessThanOrEqual(5);
  });

  test('prompts that cannot be', slow, async () => {
    await engine.load({ directory: tiny });
    const image = await tinyImage('images/image-square-0.png');
    const invalid = { code: 'prompt_invalid' };
    await expect(generate([], [])).rejects.toMatchObject(invalid);
    await expect(generate([256, 5000], [])).rejects.toMatchObject(invalid);
    await expect(generate([256, -1], [])).rejects.toMatchObject(invalid);
    await expect(generate([256, 1], [image])).rejects.toMatchObject(invalid);
    await expect(generate([256, tinyImageToken], [])).rejects.toMatchObject(invalid);
    await expect(generate([256, tinyImageToken], [{ ...image, tiles: image.tiles.subarray(1) }])).rejects.toMatchObject(invalid);
    await expect(generate([256, tinyImageToken], [{ ...image, aspectRatioId: 9 }])).rejects.toMatchObject(invalid);
    expect((await generate([256, tinyImageToken, 3], [image])).finish).toBe('length');
  });

  // The demo model's layers differ from the 11B model's in size and number only.
  test.each(Object.keys(budgets))('a token asks the device for no more than its budget: %s', slow, async (name) => {
    const picture = name.includes('picture') ? { tiles: 1, seed: 1 } : undefined;
    const sampling = { ...greedy, ...(name.includes('drawn') && { temperature: 0.6, topP: 0.9 }) };
    const { tokens, images } = meaninglessPrompt(await engine.load({ directory: demoModel }), 8, 1, picture);
    const { hostUs, ...work } = (await generate(Array.from(tokens), images, { maxTokens: 3, sampling, speculation: 'off' })).statistics
      .token;
    expect(work).toEqual(budgets[name]);
    expect(hostUs).toBeGreaterThan(0);
  });

  test('answers of the demo model are the same with speculation, token by token', slow, async () => {
    const { vision } = await engine.load({ directory: demoModel });
    const language = await readPromptLanguage(demoModel);
    const encoder = createPromptEncoder(language);
    const samples = JSON.parse(readFileSync(join(demoModel, 'samples.json'), 'utf8')) as Record<'image' | 'question' | 'answer', string>[];
    let accepted = 0;
    for (const { image, question, answer } of samples) {
      const picture = { path: join(demoModel, image) };
      // What was asked and answered already is what can be looked up.
      const asked: ChatMessage = { role: 'user', content: [{ type: 'text', text: question }] };
      const messages: ChatMessage[] = [
        { role: 'user', content: [{ type: 'image', image: picture }, ...asked.content] },
        { role: 'assistant', content: [{ type: 'text', text: answer }] },
        asked,
      ];
      const tokens = Array.from(encoder.encode(messages));
      const images = [await prepareImage(picture, vision!)];
      const ask = (more: Partial<GenerateOptions>): ReturnType<NativeEngine['generate']> =>
        generate(tokens, images, { maxTokens: 40, stopTokens: language.stops.tokens, ...more });
      await ask({ maxTokens: 1 }); // both find the same in the cache
      const [plain, ahead] = [await ask({ speculation: 'off' }), await ask({ speculation: 'always' })];
      expect(Array.from(ahead.tokens), `${image}: ${question}`).toEqual(Array.from(plain.tokens));
      expect(ahead.finish).toBe(plain.finish);
      expect(plain.statistics).toMatchObject({ proposedTokens: 0, acceptedTokens: 0 });
      expect(ahead.statistics.acceptedTokens).toBeLessThanOrEqual(ahead.statistics.proposedTokens);
      accepted += ahead.statistics.acceptedTokens;
    }
    expect(accepted).toBeGreaterThan(samples.length);
  });

  test('measures the memory of the device', slow, async () => {
    expect(await engine.copyBandwidth()).toBeGreaterThan(0);
  });

  test('no validation error in all this', () => {
    expect(engine.memory().validationErrors).toBe(0);
  });
});

describe('self-test', () => {
  test('every operation agrees with its scalar twin', slow, async () => {
    const engine = await open('f32');
    const items = await engine.selfTest();
    expect(items.length).toBeGreaterThan(3);
    expect(items.filter(({ ok }) => !ok)).toEqual([]);
    expect(engine.memory().validationErrors).toBe(0);
    await engine.close();
  });
});

describe('hostile checkpoints', () => {
  interface Header {
    [name: string]: { dtype: string; shape: number[]; data_offsets: [number, number] };
  }
  let engine: NativeEngine;
  beforeAll(async () => {
    engine = await open('f32');
  });
  afterAll(() => engine.close());

  async function copyTiny(): Promise<string> {
    const to = await mkdtemp(join(tmpdir(), 'loupe-hostile-'));
    for (const name of ['config.json', 'model.safetensors', 'preprocessor_config.json']) await cp(join(tiny, name), join(to, name));
    return to;
  }

  async function editHeader(path: string, edit: (header: Header) => void): Promise<void> {
    const file = await readFile(path);
    const end = 8 + Number(file.readBigUInt64LE(0));
    const header = JSON.parse(file.toString('utf8', 8, end)) as Header;
    edit(header);
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    await writeFile(path, Buffer.concat([length, json, file.subarray(end)]));
  }

  async function editConfig(
    directory: string,
    edit: (config: { [key: string]: never } & { text_config: Record<string, unknown>; vision_config: Record<string, unknown> }) => void,
  ): Promise<void> {
    const path = join(directory, 'config.json');
    const config = JSON.parse(await readFile(path, 'utf8')) as never;
    edit(config);
    await writeFile(path, JSON.stringify(config));
  }

  async function withLength(path: string, value: bigint): Promise<void> {
    const file = await readFile(path);
    file.writeBigUInt64LE(value, 0);
    await writeFile(path, file);
  }

  const gate = 'language_model.model.layers.1.cross_attn_attn_gate';
  const query = 'language_model.model.layers.0.self_attn.q_proj.weight';
  const attacks: [name: string, codes: string[], attack: (weights: string, directory: string) => Promise<void>][] = [
    ['no weights', ['file_missing'], (weights) => rm(weights)],
    ['no config', ['file_missing', 'checkpoint_config'], (_, directory) => rm(join(directory, 'config.json'))],
    ['an empty file', ['file_truncated', 'checkpoint_header'], (weights) => truncate(weights, 0)],
    ['half a file', ['file_truncated'], async (weights) => truncate(weights, Math.floor((await readFile(weights)).length / 2))],
    ['the last byte missing', ['file_truncated'], async (weights) => truncate(weights, (await readFile(weights)).length - 1)],
    ['a header of 2^63 bytes', ['checkpoint_header', 'file_truncated'], (weights) => withLength(weights, 2n ** 63n)],
    ['a header of 2^64 - 1 bytes', ['checkpoint_header', 'file_truncated'], (weights) => withLength(weights, 2n ** 64n - 1n)],
    ['a header of 3 bytes', ['checkpoint_header'], (weights) => withLength(weights, 3n)],
    ['a tensor that is missing', ['checkpoint_tensor'], (weights) => editHeader(weights, (header) => void delete header[gate])],
    [
      'a tensor of another shape',
      ['checkpoint_shape'],
      (weights) => editHeader(weights, (header) => void header[query]!.shape.reverse().push(1)),
    ],
    ['a tensor of whole numbers', ['checkpoint_dtype'], (weights) => editHeader(weights, (header) => void (header[query]!.dtype = 'I16'))],
    [
      'a tensor of an unknown type',
      ['checkpoint_dtype', 'checkpoint_header'],
      (weights) => editHeader(weights, (header) => void (header[query]!.dtype = 'X9')),
    ],
    [
      'a tensor beyond the file',
      ['file_truncated', 'checkpoint_header'],
      (weights) => editHeader(weights, (header) => void (header[query]!.data_offsets = [2 ** 50, 2 ** 50 + 100])),
    ],
    [
      'a tensor that ends before it begins',
      ['checkpoint_header'],
      (weights) => editHeader(weights, (header) => void header[query]!.data_offsets.reverse()),
    ],
    ['a negative size', ['checkpoint_header'], (weights) => editHeader(weights, (header) => void (header[query]!.shape = [-96, -96]))],
    [
      'sizes whose product overflows',
      ['checkpoint_header'],
      (weights) => editHeader(weights, (header) => void (header[query]!.shape = [2 ** 40, 2 ** 40])),
    ],
    ['no JSON', ['checkpoint_config'], (_, directory) => writeFile(join(directory, 'config.json'), '{"text_config": ')],
    ['a config that is a list', ['checkpoint_config'], (_, directory) => writeFile(join(directory, 'config.json'), '[]')],
    [
      'another architecture',
      ['checkpoint_unsupported'],
      (_, directory) =>
        editConfig(directory, (config) => void Object.assign(config, { model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'] })),
    ],
    [
      'no heads',
      ['checkpoint_config'],
      (_, directory) => editConfig(directory, ({ text_config }) => void (text_config['num_attention_heads'] = 0)),
    ],
    [
      'a negative layer count',
      ['checkpoint_config'],
      (_, directory) => editConfig(directory, ({ text_config }) => void (text_config['num_hidden_layers'] = -1)),
    ],
    [
      'an absurd width',
      ['checkpoint_config', 'checkpoint_shape'],
      (_, directory) => editConfig(directory, ({ text_config }) => void (text_config['hidden_size'] = 2 ** 40)),
    ],
    [
      'a cross-attention layer that is not there',
      ['checkpoint_config'],
      (_, directory) => editConfig(directory, ({ text_config }) => void (text_config['cross_attention_layers'] = [1, 99])),
    ],
    [
      'text where a number belongs',
      ['checkpoint_config'],
      (_, directory) => editConfig(directory, ({ vision_config }) => void (vision_config['hidden_size'] = 'wide')),
    ],
    [
      'a quantised copy',
      ['checkpoint_unsupported', 'checkpoint_dtype'],
      (_, directory) =>
        editConfig(
          directory,
          (config) => void Object.assign(config, { quantization_config: { quant_method: 'bitsandbytes', load_in_4bit: true } }),
        ),
    ],
  ];

  test.each(attacks)('%s', slow, async (_, codes, attack) => {
    const folder = await copyTiny();
    try {
      await attack(join(folder, 'model.safetensors'), folder);
      const failure: unknown = await engine.load({ directory: folder }).then(
        () => 'it was loaded',
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(Error);
      const { code, message } = failure as Error & { code: string };
      expect(codes, message).toContain(code);
      expect(message.length).toBeGreaterThan(10);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('after all that the engine still loads a good one', slow, async () => {
    await engine.load({ directory: tiny });
    const { tokens } = await engine.generate({
      tokens: Int32Array.of(256, 1, 2),
      images: [],
      maxTokens: 3,
      stopTokens: [],
      sampling: greedy,
    });
    expect(tokens.length).toBe(3);
    expect(engine.memory().validationErrors).toBe(0);
  });
});

test.each([
  { without: 'a Vulkan loader', env: { LOUPE_VULKAN_LOADER: '/nowhere/libvulkan.so.1' }, code: 'no_vulkan_loader' },
  { without: 'a Vulkan driver', env: { VK_DRIVER_FILES: '/nowhere/icd.json', VK_ICD_FILENAMES: '/nowhere/icd.json' }, code: 'no_device' },
])('a computer without $without is told so', slow, ({ env, code }) => {
  const cli = fileURLToPath(new URL('../cli/loupe.ts', import.meta.url));
  const end = spawnSync(process.execPath, [cli, 'ask', '--model', demoModel, '--json', 'hello'], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  expect(end.status).toBe(1);
  const report = JSON.parse(end.stdout) as { ok: boolean; code: string; nextStep: string };
  expect(report).toMatchObject({ ok: false, code });
  expect(report.nextStep).toContain('driver');
});
