/** The catalogue against the layout in which each of its systems is published. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPromptLanguage } from '../../../prompt/prompt.ts';
import type { ContentPart, Message } from '../../../prompt/template.ts';
import { catalogue, catalogueModel } from '../catalogue.ts';
import { inspectFolder } from '../local/inspect.ts';
import { languageFiles, publishedConfig, publishedTensors, question, smallConfig, systems, type Config } from '../test/systems.ts';
import { write } from '../test/write-model.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-systems-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const bytesOf = (shape: number[]): number => shape.reduce((product, size) => product * size, 2);

/** Shards as published: all of their heads, none of their weights, which take no room on the disk. */
function writeShards(directory: string, config: Config, shards: number): void {
  mkdirSync(directory);
  const tensors = [...publishedTensors(config)];
  const names = Array.from({ length: shards }, (_, index) =>
    shards === 1 ? 'model.safetensors' : `model-${String(index + 1).padStart(5, '0')}-of-${String(shards).padStart(5, '0')}.safetensors`,
  );
  const map: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    let end = 0;
    const head: Record<string, object> = {};
    for (const [tensor, shape] of tensors.slice(
      Math.floor((index * tensors.length) / shards),
      Math.floor(((index + 1) * tensors.length) / shards),
    )) {
      head[tensor] = { dtype: 'BF16', shape, data_offsets: [end, (end += bytesOf(shape))] };
      map[tensor] = name;
    }
    const json = Buffer.from(JSON.stringify(head));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(join(directory, name), Buffer.concat([length, json]));
    truncateSync(join(directory, name), 8 + json.length + end);
  }
  if (shards > 1) writeFileSync(join(directory, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
}

test('every system has its layout, and none is of another catalogue', () => {
  expect(systems.map(({ id }) => id)).toEqual(catalogue().flatMap(({ id, library }) => (library ? [] : [id])));
});

test('what comes ready to use in fewer bits is a system that is published whole', () => {
  const ready = catalogue().filter(({ library }) => library);
  expect(ready.map(({ id }) => id)).toEqual(['llama-3.2-11b-vision-instruct-q4']);
  for (const { id, architecture } of ready) expect(architecture).toEqual(catalogueModel(id.replace(/-q4$/, '')).architecture);
});

describe.each(systems)('$id', ({ id, tokens }) => {
  const model = catalogueModel(id);
  const published = publishedConfig(id);
  const textOf = (config: Config): Record<string, unknown> => (config['text_config'] ?? config) as Record<string, unknown>;

  test('the entry has the shape of the published configuration', () => {
    const text = textOf(published);
    const vision = published['vision_config'] as Record<string, unknown> | undefined;
    const heads = text['num_attention_heads'] as number;
    expect(model.architecture.text).toEqual({
      hidden: text['hidden_size'],
      layers: text['num_hidden_layers'],
      crossLayers: (text['cross_attention_layers'] as number[] | undefined)?.length ?? 0,
      heads,
      kvHeads: text['num_key_value_heads'],
      headSize: text['head_dim'] ?? (text['hidden_size'] as number) / heads,
      feedForward: text['intermediate_size'],
      vocabulary: text['vocab_size'],
      tied: text['tie_word_embeddings'],
    });
    expect(model.architecture.vision).toEqual(
      vision
        ? {
            hidden: vision['hidden_size'],
            layers: vision['num_hidden_layers'],
            globalLayers: vision['num_global_layers'],
            feedForward: vision['intermediate_size'],
            patch: vision['patch_size'],
            imageSize: vision['image_size'],
            maxTiles: vision['max_num_tiles'],
            aspectRatios: (vision['supported_aspect_ratios'] as unknown[]).length,
            intermediates: (vision['intermediate_layers_indices'] as unknown[]).length,
          }
        : null,
    );
    expect(model.context).toBe(text['max_position_embeddings']);
    expect([...publishedTensors(published).values()].reduce((sum, shape) => sum + bytesOf(shape), 0)).toBe(model.weightBytes);
  });

  test('published files are recognised', async () => {
    const directory = join(folder, model.repository.split('/')[1]!);
    writeShards(directory, published, model.shards);
    write(directory, { ...languageFiles(id, published), 'config.json': JSON.stringify(published) });
    const found = await inspectFolder(directory);
    expect(found).toMatchObject({ kind: model.kind, format: 'safetensors', problem: null });
    expect(found!.known?.id).toBe(id);
    expect(found!.files).toHaveLength(model.shards);
    expect(found!.bytes - model.weightBytes).toBeGreaterThan(0);
    expect(found!.bytes - model.weightBytes).toBeLessThan(1e6);
  });

  test('the small copy differs in widths, depths and words alone', () => {
    const small = smallConfig(id);
    const without = (config: Config): object => {
      const { text_config: _text, vision_config: _vision, image_token_index: _image, ...rest } = config;
      const {
        hidden_size: _h,
        intermediate_size: _f,
        num_hidden_layers: _l,
        num_attention_heads: _a,
        num_key_value_heads: _k,
        head_dim: _d,
        vocab_size: _v,
        cross_attention_layers: _c,
        bos_token_id: _b,
        eos_token_id: _e,
        pad_token_id: _p,
        ...text
      } = textOf(config);
      const {
        hidden_size: _vh,
        intermediate_size: _vf,
        num_hidden_layers: _vl,
        num_global_layers: _vg,
        attention_heads: _va,
        vision_output_dim: _vo,
        image_size: _vi,
        intermediate_layers_indices: _vx,
        ...vision
      } = (config['vision_config'] ?? {}) as Record<string, unknown>;
      return config.model_type === 'mllama' ? { ...rest, text, vision } : text;
    };
    expect(without(small)).toEqual(without(published));
    const group = (config: Config): number =>
      (textOf(config)['num_attention_heads'] as number) / (textOf(config)['num_key_value_heads'] as number);
    expect(group(small)).toBe(group(published));
    const edge = (config: Config): number => (config['vision_config'] as { image_size: number }).image_size;
    if (model.architecture.vision) expect(edge(small) * 4).toBe(edge(published));
  });

  test('its language makes the prompt that it was trained on', async () => {
    const directory = write(join(folder, `${id}-language`), languageFiles(id, smallConfig(id)));
    const { format, stops } = await readPromptLanguage(directory);
    expect(format.kind).toBe(({ chat: 'template', complete: 'completion', guard: 'guard' } as const)[model.use]);
    expect(stops.tokens).toEqual(model.use === 'complete' ? [257] : [257, 264, 265]);
    const asked = (...parts: ContentPart[]): Message[] => [{ role: 'user', content: [...parts, { type: 'text', text: question }] }];
    expect([...format.encode(asked())]).toEqual(tokens.text);
    if (model.architecture.vision) expect([...format.encode(asked({ type: 'image' }))]).toEqual(tokens.picture);
  });
});
