import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { catalogueModel } from '../catalogue.ts';
import { findModel } from './find-model.ts';
import { findAt, findModels, type FoundModel } from './find.ts';
import { readGgufSummary } from './gguf-summary.ts';
import { identify } from './inspect.ts';
import { huggingFaceCaches, llamaCppCache, lmStudioFolders } from './model-folders.ts';
import { usableModel } from '../models.ts';
import { ggufBytes, publishedFiles, visionConfig, write } from '../test/write-model.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-find-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const outline = ({ name, source, kind, format, problem, known }: FoundModel) => ({
  name,
  source,
  kind,
  format,
  problem: problem?.state ?? null,
  known: known?.id ?? null,
});
const one = async (path: string): Promise<FoundModel> => {
  const found = await findAt(path);
  expect(found).toHaveLength(1);
  return found[0]!;
};

/** As the library lays it out: blobs by hash, snapshots of links. */
function cached(cache: string, repository: string, files: Record<string, string | Buffer>, commit = 'abc'): string {
  const base = join(cache, `models--${repository.replace('/', '--')}`);
  write(base, { 'refs/main': commit });
  for (const [name, content] of Object.entries(files)) {
    const hash = createHash('sha256').update(content).digest('hex');
    const link = join(base, 'snapshots', commit, name);
    write(base, { [`blobs/${hash}`]: content });
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(relative(dirname(link), join(base, 'blobs', hash)), link);
  }
  return base;
}

const llama = { 'general.architecture': 'llama', 'llama.embedding_length': 3072, 'llama.block_count': 28 };
/** A file that differs from others in what its title says. */
const titled = (title: string): Buffer => ggufBytes({ ...llama, 'general.name': title });

const vision = {
  'general.architecture': 'mllama',
  'general.name': 'Llama 3.2 11B Vision Instruct',
  'mllama.embedding_length': 4096,
  'mllama.block_count': 40,
};
const unified = {
  ...vision,
  'mllama.vision.block_count': 32,
  'mllama.vision.image_size': 560,
  'tokenizer.ggml.tokens': ['a', 'b'],
  'mllama.attention.cross_attention_layers': [3, 8],
};

describe('a folder as published', () => {
  test('whole: what it is, how large, which model', async () => {
    const path = write(join(folder, 'Llama-3.2-11B-Vision-Instruct'), publishedFiles());
    const found = await one(path);
    expect(outline(found)).toEqual({
      name: 'Llama-3.2-11B-Vision-Instruct',
      source: 'folder',
      kind: 'vision',
      format: 'safetensors',
      problem: null,
      known: 'llama-3.2-11b-vision-instruct',
    });
    expect(found.path).toBe(path);
    expect(found.files).toHaveLength(2);
    expect(found.bytes).toBeGreaterThan(164);
    // Its configuration or a shard names it as well.
    expect((await one(join(path, 'model-00001-of-00002.safetensors'))).path).toBe(path);
  });

  test('models of other makers are told by their configuration; other programs’ folders are none', async () => {
    expect((await one(write(join(folder, 'a'), publishedFiles({ model_type: 'qwen2' })))).problem).toMatchObject({
      state: 'unsupported',
      message: expect.stringContaining('"qwen2"') as string,
    });
    write(join(folder, 'b', 'program'), { 'config.json': '{"window": 1}' });
    await expect(findAt(join(folder, 'b'))).rejects.toMatchObject({ code: 'model_missing' });
  });

  test('what was never a model by itself is listed, so that the list can say what it is', async () => {
    write(join(folder, 'adapter'), { 'adapter_config.json': '{}', 'adapter_model.safetensors': '' });
    write(join(folder, 'meta'), { 'consolidated.00.pth': '', 'params.json': '{}' });
    write(join(folder, 'odd'), { 'config.json': '\uFEFF{"model_type": "mllama", "dropout": NaN}', 'model.safetensors': '' });
    const found = (await findAt(folder)).map(({ name, kind }) => [name, kind]);
    expect(found.sort()).toEqual([
      ['adapter', 'text'],
      ['meta', 'text'],
      ['odd', 'vision'],
    ]);
  });
});

