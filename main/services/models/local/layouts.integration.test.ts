/** Every layout in which people have their copies loads or is refused, and the list, the import and the engine say the same of it. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngineClient } from '../../../engine/client.ts';
import { quantiseAlone } from '../../../engine/test/quantise-alone.ts';
import { demoModel } from '../../../host/paths.ts';
import { LoupeError } from '../../../errors.ts';
import type { ModelPlace } from '../../ports.ts';
import { findModel } from './find-model.ts';
import { findAt } from './find.ts';
import { inspectedBy, type Problem } from './inspect.ts';
import { usableModel } from '../models.ts';
import {
  demoConfig,
  demoTensors,
  ggufOf,
  pairOf,
  quantisedText,
  readGguf,
  renamed,
  safetensorsOf,
  shardsOf,
  splitOf,
  withEntries,
  writeModel,
  zeros,
  type GgufFile,
} from '../test/layouts.ts';
import { write } from '../test/write-model.ts';

const engine = createEngineClient();
let folder: string;
let place: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-layouts-'));
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

type Words = Pick<Problem, 'code' | 'message' | 'nextStep'>;

async function wordsOf(work: Promise<unknown>): Promise<Words | null> {
  return work.then(
    () => null,
    ({ code, message, nextStep }: LoupeError) => ({ code, message, nextStep }),
  );
}

async function ask(place: ModelPlace): Promise<void> {
  await engine.load({ ...place, contextLength: 64, engine: {} });
  await engine.countTokens({ messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }] }] });
}

/** What all three say of it; null where it loads. Its place is new for each, and gone afterwards. */
async function inspection(
  write: (place: string) => string | void,
): Promise<{ words: Words | null; state: string | null; files: number; precision: string }> {
  place = join(folder, 'Llama-3.2-Demo');
  try {
    mkdirSync(place);
    const path = write(place) ?? place;
    const [seen, ...others] = await findAt(path);
    expect(others).toEqual([]);
    const listed = await inspectedBy(engine.inspect, seen!);
    const { code, message, nextStep } = listed.problem ?? {};
    const words = listed.problem && { code: code!, message: message!, nextStep: nextStep! };
    expect(await wordsOf(usableModel(path, engine.inspect))).toEqual(words);
    expect(await wordsOf(findModel(path).then(ask))).toEqual(words);
    return { words, state: listed.problem?.state ?? null, files: listed.files.length, precision: listed.precision };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

const loads = { words: null, state: null };
const refused = (state: Problem['state'], message: RegExp, nextStep: RegExp): object => ({
  state,
  words: {
    code: expect.any(String) as string,
    message: expect.stringMatching(message) as string,
    nextStep: expect.stringMatching(nextStep) as string,
  },
});

describe('published folders', () => {
  const tensors = demoTensors();
  const whole = safetensorsOf(tensors);
  const two = (stem = 'model'): string[] => [`${stem}-00001-of-00002.safetensors`, `${stem}-00002-of-00002.safetensors`];
  const indexed = (
    names: string[],
    stated = (name: string) => name,
    files = shardsOf(tensors, names),
  ): Record<string, string | Buffer> => ({
    ...files.files,
    'model.safetensors.index.json': JSON.stringify({
      weight_map: Object.fromEntries(Object.entries(files.weightMap).map(([tensor, file]) => [tensor, stated(file)])),
    }),
  });
  const config = (text: string): Record<string, string | Buffer> => ({ 'config.json': text, 'model.safetensors': whole });
  const configText = JSON.stringify(demoConfig(), null, 2);
  const newer = (name: string): string =>
    name
      .replace(/^language_model\.model\./, 'model.language_model.')
      .replace(/^language_model\.lm_head/, 'lm_head')
      .replace(/^(?=vision_model|multi_modal)/, 'model.');

  test.each<[string, () => Record<string, string | Buffer>, number]>([
    ['one file', () => ({ 'model.safetensors': whole }), 1],
    ['an index and its shards', () => indexed(two()), 2],
    ['shards without an index', () => shardsOf(tensors, two()).files, 2],
    ['shards of another name without an index', () => shardsOf(tensors, two('model.fp16')).files, 2],
    ['one file of another name', () => ({ 'Llama-3.2-11B-Vision.safetensors': whole }), 1],
    [
      'a stale index beside the whole file',
      () => ({ 'model.safetensors': whole, 'model.safetensors.index.json': '{"weight_map": {"a": "model-00001-of-00005.safetensors"}}' }),
      1,
    ],
    [
      'a stale index beside whole shards',
      () => ({
        ...shardsOf(tensors, two()).files,
        'model.safetensors.index.json': '{"weight_map": {"a": "model-00001-of-00005.safetensors"}}',
      }),
      2,
    ],
    ['an index that says ./', () => indexed(two(), (name) => `./${name}`), 2],
    ['an index that names a subfolder', () => indexed(two().map((name) => `weights/${name}`)), 2],
    [
      'the empty optimizer state of a trainer beside it',
      () => ({ 'model.safetensors': whole, 'optimizer.safetensors': Buffer.alloc(0) }),
      1,
    ],
    [
      'an adapter beside the whole model',
      () => ({ 'model.safetensors': whole, 'adapter_config.json': '{}', 'adapter_model.safetensors': Buffer.alloc(8) }),
      1,
    ],
    ['Meta’s copy of the same weights beside it', () => ({ 'model.safetensors': whole, 'consolidated.safetensors': Buffer.alloc(8) }), 1],
    ...['module.', '_orig_mod.', 'base_model.model.', 'module._orig_mod.'].map((prefix): [string, () => Record<string, Buffer>, number] => [
      `the wrapper ${prefix}`,
      () => ({ 'model.safetensors': safetensorsOf(renamed(tensors, (name) => prefix + name)) }),
      1,
    ]),
    [
      'a wrapper around newer names',
      () => ({ 'model.safetensors': safetensorsOf(renamed(tensors, (name) => `base_model.model.${newer(name)}`)) }),
      1,
    ],
    ['names of transformers 4.52', () => ({ 'model.safetensors': safetensorsOf(renamed(tensors, newer)) }), 1],
    [
      'names that were saved again below model.',
      () => ({ 'model.safetensors': safetensorsOf(renamed(tensors, (name) => `model.${name}`)) }),
      1,
    ],
    ['config.json with a byte order mark', () => config(`\uFEFF${configText}`), 1],
    [
      'config.json with NaN',
      () =>
        config(
          configText.replace('"dropout": 0.0', '"dropout": NaN').replace(/"initializer_range": [\d.]+/, '"initializer_range": -Infinity'),
        ),
      1,
    ],
    [
      'config.json that says one thing twice',
      () => config(configText.replace('"model_type": "mllama",', '"model_type": "mllama",\n  "model_type": "mllama",')),
      1,
    ],
    ['an empty quantization_config', () => ({ ...config(JSON.stringify(demoConfig({ quantization_config: {} }))) }), 1],
    ['quantization_config: null', () => ({ ...config(JSON.stringify(demoConfig({ quantization_config: null }))) }), 1],
  ])('%s: loads', async (_, files, count) => {
    expect(await inspection((place) => void writeModel(place, files()))).toMatchObject({ ...loads, files: count, precision: 'BF16' });
  });

  const nf4 = (name: string, rows: number, columns: number) => ({
    [name]: zeros('U8', [(rows * columns) / 2, 1], 1),
    [`${name}.absmax`]: zeros('U8', [(rows * columns) / 64], 1),
    [`${name}.quant_state.bitsandbytes__nf4`]: zeros('U8', [4], 1),
  });
  const fp8 = (name: string, rows: number, columns: number) => ({
    [name]: zeros('F8_E4M3', [rows, columns], 1),
    [`${name}_scale`]: zeros('BF16', [rows, 1], 2),
  });
  const mlx = (name: string, rows: number, columns: number) => ({
    [name]: zeros('U32', [rows, columns / 8], 4),
    [name.replace(/weight$/, 'scales')]: zeros('BF16', [rows, columns / 64], 2),
    [name.replace(/weight$/, 'biases')]: zeros('BF16', [rows, columns / 64], 2),
  });
  const gptq = (name: string, rows: number, columns: number) => ({
    [name.replace(/weight$/, 'qweight')]: zeros('I32', [columns, rows / 8], 4),
    [name.replace(/weight$/, 'qzeros')]: zeros('I32', [1, rows / 8], 4),
  });
  const quantised = (
    store: Parameters<typeof quantisedText>[1],
    change: object = {},
    rename = (name: string) => name,
  ): Record<string, string | Buffer> => ({
    'config.json': JSON.stringify(demoConfig(change)),
    'model.safetensors': safetensorsOf(renamed(quantisedText(tensors, store), rename)),
  });
  const other = /Take the original copy|GGUF/;
  const withoutOne = (): Record<string, string | Buffer> => {
    const { 'model-00002-of-00003.safetensors': _, ...rest } = shardsOf(tensors, [
      'model-00001-of-00003.safetensors',
      'model-00002-of-00003.safetensors',
      'model-00003-of-00003.safetensors',
    ]).files;
    return rest;
  };

  test.each<[string, () => Record<string, string | Buffer>, string[], Problem['state'], RegExp, RegExp]>([
    [
      'a missing part, without an index',
      withoutOne,
      [],
      'incomplete',
      /2 of 3 parts are here; 'model-00002-of-00003\.safetensors' is missing\.$/,
      /Download what is missing/,
    ],
    [
      'a missing part, with one',
      () => ({
        ...indexed(two()),
        'model.safetensors.index.json': JSON.stringify({ weight_map: { a: two()[0], b: 'model-00003-of-00003.safetensors' } }),
      }),
      [],
      'incomplete',
      /1 of 2 shards is here; 'model-00003-of-00003\.safetensors' is missing/,
      /Download the missing/,
    ],
    [
      'an index that leaves the folder',
      () => indexed(two(), (name) => `../Llama-3.2-Demo/${name}`),
      [],
      'unsupported',
      /'\.\.\/Llama-3\.2-Demo\/model-00001-of-00002\.safetensors', which is not a file within the model folder/,
      /index/,
    ],
    [
      'several files of which none is the model by its name',
      () => ({ 'a.safetensors': whole, 'b.safetensors': whole }),
      [],
      'incomplete',
      /nothing says which of them are the model: 'a\.safetensors', 'b\.safetensors'/,
      /Keep those of one model only/,
    ],
    [
      'an adapter',
      () => ({ 'adapter_config.json': '{"peft_type": "LORA"}', 'adapter_model.safetensors': Buffer.alloc(8) }),
      ['config.json'],
      'unsupported',
      /holds an adapter \(LoRA\)/,
      /Merge it into its model first/,
    ],
    [
      'an adapter with a config.json',
      () => ({ 'adapter_config.json': '{"peft_type": "LORA"}', 'adapter_model.safetensors': Buffer.alloc(8) }),
      [],
      'unsupported',
      /holds an adapter \(LoRA\)/,
      /Merge it into its model first/,
    ],
    [
      'an adapter that was saved with its model, unmerged',
      () => ({
        'model.safetensors': safetensorsOf(
          new Map([
            ...renamed(tensors, (name) => `base_model.model.${name}`),
            ['base_model.model.a.lora_A.weight', zeros('F32', [4, 4], 4)],
          ]),
        ),
      }),
      [],
      'unsupported',
      /an adapter \(LoRA\) that is not merged/,
      /Merge it/,
    ],
    [
      'Meta’s original files',
      () => ({ 'consolidated.00.pth': 'PK', 'params.json': '{"dim": 4096}', 'tokenizer.model': 'IQ== 0' }),
      ['config.json', 'tokenizer.json'],
      'unsupported',
      /Meta's original format/,
      /Get the Hugging Face layout/,
    ],
    ['PyTorch’s files', () => ({ 'pytorch_model.bin': 'PK' }), [], 'unsupported', /PyTorch's own files/, /safetensors/],
    ['no weights', () => ({}), [], 'incomplete', /holds no weights/, /finish the download/],
    [
      'no tokenizer',
      () => ({ 'model.safetensors': whole }),
      ['tokenizer.json'],
      'incomplete',
      /has no tokenizer\.json/,
      /Copy tokenizer\.json/,
    ],
    [
      'a cut file',
      () => ({ 'model.safetensors': whole.subarray(0, whole.length - 100) }),
      [],
      'incomplete',
      /ends at byte \d+ of the data; the file holds \d+/,
      /incomplete/,
    ],
    [
      'a file cut in its head',
      () => ({ 'model.safetensors': whole.subarray(0, 20) }),
      [],
      'incomplete',
      /announces a header of \d+ bytes/,
      /incomplete/,
    ],
    [
      'another architecture',
      () => config(JSON.stringify(demoConfig({ model_type: 'qwen2_vl' }))),
      [],
      'unsupported',
      /model_type 'qwen2_vl'/,
      /Llama 3\.2 Vision/,
    ],
    [
      'bitsandbytes',
      () => quantised(nf4, { quantization_config: { load_in_4bit: true, quant_method: 'bitsandbytes' } }),
      [],
      'unsupported',
      /bitsandbytes/,
      other,
    ],
    ['bitsandbytes with a stripped config', () => quantised(nf4), [], 'unsupported', /bitsandbytes \('.*\.absmax'\)/, other],
    [
      'FP8',
      () => quantised(fp8, { quantization_config: { quant_method: 'compressed-tensors', format: 'float-quantized' } }),
      [],
      'unsupported',
      /compressed-tensors/,
      other,
    ],
    ['FP8 with a stripped config', () => quantised(fp8), [], 'unsupported', /weights in FP8/, other],
    [
      'MLX, as old copies say it',
      () => quantised(mlx, { quantization: { group_size: 64, bits: 4 } }),
      [],
      'unsupported',
      /quantised for MLX/,
      other,
    ],
    [
      'MLX, as new ones do',
      () => quantised(mlx, { quantization: { group_size: 64, bits: 4 }, quantization_config: { group_size: 64, bits: 4 } }),
      [],
      'unsupported',
      /quantised for MLX/,
      other,
    ],
    ['MLX with a stripped config', () => quantised(mlx), [], 'unsupported', /quantised for MLX/, other],
    [
      'MLX in 16 bits',
      () => ({ 'model.safetensors': safetensorsOf(renamed(tensors, (name) => name.replace('vision_model.', 'vision_tower.'))) }),
      [],
      'unsupported',
      /MLX's own arrangement/,
      other,
    ],
    [
      'GPTQ',
      () => quantised(gptq, { quantization_config: { quant_method: 'gptq', bits: 4, group_size: 128 } }),
      [],
      'unsupported',
      /'gptq'/,
      other,
    ],
    ['GPTQ with a stripped config', () => quantised(gptq), [], 'unsupported', /GPTQ or AWQ/, other],
    [
      'a method that is not named',
      () => config(JSON.stringify(demoConfig({ quantization_config: { modules_to_not_convert: [] } }))),
      [],
      'unsupported',
      /does not say how/,
      other,
    ],
    [
      'config.json that says two things',
      () => config(configText.replace('"model_type": "mllama",', '"model_type": "mllama",\n  "model_type": "llama",')),
      [],
      'unsupported',
      /the key 'model_type' appears twice, with two values/,
      /Keep the right one/,
    ],
    [
      'a number that is NaN where one is needed',
      () => config(configText.replace(/"rms_norm_eps": [\d.e-]+/, '"rms_norm_eps": NaN')),
      [],
      'unsupported',
      /rms_norm_eps must be a number/,
      /config\.json/,
    ],
    [
      'config.json in UTF-16',
      () => ({ 'config.json': Buffer.from(`\uFEFF${configText}`, 'utf16le'), 'model.safetensors': whole }),
      [],
      'unsupported',
      /UTF-16/,
      /UTF-8/,
    ],
  ])('%s: is refused, and it is said what to do', async (_, files, without, state, message, nextStep) => {
    expect(await inspection((place) => void writeModel(place, files(), without))).toMatchObject(refused(state, message, nextStep));
  });
});

describe('GGUF files', () => {
  let whole: GgufFile;
  beforeAll(async () => {
    const target = join(folder, 'Llama-whole.gguf');
    await quantiseAlone({ directory: demoModel, target, text: 'q8_0', vision: 'f16' });
    whole = readGguf(target);
    rmSync(target);
  });

  const pair = (type: string | null, part = pairOf(whole, type)) => ({
    'Llama-3.2-Q4_K_M.gguf': ggufOf(part.text),
    'Llama-3.2-mmproj.f16.gguf': ggufOf(part.projector),
  });
  const parts = (count: number): Record<string, Buffer> =>
    Object.fromEntries(splitOf(whole, count).map((part, index) => [`Llama-0000${index + 1}-of-0000${count}.gguf`, ggufOf(part)]));

  test.each<[string, () => Record<string, Buffer>, number]>([
    ['whole', () => ({ 'a.gguf': ggufOf(whole) }), 1],
    ['text and projector', () => pair('projector'), 2],
    ['text and mmproj, as the llama.cpp fork writes them', () => pair('mmproj'), 2],
    ['text and projector that do not say what they are', () => pair(null), 2],
    ['all parts of a split one', () => parts(3), 3],
    [
      'parts of a text file and its projector',
      () => ({
        ...Object.fromEntries(
          splitOf(pairOf(whole, 'mmproj').text, 2).map((part, index) => [`t-0000${index + 1}-of-00002.gguf`, ggufOf(part)]),
        ),
        'mmproj.gguf': ggufOf(pairOf(whole, 'mmproj').projector),
      }),
      3,
    ],
    ['words of smaug-bpe', () => ({ 'a.gguf': ggufOf(withEntries(whole, { 'tokenizer.ggml.pre': 'smaug-bpe' })) }), 1],
    ['words of llama-v3', () => ({ 'a.gguf': ggufOf(withEntries(whole, { 'tokenizer.ggml.pre': 'llama-v3' })) }), 1],
    ['words of llama3', () => ({ 'a.gguf': ggufOf(withEntries(whole, { 'tokenizer.ggml.pre': 'llama3' })) }), 1],
  ])('%s: loads', async (_, files, count) => {
    expect(await inspection((place) => void write(place, files()))).toMatchObject({ ...loads, files: count });
  });

  const bytes = (): Buffer => ggufOf(whole);
  const bigEndian = (): Buffer => {
    const file = bytes();
    file.writeUInt32BE(3, 4);
    return file;
  };
  const cut = (): Buffer => bytes().subarray(0, -1000);
  const without = (files: Record<string, Buffer>, name: string): Record<string, Buffer> =>
    Object.fromEntries(Object.entries(files).filter(([each]) => each !== name));

  test.each<[string, () => Record<string, Buffer>, string | null, Problem['state'], RegExp, RegExp]>([
    [
      'a missing part',
      () => without(parts(3), 'Llama-00002-of-00003.gguf'),
      null,
      'incomplete',
      /2 of 3 parts are here; 'Llama-00002-of-00003\.gguf' is missing\.$/,
      /all parts into one folder/,
    ],
    [
      'the first part alone',
      () => ({ 'Llama-00001-of-00003.gguf': parts(3)['Llama-00001-of-00003.gguf']! }),
      null,
      'incomplete',
      /1 of 3 parts is here; 'Llama-00002-of-00003\.gguf' and 'Llama-00003-of-00003\.gguf' are missing/,
      /all parts into one folder/,
    ],
    [
      'a part that has lost its name',
      () => ({ 'x.gguf': parts(2)['Llama-00002-of-00002.gguf']! }),
      null,
      'incomplete',
      /1 of 2 parts is here; 'part 1' is missing/,
      /all parts/,
    ],
    [
      'parts joined byte by byte',
      () => ({ 'a.gguf': Buffer.concat(Object.values(parts(2))) }),
      null,
      'unsupported',
      /holds a second GGUF file behind its first/,
      /--merge/,
    ],
    [
      'pieces of a cut file',
      () => ({ 'Llama.gguf.part1of2': bytes().subarray(0, 1_000_000), 'Llama.gguf.part2of2': bytes().subarray(1_000_000) }),
      null,
      'incomplete',
      /Llama\.gguf\.part1of2 is piece 1 of 2 of one file, Llama\.gguf\.$/,
      /Join the pieces in their order/,
    ],
    ['a cut one', () => ({ 'a.gguf': cut() }), null, 'incomplete', /the file holds/, /incomplete/],
    [
      'one of a big-endian machine',
      () => ({ 'a.gguf': bigEndian() }),
      null,
      'unsupported',
      /is written for big-endian machines/,
      /current GGUF file/,
    ],
    [
      'the text part alone',
      () => without(pair('mmproj'), 'Llama-3.2-mmproj.f16.gguf'),
      null,
      'incomplete',
      /the projector, which holds the vision tower, is missing/,
      /both files/,
    ],
    [
      'the projector alone',
      () => without(pair('mmproj'), 'Llama-3.2-Q4_K_M.gguf'),
      'Llama-3.2-mmproj.f16.gguf',
      'incomplete',
      /the text file is missing/,
      /both files/,
    ],
    [
      'a text with two projectors',
      () => ({ ...pair('mmproj'), 'other-mmproj.gguf': pair('mmproj')['Llama-3.2-mmproj.f16.gguf'] }),
      null,
      'incomplete',
      /2 picture parts beside it fit: Llama-3\.2-mmproj\.f16\.gguf and other-mmproj\.gguf/,
      /Move all but one/,
    ],
    [
      'words of another family',
      () => ({ 'a.gguf': ggufOf(withEntries(whole, { 'tokenizer.ggml.pre': 'qwen2' })) }),
      null,
      'unsupported',
      /"qwen2"/,
      /another copy/,
    ],
    [
      'words of none',
      () => ({ 'a.gguf': ggufOf(withEntries(whole, { 'tokenizer.ggml.pre': 'default' })) }),
      null,
      'unsupported',
      /"default"/,
      /another copy/,
    ],
    [
      'another kind of tokenizer',
      () => ({ 'a.gguf': ggufOf(withEntries(whole, { 'tokenizer.ggml.model': 'llama' })) }),
      null,
      'unsupported',
      /"llama"/,
      /another copy/,
    ],
    [
      'IQ4_NL',
      () => ({
        'a.gguf': ggufOf({
          ...whole,
          tensors: whole.tensors.map((tensor) => (tensor.name === 'blk.0.ffn_up.weight' ? { ...tensor, type: 20 } : tensor)),
        }),
      }),
      null,
      'unsupported',
      /the type IQ4_NL/,
      /Q4_K_M/,
    ],
    [
      'a form that nobody knows',
      () => ({
        'a.gguf': ggufOf({
          ...whole,
          tensors: whole.tensors.map((tensor) => (tensor.name === 'blk.0.ffn_up.weight' ? { ...tensor, type: 99 } : tensor)),
        }),
      }),
      null,
      'unsupported',
      /unknown type 99/,
      /Q4_K_M/,
    ],
  ])('%s: is refused, and it is said what to do', async (_, files, named, state, message, nextStep) => {
    expect(
      await inspection((place) => {
        write(place, files());
        return named === null ? place : join(place, named);
      }),
    ).toMatchObject(refused(state, message, nextStep));
  });

  test('several quantisations share one projector, which is not a model itself', async () => {
    const at = join(folder, 'shared');
    const { text, projector } = pairOf(whole, 'mmproj');
    write(at, { 'Llama-Q4_K_M.gguf': ggufOf(text), 'Llama-Q8_0.gguf': ggufOf(text), 'mmproj-f16.gguf': ggufOf(projector) });
    const found = await Promise.all((await findAt(at)).map((model) => inspectedBy(engine.inspect, model)));
    expect(found.map(({ name, problem, files }) => [name, problem, files.length]).sort()).toEqual([
      ['Llama-Q4_K_M', null, 2],
      ['Llama-Q8_0', null, 2],
    ]);
    // A projector of a model of another width is not taken for it.
    writeFileSync(
      join(at, 'small-mmproj.gguf'),
      ggufOf({
        ...projector,
        tensors: projector.tensors.map((tensor) =>
          tensor.name === 'mm.0.weight' ? { ...tensor, dimensions: [tensor.dimensions[0]!, 32n] } : tensor,
        ),
      }),
    );
    expect((await findAt(at)).map(({ problem }) => problem)).toEqual([null, null]);
    await expect(findModel(at)).rejects.toMatchObject({
      code: 'model_missing',
      message: expect.stringMatching(/several models: Llama-Q4_K_M\.gguf, Llama-Q8_0\.gguf/) as string,
    });
    rmSync(at, { recursive: true });
  });

  test('a file that ends the engine’s process spoils the inspection of no other', async () => {
    const at = join(folder, 'odd');
    write(at, { 'a.gguf': ggufOf(whole) });
    const [found] = await findAt(at);
    const crashed = await inspectedBy(() => Promise.reject(new LoupeError('engine_crashed', 'The engine stopped.')), found!);
    expect(crashed.problem).toMatchObject({ state: 'unsupported', message: 'The engine stopped while it read the files of a.' });
    truncateSync(join(at, 'a.gguf'), 0);
    expect((await inspectedBy(engine.inspect, found!)).problem).toMatchObject({ state: 'incomplete', code: 'file_truncated' });
    rmSync(at, { recursive: true });
  });
});
