import { resolve } from 'node:path';
import { LoupeError } from '../errors.ts';
import { findModel } from '../services/models/local/find-model.ts';
import { loadPlanned } from '../services/models/fit/placement.ts';
import type { LoadedModel, Result } from '../services/ports.ts';
import { writeSafetensors, type Tensor } from '../storage/safetensors.ts';
import { engineFlags, engineSettings, namedModel, needed, parseFlags, tokenList, wholeNumber } from './options.ts';
import { exitCodes, type ExitCode, type Terminal } from './terminal.ts';

export const traceHelp = `loupe trace --model MODEL --tokens 1,2,3 --out FILE.safetensors [options]

  --model MODEL             folder; FILE.gguf; TEXT.gguf,PROJECTOR.gguf or twice --model; STORE:NAME:TAG (Ollama)
  --image FILE              one per image token, in order
  --continue N              tokens to append, each the likeliest (default 0)
  --context N  --device D  --activations f32|f16|auto (default f32)  --memory-budget MB  --validation  --json

  Writes what the model computes, tensor by tensor; docs/trace.md lists names and shapes.
`;

export async function trace(args: string[], terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = parseFlags(args, {
    ...engineFlags,
    model: { type: 'string', multiple: true },
    tokens: { type: 'string' },
    image: { type: 'string', multiple: true },
    continue: { type: 'string' },
    context: { type: 'string' },
    out: { type: 'string' },
    json: { type: 'boolean' },
  });
  if (positionals.length > 0) throw new LoupeError('usage', `"${positionals[0]}" belongs to no option.`);
  const named = namedModel(values.model);
  const model = needed('--model', values.model?.join(' and '));
  const out = resolve(needed('--out', values.out));
  const tokens = tokenList('--tokens', values.tokens);
  const continueFor = wholeNumber('--continue', values.continue, 0) ?? 0;
  const contextLength = wholeNumber('--context', values.context, 1);
  // What is compared with references is the exact path, whatever the device could do.
  const engine = engineSettings({ ...values, activations: values.activations ?? 'f32' });

  const place = await findModel(named ?? model);
  const client = terminal.startEngine();
  const signal = terminal.interrupted;
  try {
    const loaded = await loadPlanned(client, { ...place, engine, contextLength }, { model, signal });
    const images = (values.image ?? []).map((path) => ({ path }));
    const reply = await client.trace({ tokens, images, continueFor }, { signal });
    const tensors = traceTensors(reply, loaded, tokens.length);
    await writeSafetensors(out, tensors).catch((error: NodeJS.ErrnoException) => {
      throw new LoupeError('file_unwritable', `${out} cannot be written (${error.code ?? error.message}).`);
    });
    const shapes = Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]));
    if (values.json)
      terminal.out(
        `${JSON.stringify({ ok: true, out, tensors: shapes, placement: loaded.model.placement, memory: await client.memory() })}\n`,
      );
    else for (const [name, shape] of Object.entries(shapes)) terminal.out(`${name} [${shape.join(', ')}]\n`);
    return exitCodes.ok;
  } finally {
    await client.close();
  }
}

/** Names and shapes of docs/trace.md. */
export function traceTensors(reply: Result<'trace'>, { model }: Pick<LoadedModel, 'model'>, tokens: number): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  const images = reply.numTiles.length;
  if (model.vision && images > 0 && reply.pixelValues && reply.visionOutput && reply.crossAttentionStates && reply.visionWidth) {
    const { tileSize, maxTiles } = model.vision;
    const rows = reply.visionOutput.length / (images * maxTiles * reply.visionWidth);
    tensors.set('pixel_values', { shape: [images, maxTiles, 3, tileSize, tileSize], data: reply.pixelValues });
    tensors.set('aspect_ratio_ids', { shape: [images], data: reply.aspectRatioIds });
    tensors.set('num_tiles', { shape: [images], data: reply.numTiles });
    tensors.set('vision_output', { shape: [images, maxTiles, rows, reply.visionWidth], data: reply.visionOutput });
    tensors.set('cross_attention_states', { shape: [images * maxTiles * rows, reply.hiddenSize], data: reply.crossAttentionStates });
  }
  tensors.set('logits', { shape: [tokens, reply.logits.length / tokens], data: reply.logits });
  const continued = reply.greedyTokens.length;
  if (continued > 0) {
    tensors.set('greedy_tokens', { shape: [continued], data: reply.greedyTokens });
    tensors.set('greedy_logits', { shape: [continued, reply.greedyLogits.length / continued], data: reply.greedyLogits });
  }
  return tensors;
}