describe('the Hugging Face cache', () => {
  test('whole models, broken ones, and none of other makers', async () => {
    const cache = join(folder, 'hub');
    cached(cache, 'unsloth/Llama-3.2-11B-Vision-Instruct', publishedFiles());
    const broken = cached(
      cache,
      'meta-llama/Llama-3.2-11B-Vision',
      publishedFiles({ ...visionConfig, vision_config: { image_size: 448 } }),
    );
    // What an interrupted download leaves: a link to nothing.
    rmSync(join(broken, 'snapshots', 'abc', 'model-00002-of-00002.safetensors'));
    symlinkSync('../../blobs/gone', join(broken, 'snapshots', 'abc', 'model-00002-of-00002.safetensors'));
    cached(cache, 'Qwen/Qwen2-VL-7B', publishedFiles({ model_type: 'qwen2_vl' }));
    write(cache, { 'models--someone--empty/refs/main': 'x', 'version.txt': '1' });
    const found = await findModels({ environment: { HF_HUB_CACHE: cache, OLLAMA_MODELS: join(folder, 'none') }, home: folder });
    expect(found.map(outline).sort((a, b) => a.name.localeCompare(b.name))).toEqual([
      expect.objectContaining({ name: 'Llama-3.2-11B-Vision', known: 'llama-3.2-11b-vision' }),
      expect.objectContaining({
        name: 'Llama-3.2-11B-Vision-Instruct',
        source: 'huggingface',
        problem: null,
        known: 'llama-3.2-11b-vision-instruct',
      }),
    ]);
    expect((await findAt(cache)).map(({ source }) => source)).toEqual(['huggingface', 'huggingface']);
    // Also where a folder above or below the snapshot is named: its name is the model's, not the commit's.
    for (const path of [broken, join(broken, 'snapshots'), join(broken, 'snapshots', 'abc', 'config.json')])
      expect((await one(path)).name).toBe('Llama-3.2-11B-Vision');
  });

  describe('GGUF files', () => {
    const commit = 'a'.repeat(40);
    const search = () =>
      findModels({ environment: { HF_HUB_CACHE: join(folder, 'hub'), OLLAMA_MODELS: join(folder, 'none') }, home: folder });
    const named = (models: FoundModel[]) => models.map(({ name, source, problem }) => [name, source, problem?.message ?? null]).sort();

    test('links to blobs without an ending: the repository is what it is called, however it is named', async () => {
      const base = cached(
        join(folder, 'hub'),
        'bartowski/Llama-3.2-3B-Instruct-GGUF',
        {
          'Llama-3.2-3B-Instruct-Q4_K_M.gguf': titled('Llama 3.2 3B Instruct'),
          'config.json': '{"model_type": "llama"}',
          'README.md': '#',
        },
        commit,
      );
      const file = join(base, 'snapshots', commit, 'Llama-3.2-3B-Instruct-Q4_K_M.gguf');
      const [found, ...others] = await search();
      expect(others).toEqual([]);
      expect(outline(found!)).toEqual({
        name: 'bartowski/Llama-3.2-3B-Instruct-GGUF',
        source: 'huggingface',
        kind: 'text',
        format: 'gguf',
        problem: null,
        known: 'llama-3.2-3b-instruct',
      });
      expect(found!.path).toBe(file);
      for (const place of [file, dirname(file), base, join(folder, 'hub')]) expect(await findAt(place)).toEqual([found]);
      // Further up it is found on the way.
      expect((await findAt(folder)).map(({ path }) => path)).toEqual([file]);
    });

    test('several forms, parts in a folder, files that were fetched one by one, without links', async () => {
      const hub = join(folder, 'hub');
      cached(
        hub,
        'bartowski/Llama-3.2-3B-Instruct-GGUF',
        { 'Q4.gguf': titled('four'), 'Q8.gguf': titled('eight'), 'Q2.gguf': titled('two, old') },
        'a'.repeat(40),
      );
      cached(hub, 'bartowski/Llama-3.2-3B-Instruct-GGUF', { 'Q2.gguf': titled('two, new') }, 'b'.repeat(40));
      cached(
        hub,
        'unsloth/Llama-3.3-70B-Instruct-GGUF',
        { 'BF16/m-00001-of-00002.gguf': titled('one'), 'BF16/m-00002-of-00002.gguf': ggufBytes({}) },
        commit,
      );
      write(join(hub, 'models--someone--Llama-copied', 'snapshots', commit), { 'model.gguf': titled('copied') });
      cached(hub, 'someone/qwen-GGUF', { 'qwen.gguf': ggufBytes({ 'general.architecture': 'qwen3' }) }, commit);
      const found = await search();
      expect(named(found)).toEqual([
        ['bartowski/Llama-3.2-3B-Instruct-GGUF (Q2)', 'huggingface', null],
        ['bartowski/Llama-3.2-3B-Instruct-GGUF (Q4)', 'huggingface', null],
        ['bartowski/Llama-3.2-3B-Instruct-GGUF (Q8)', 'huggingface', null],
        ['someone/Llama-copied', 'huggingface', null],
        ['unsloth/Llama-3.3-70B-Instruct-GGUF', 'huggingface', null],
      ]);
      expect(found.find(({ name }) => name.endsWith('(Q2)'))!.path).toContain('b'.repeat(40));
      expect(found.find(({ name }) => name.startsWith('unsloth'))!.files).toHaveLength(2);
    });

    test('a blob that is gone', async () => {
      const base = cached(join(folder, 'hub'), 'someone/Llama-x-GGUF', { 'Llama-x.gguf': titled('x') }, commit);
      rmSync(join(base, 'blobs'), { recursive: true });
      expect(named(await search())).toEqual([
        ['someone/Llama-x-GGUF', 'huggingface', expect.stringMatching(/^It is a link to .*blobs.*, and nothing is there\./)],
      ]);
    });
  });

  test('of several snapshots the one that is whole; a snapshot and what holds it have the name of the model', async () => {
    const hub = join(folder, 'hub');
    cached(hub, 'meta-llama/Llama-3.2-11B-Vision-Instruct', publishedFiles(), 'a'.repeat(40));
    // A program looked up the configuration of a newer one.
    const base = cached(
      hub,
      'meta-llama/Llama-3.2-11B-Vision-Instruct',
      { 'config.json': JSON.stringify({ ...visionConfig, newer: true }) },
      'b'.repeat(40),
    );
    const found = await one(base);
    expect(outline(found)).toMatchObject({ name: 'Llama-3.2-11B-Vision-Instruct', source: 'huggingface', problem: null });
    expect(found.path).toBe(join(base, 'snapshots', 'a'.repeat(40)));
    expect((await findAt(folder)).map(({ name }) => name)).toEqual(Array(2).fill('Llama-3.2-11B-Vision-Instruct'));
    expect(await one(join(found.path, 'config.json'))).toEqual(found);
    // Whether what is named by itself loads says the engine.
    expect((await one(join(base, 'snapshots', 'b'.repeat(40)))).files).toEqual([]);
  });

  test('where it is', () => {
    expect(huggingFaceCaches({}, '/home/a')).toEqual([join('/home/a', '.cache', 'huggingface', 'hub')]);
    expect(huggingFaceCaches({ HF_HOME: '/x' }, '/home/a')).toEqual([join('/x', 'hub')]);
    expect(huggingFaceCaches({ HF_HOME: '/x', HF_HUB_CACHE: '/y' }, '/home/a')).toEqual(['/y']);
    expect(huggingFaceCaches({ XDG_CACHE_HOME: '/c' }, '/home/a')).toEqual([join('/c', 'huggingface', 'hub')]);
  });
});

