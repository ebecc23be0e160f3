/**
 * What lists the files of a model of Ollama: an image manifest of the Open Container Initiative with Ollama's kinds of layers.
 * The same bytes lie in Ollama's store and come from its registry.
 * Sources: github.com/opencontainers/image-spec, manifest.md; ollama v0.6.8, server/manifest.go.
 */
import * as v from 'valibot';

const blob = v.object({
  digest: v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/)),
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
});
const layer = v.object({ ...blob.entries, mediaType: v.string() });

export const ollamaManifest = v.object({ config: v.optional(blob), layers: v.pipe(v.array(layer), v.maxLength(64)) });

export type OllamaManifest = v.InferOutput<typeof ollamaManifest>;
export type OllamaLayer = v.InferOutput<typeof layer>;

export const ollamaHost = 'registry.ollama.ai';

/** Those of a kind: `model`, `projector`, `adapter`, `license`, `params`, `template`. */
export function layersOf({ layers }: OllamaManifest, kind: string): OllamaLayer[] {
  return layers.filter(({ mediaType }) => mediaType === `application/vnd.ollama.image.${kind}`);
}

/** Below the folder of blobs. */
export function blobName(digest: string): string {
  return digest.replace(':', '-');
}