describe('Ollama', () => {
  function stored(model: string, tag: string, layers: [kind: string, content: Buffer][]): void {
    const entries = layers.map(([kind, content]) => {
      const hex = createHash('sha256').update(content).digest('hex');
      write(folder, { [`blobs/sha256-${hex}`]: content });
      return { mediaType: `application/vnd.ollama.image.${kind}`, digest: `sha256:${hex}`, size: content.length };
    });
    write(folder, { [`manifests/registry.ollama.ai/library/${model}/${tag}`]: JSON.stringify({ layers: entries }) });
  }

  test('one file, two files, a lost one; nobody else’s', async () => {
    stored('llama3.2-vision', 'latest', [
      [
        'model',
        ggufBytes(unified, [
          { name: 'a', type: 12, rows: 8 },
          { name: 'b', type: 12, rows: 8 },
          { name: 'v', type: 1 },
        ]),
      ],
    ]);
    stored('llama3.2-vision', 'legacy', [
      ['model', ggufBytes(vision)],
      ['projector', ggufBytes({ 'general.architecture': 'mllama', 'general.type': 'projector', 'mllama.vision.image_size': 560 })],
    ]);
    stored('llama3.2-vision', 'text-only', [['model', ggufBytes({ ...vision, x: 1 })]]);
    stored('qwen3', 'latest', [['model', ggufBytes({ 'general.architecture': 'qwen3' })]]);
    const found = (await findModels({ environment: { OLLAMA_MODELS: folder, HF_HUB_CACHE: '/nowhere' }, home: folder })).map(outline);
    expect(found).toEqual([
      {
        name: 'llama3.2-vision:latest',
        source: 'ollama',
        kind: 'vision',
        format: 'gguf',
        problem: null,
        known: 'llama-3.2-11b-vision-instruct',
      },
      {
        name: 'llama3.2-vision:legacy',
        source: 'ollama',
        kind: 'vision',
        format: 'gguf',
        problem: null,
        known: 'llama-3.2-11b-vision-instruct',
      },
      expect.objectContaining({ name: 'llama3.2-vision:text-only', kind: 'vision' }),
    ]);
    const [, legacy] = await findAt(folder);
    expect(await one(legacy!.path)).toEqual(legacy);
    for (const blob of legacy!.files) unlinkSync(blob);
    expect((await one(legacy!.path)).problem).toMatchObject({ state: 'incomplete', code: 'file_missing' });
  });
});

describe('llama.cpp', () => {
  test('its cache', async () => {
    write(join(folder, 'llama.cpp'), {
      'bartowski_Llama-3.2-3B-Instruct-GGUF_Q4.gguf': titled('a'),
      'bartowski_Llama-3.2-3B-Instruct-GGUF_Q4.gguf.json': '{}',
      'Q8.gguf.downloadInProgress': 'GG',
      'qwen.gguf': ggufBytes({ 'general.architecture': 'qwen3' }),
    });
    const found = await findModels({
      environment: { LLAMA_CACHE: join(folder, 'llama.cpp'), OLLAMA_MODELS: '/nowhere', HF_HUB_CACHE: '/nowhere' },
      home: folder,
    });
    expect(found.map(({ name, source }) => [name, source])).toEqual([['bartowski_Llama-3.2-3B-Instruct-GGUF_Q4', 'llamacpp']]);
  });

  test('where it is', () => {
    expect(llamaCppCache({}, '/home/a', 'linux')).toBe(join('/home/a', '.cache', 'llama.cpp'));
    expect(llamaCppCache({ XDG_CACHE_HOME: '/c' }, '/home/a', 'linux')).toBe(join('/c', 'llama.cpp'));
    expect(llamaCppCache({}, '/Users/a', 'darwin')).toBe(join('/Users/a', 'Library', 'Caches', 'llama.cpp'));
    expect(llamaCppCache({ LOCALAPPDATA: '/l' }, '/Users/a', 'win32')).toBe(join('/l', 'llama.cpp'));
    expect(llamaCppCache({ LLAMA_CACHE: '/x' }, '/home/a')).toBe('/x');
  });
});

describe('LM Studio', () => {
  const search = () =>
    findModels({ environment: { OLLAMA_MODELS: '/nowhere', HF_HUB_CACHE: join(folder, 'hub') }, home: join(folder, 'home') });
  const named = (models: FoundModel[]) => models.map(({ name, source, problem }) => [name, source, problem?.message ?? null]).sort();

  test('linked models, makers and files; each once; links that lead nowhere are named', async () => {
    const models = join(folder, 'home', '.lmstudio', 'models');
    const drive = join(folder, 'drive');
    write(models, { 'community/own/own.gguf': titled('own') });
    write(drive, { 'model/linked.gguf': titled('linked'), 'maker/model/vendor.gguf': titled('vendor'), 'file.gguf': titled('file') });
    const base = cached(join(folder, 'hub'), 'someone/Llama-GGUF', { 'Llama.gguf': titled('cached') });
    const link = (target: string, ...path: string[]): void =>
      symlinkSync(target, join(models, ...path), statSync(target, { throwIfNoEntry: false })?.isDirectory() ? 'junction' : 'file');
    link(join(drive, 'model'), 'community', 'linked');
    link(join(drive, 'maker'), 'maker');
    link(join(drive, 'file.gguf'), 'community', 'own', 'file.gguf');
    // The same again: by another link, out of the cache, and round and round.
    link(join(drive, 'maker', 'model'), 'community', 'vendor again');
    link(join(models, 'community', 'own', 'own.gguf'), 'community', 'own again.gguf');
    link(join(base, 'snapshots', 'abc', 'Llama.gguf'), 'community', 'own', 'cached.gguf');
    link(models, 'community', 'circle');
    link(join(folder, 'home'), 'up');
    link('/nowhere/gone', 'gone');
    link('/nowhere/gone.gguf', 'community', 'own', 'gone.gguf');
    link(join(models, 'itself'), 'itself');
    link('/nowhere/readme', 'community', 'own', 'notes.txt');
    const nothing = (target: string): string =>
      `It is a link to ${target}, and nothing is there. Connect the drive that it is on, or remove the link.`;
    expect(named(await search())).toEqual([
      ['file', 'lmstudio', null],
      ['gone', 'lmstudio', nothing('/nowhere/gone')],
      ['gone', 'lmstudio', nothing('/nowhere/gone.gguf')],
      ['itself', 'lmstudio', 'It is a link to itself. Remove it.'],
      ['linked', 'lmstudio', null],
      ['own', 'lmstudio', null],
      ['someone/Llama-GGUF', 'huggingface', null],
      ['vendor', 'lmstudio', null],
    ]);
  });

  test('where it is: the usual folders, where its pointer leads, and the folder of its settings', async () => {
    const home = join(folder, 'home');
    write(home, { '.lmstudio-home-pointer': `${join(folder, 'moved')}\n`, '.lmstudio/settings.json': '{' });
    write(folder, {
      'moved/settings.json': JSON.stringify({ downloadsFolder: join(folder, 'big drive', 'models') }),
      'big drive/models/m/m/m.gguf': titled('m'),
    });
    expect(await lmStudioFolders(home)).toEqual([
      join(folder, 'big drive', 'models'),
      join(folder, 'moved', 'models'),
      join(home, '.lmstudio', 'models'),
      join(home, '.cache', 'lm-studio', 'models'),
    ]);
    expect(named(await search())).toEqual([['m', 'lmstudio', null]]);
  });
});

describe('folders and drives', () => {
  test('a linked root, a linked model, a model beside a broken link', async () => {
    const real = write(join(folder, 'real, folder'), { 'Llama.gguf': titled('x') });
    symlinkSync(real, join(folder, 'link'), 'junction');
    expect((await one(join(folder, 'link'))).path).toBe(join(folder, 'link', 'Llama.gguf'));
    expect(await findModel(join(folder, 'link'))).toEqual({ gguf: [join(folder, 'link', 'Llama.gguf')] });
    // Found by its own name, whatever the order.
    expect((await one(folder)).path).toBe(join(real, 'Llama.gguf'));
    symlinkSync('/media/usb/Llama-3.2-11B', join(real, 'Llama-3.2-11B'));
    expect((await findAt(real)).map(({ name, problem }) => [name, problem?.code ?? null])).toEqual([
      ['Llama', null],
      ['Llama-3.2-11B', 'file_missing'],
    ]);
    expect((await usableModel(real)).name).toBe('Llama');
  });

  test('the same model below two tags of Ollama is two, and one with a link to its blob', async () => {
    const content = titled('one');
    const hex = createHash('sha256').update(content).digest('hex');
    const manifest = JSON.stringify({
      layers: [{ mediaType: 'application/vnd.ollama.image.model', digest: `sha256:${hex}`, size: content.length }],
    });
    write(join(folder, 'ollama'), {
      [`blobs/sha256-${hex}`]: content,
      'manifests/registry.ollama.ai/library/llama/a': manifest,
      'manifests/registry.ollama.ai/library/llama/b': manifest,
    });
    const place = join(folder, 'home', '.lmstudio', 'models', 'ollama', 'llama');
    mkdirSync(place, { recursive: true });
    symlinkSync(join(folder, 'ollama', 'blobs', `sha256-${hex}`), join(place, 'llama.gguf'));
    const found = await findModels({
      environment: { OLLAMA_MODELS: join(folder, 'ollama'), HF_HUB_CACHE: '/nowhere' },
      home: join(folder, 'home'),
    });
    expect(found.map(({ name }) => name)).toEqual(['llama:a', 'llama:b']);
  });

  test('LM Studio’s, by maker and model', async () => {
    write(join(folder, '.lmstudio', 'models', 'someone', 'Llama-3.2-3B-Instruct-GGUF'), {
      'Llama-3.2-3B-Instruct-Q4_K_M.gguf': ggufBytes({
        'general.architecture': 'llama',
        'llama.embedding_length': 3072,
        'llama.block_count': 28,
      }),
    });
    const [found] = await findModels({ environment: { OLLAMA_MODELS: '/nowhere', HF_HUB_CACHE: '/nowhere' }, home: folder });
    expect(outline(found!)).toEqual({
      name: 'Llama-3.2-3B-Instruct-Q4_K_M',
      source: 'lmstudio',
      kind: 'text',
      format: 'gguf',
      problem: null,
      known: 'llama-3.2-3b-instruct',
    });
  });

  test('several models some folders deep; parts of one; links in circles', async () => {
    write(folder, {
      'backup/models/a.gguf': ggufBytes(unified),
      'backup/big-00001-of-00003.gguf': ggufBytes({ 'general.architecture': 'llama' }),
      'backup/big-00002-of-00003.gguf': ggufBytes({}),
      'photos/cat.jpg': 'no',
    });
    write(join(folder, 'backup', 'published'), publishedFiles());
    symlinkSync(folder, join(folder, 'backup', 'circle'));
    const found = (await findAt(folder)).map(({ name, files }) => [name, files.length]);
    expect(found.sort()).toEqual([
      ['a', 1],
      ['big', 2],
      ['published', 2],
    ]);
  });

  test('two files with a comma, and the text file of two', async () => {
    write(folder, {
      'text.gguf': ggufBytes(vision),
      'projector.gguf': ggufBytes({ 'general.architecture': 'mllama', 'general.type': 'projector' }),
    });
    const [text, projector] = [join(folder, 'text.gguf'), join(folder, 'projector.gguf')];
    expect((await one(`${projector},${text}`)).files).toEqual([projector, text]);
    expect((await one(text)).files).toEqual([text, projector]);
  });

  test('nothing there', async () => {
    await expect(findAt(join(folder, 'gone'))).rejects.toMatchObject({
      code: 'model_missing',
      nextStep: expect.stringContaining('drive') as string,
    });
    await expect(findAt(folder)).rejects.toMatchObject({
      code: 'model_missing',
      message: expect.stringContaining('No model was found') as string,
    });
  });

  test('a search can be given up', async () => {
    write(folder, { 'a/b/c': 'x' });
    await expect(findAt(folder, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});

describe('heads of GGUF files', () => {
  const summary = (bytes: Buffer) => readGgufSummary(join(write(folder, { 'x.gguf': bytes }), 'x.gguf'));

  test('entries, and the shapes of tensors', async () => {
    const found = await summary(
      ggufBytes({ ...unified, flag: true }, [
        { name: 'a', type: 8, rows: 3 },
        { name: 'b', type: 0 },
      ]),
    );
    expect(Object.fromEntries(found.metadata)).toMatchObject({ 'general.architecture': 'mllama', 'mllama.block_count': 40, flag: true });
    expect(Object.fromEntries(found.shapes)).toEqual({ a: [3, 32], b: [1, 32] });
  });

  test('big-endian files are called that', async () => {
    const bytes = ggufBytes(unified);
    bytes.writeUInt32BE(3, 4);
    await expect(summary(bytes)).rejects.toMatchObject({
      code: 'checkpoint_header',
      message: expect.stringContaining('big-endian') as string,
    });
  });

  test('long lists are passed over, also past the first piece that is read', async () => {
    const tokens = Array.from({ length: 60_000 }, (_, index) => `token ${index}`);
    expect((await summary(ggufBytes({ tokens, after: 7 }))).metadata.get('after')).toBe(7);
  });

  test('hostile ones end in an error, whatever bit is wrong', { timeout: 60_000 }, async () => {
    const bytes = ggufBytes(unified);
    const codes = new Set<string>();
    for (let at = 0; at < bytes.length - 64; at++) {
      const copy = Buffer.from(bytes);
      copy[at] = 0xff;
      await summary(copy).catch((error: { code: string }) => codes.add(error.code));
    }
    for (let length = 0; length < bytes.length - 64; length++)
      await summary(bytes.subarray(0, length)).catch((error: { code: string }) => codes.add(error.code));
    expect([...codes].sort()).toEqual(['checkpoint_header', 'file_truncated']);
  });
});

test('names tell apart what shapes do not', () => {
  const shape = (id: string) => {
    const { text, vision } = catalogueModel(id).architecture;
    return { hidden: text.hidden, layers: text.layers, imageSize: vision?.imageSize ?? null };
  };
  expect(identify(shape('llama-3.3-70b-instruct'), 'Llama-3.3-70B-Instruct')?.id).toBe('llama-3.3-70b-instruct');
  expect(identify(shape('llama-3.3-70b-instruct'), 'Meta-Llama-3.1-70B-Instruct')?.id).toBe('llama-3.1-70b-instruct');
  expect(identify(shape('llama-3.3-70b-instruct'), 'my-70b')).toBeNull();
  expect(identify(shape('llama-3.2-11b-vision-instruct'), 'Llama-Guard-3-11B-Vision')?.id).toBe('llama-guard-3-11b-vision');
  expect(identify({ hidden: 96, layers: 6, imageSize: 56 }, 'Llama-3.2-11B-Vision-Instruct')).toBeNull();
});

test.skipIf(process.platform === 'win32')('FIFOs and devices in place of a model’s files keep nothing waiting', async () => {
  const names = ['config.json', 'tokenizer.json', 'model.gguf', ...[1, 2, 3, 4, 5, 6].map((number) => `model-${number}.safetensors`)];
  for (const place of ['pipes', 'devices']) {
    mkdirSync(join(folder, place));
    const paths = names.map((name) => join(folder, place, name));
    if (place === 'pipes') execFileSync('mkfifo', paths);
    else for (const path of paths) symlinkSync('/dev/zero', path);
    const found = await findAt(join(folder, place));
    expect(found.map(({ bytes }) => bytes)).toEqual(found.map(() => 0));
    for (const path of paths) await expect(readGgufSummary(path)).rejects.toMatchObject({ code: 'file_missing' });
  }
});
